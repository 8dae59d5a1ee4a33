"""The pictures of phantoms and what is said to be true of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcxr import images
from llmcxr.data.phantom import indices, masks, points, render, salience, sample_case
from llmcxr.data.phantom.case import FINDINGS, DrawnFinding, PhantomCase
from llmcxr.data.phantom.findings import DRAW

SIDED = ("pleural effusion", "pneumothorax", "consolidation", "nodule", "atelectasis", "pacemaker")
PLAIN = PhantomCase(0, 4, (), 0.44, "M", 50, "PA")


def with_finding(
    name: str, side: str = "", zone: str = "", extent: float = 0.0, index: int = 4
) -> PhantomCase:
    """A case that has one finding, by default of the smallest size there is."""
    finding = DrawnFinding(name, side, zone, "small", extent)
    return replace(PLAIN, findings=(finding,), index=index)


def smallest(name: str, index: int = 4, side: str = "right") -> PhantomCase:
    zone = "mid" if name in ("consolidation", "nodule", "atelectasis") else ""
    return with_finding(name, "bilateral" if name == "edema" else side, zone, index=index)


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


@pytest.mark.parametrize("index", range(12))
def test_the_ratio_is_that_of_the_masks(index):
    """Widest heart by widest inner thorax; each border is within a pixel of the true one, so 2 px in all."""
    case, size = sample_case(9, index), 512
    parts = masks(case, size)
    heart = np.flatnonzero(parts["heart"].any(axis=0))
    thorax = np.flatnonzero((parts["left lung"] | parts["right lung"]).any(axis=0))
    width = np.ptp(thorax) + 1
    assert np.ptp(heart) + 1 == pytest.approx(case.cardiothoracic_ratio * width, abs=2)
    assert indices(case)["cardiothoracic_ratio"] == pytest.approx(case.cardiothoracic_ratio, abs=1e-6)


def test_points_lie_on_their_parts():
    case, size = sample_case(1, 3), 256
    where, parts = points(case), masks(case, size)
    heart, thorax = np.flatnonzero(parts["heart"].any(axis=0)), np.flatnonzero(parts["left lung"].any(axis=0))
    assert where["heart right edge"][1] * size == pytest.approx(heart[0], abs=1.5)
    assert where["heart left edge"][1] * size == pytest.approx(heart[-1] + 1, abs=1.5)
    assert where["thorax left edge"][1] * size == pytest.approx(thorax[-1] + 1, abs=1.5)
    row, column = (int(share * size) for share in where["carina"])
    assert parts["trachea"][row - 3, column]
    assert where["right hilum"][1] < where["carina"][1] < where["left hilum"][1]


@pytest.mark.parametrize("name", DRAW)
def test_the_smallest_finding_shows_in_its_mask(name):
    """At 128 px, against noise of 0.006: the finding's own pixels change by at least 0.05 on average."""
    for index in range(8):
        case = smallest(name, index)
        changed = np.abs(render([case], 128)[0] - render([replace(case, findings=())], 128)[0])
        mask = masks(case, 128)[name]
        assert mask.sum() >= 10
        assert changed[mask].mean() > 0.05


@pytest.mark.parametrize("name", SIDED)
@pytest.mark.parametrize("side", ["left", "right"])
def test_findings_are_on_the_patients_side(name, side):
    """The patient's right is image left: left of the carina."""
    case = smallest(name, side=side)
    _, columns = np.nonzero(masks(case, 128)[name])
    middle = points(case)["carina"][1] * 128
    assert (np.median(columns) > middle) == (side == "left")


@pytest.mark.parametrize("name", ["consolidation", "nodule", "atelectasis"])
def test_zones_follow_one_another(name):
    rows = [
        np.nonzero(masks(with_finding(name, "left", zone), 128)[name])[0].mean()
        for zone in ("upper", "mid", "lower")
    ]
    assert rows[0] + 10 < rows[1] < rows[2] - 10


@pytest.mark.parametrize(
    "name", [name for name in FINDINGS if name not in ("cardiomegaly", "mediastinal widening")]
)
def test_a_larger_extent_covers_more(name):
    small = smallest(name)
    large = replace(small, findings=(replace(small.findings[0], extent=1.0),))
    small_area, large_area = (masks(case, 128)[name].sum() for case in (small, large))
    if name in ("pacemaker", "central line", "endotracheal tube"):
        assert small_area == large_area
    else:
        assert large_area > 1.3 * small_area


def test_a_widened_mediastinum_is_wider():
    wide = with_finding("mediastinal widening")
    assert indices(wide)["mediastinal_width"] > indices(PLAIN)["mediastinal_width"] + 0.08


def test_small_findings_are_salient_and_large_ones_are_not():
    assert salience(PLAIN, 64).max() == 0
    assert salience(smallest("pleural effusion"), 64).max() == 0
    nodule = smallest("nodule")
    assert (salience(nodule, 128)[masks(nodule, 128)["nodule"]] > 0.9).all()
