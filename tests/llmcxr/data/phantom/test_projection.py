"""The pictures of phantoms."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcxr import images
from llmcxr.data.phantom import indices, masks, render, salience, sample_case
from tests.llmcxr.data.phantom.cases import PLAIN


def test_the_same_case_gives_the_same_picture_whatever_is_in_the_batch():
    cases = [sample_case(0, index) for index in range(3)]
    batch = render(cases, 64)
    assert batch.shape == (3, 64, 64) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch[1], render(cases[1:2], 64)[0])
    assert np.abs(batch[0] - batch[1]).mean() > 0.02


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 2**31), st.integers(16, 96))
def test_every_picture_is_finite_and_in_range(seed, index, size):
    case = sample_case(seed, index)
    (picture,) = render([case], size)
    assert np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1
    weights = salience(case, size)
    assert weights.shape == (size, size) and weights.dtype == np.float32
    assert weights.min() >= 0 and weights.max() <= 1


@pytest.mark.parametrize(
    ("variation", "means", "deviations"),
    [
        (1.0, [0.5806, 0.6201, 0.6713, 0.6443], [0.2665, 0.2282, 0.2315, 0.2259]),
        (0.3, [0.6164, 0.6257, 0.6199, 0.6410], [0.2421, 0.2219, 0.2237, 0.2269]),
    ],
)
def test_the_look_is_frozen(variation, means, deviations):
    """Models are trained on exactly these pictures: who changes the look has to train them again."""
    pictures = render([sample_case(0, index, variation) for index in range(4)], 128)
    assert pictures.mean(axis=(1, 2)) == pytest.approx(means, abs=5e-4)
    assert pictures.std(axis=(1, 2)) == pytest.approx(deviations, abs=5e-4)


def test_variation_spreads_posture_and_exposure_and_leaves_findings_and_shapes():
    def spread(variation):
        cases = [replace(PLAIN, index=index, variation=variation) for index in range(30)]
        widths = [indices(case)["thorax_width"] for case in cases]
        return np.std(widths), np.std(render(cases, 32), axis=0).mean()

    assert spread(0)[0] < 0.01 < spread(1)[0]
    assert spread(0)[1] < spread(0.3)[1] < spread(1)[1]
    case = sample_case(0, 3, variation=0)
    assert case == replace(sample_case(0, 3, variation=1), variation=0)
    assert indices(case)["cardiothoracic_ratio"] == pytest.approx(case.cardiothoracic_ratio, abs=1e-3)


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match="at least 16 px"):
        render([PLAIN], 8)


def test_bright_is_dense():
    (picture,), parts = render([PLAIN], 128), masks(PLAIN, 128)
    lungs = parts["left lung"] | parts["right lung"]
    heart = parts["heart"] & ~parts["mediastinum"]
    assert picture[~parts["body"]].mean() < picture[lungs].mean() < picture[heart].mean() - 0.15


def test_sizes_show_the_same_chest():
    case = sample_case(2, 8)
    small, large = render([case], 128)[0], render([case], 256)[0]
    assert np.abs(images.fit(large, 128)[0] - small).mean() < 0.012
    for name, mask in masks(case, 128).items():
        other = masks(case, 256)[name]
        assert abs(mask.mean() - other.mean()) < 0.1 * other.mean() + 0.001, name
