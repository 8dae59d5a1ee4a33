import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torchmetrics.image.fid import FrechetInceptionDistance

from llmcxr.metrics.images.frechet import frechet_distance, gaussian


def features(n, dimension, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimension, dimension))
    return (scale * rng.normal(size=(n, dimension)) @ mixing + rng.normal(size=dimension)).astype(np.float32)


def test_by_hand():
    # means 0 and 3; variances 2 and 8, of square roots √2 and 2√2: 9 + 2 + 8 - 2 * 4
    real, drawn = np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])
    assert frechet_distance(real, drawn) == pytest.approx(11)


def test_equals_the_formula_with_a_matrix_square_root():
    real, drawn = features(300, 24, 0), features(200, 24, 1, scale=1.3)
    first, second = (np.cov(one.astype(np.float64), rowvar=False) for one in (real, drawn))
    shift = np.square(real.mean(0, dtype=np.float64) - drawn.mean(0, dtype=np.float64)).sum()
    root = scipy.linalg.sqrtm(first @ second).real
    expected = shift + np.trace(first + second - 2 * root)
    assert frechet_distance(real, drawn) == pytest.approx(expected, rel=1e-9)


def test_equals_torchmetrics():
    real, drawn = features(300, 16, 2), features(250, 16, 3)

    class Flat(torch.nn.Module):
        num_features = 16

        def forward(self, images):
            return images.flatten(1)

    theirs = FrechetInceptionDistance(feature=Flat(), normalize=True, input_img_size=(1, 4, 4))
    theirs.set_dtype(torch.float64)
    for values, is_real in ((real, True), (drawn, False)):
        theirs.update(torch.from_numpy(values).double().reshape(-1, 1, 4, 4), real=is_real)
    assert frechet_distance(real, drawn) == pytest.approx(float(theirs.compute()), rel=1e-6)


@given(arrays(np.float64, (12, 3), elements=st.floats(-100, 100)))
def test_a_set_is_at_no_distance_from_itself_and_a_shift_is_its_square(values):
    scale = max(np.abs(values).max(), 1.0) ** 2
    assert frechet_distance(values, values) == pytest.approx(0, abs=1e-6 * scale)
    assert frechet_distance(values, values + np.array([3.0, 0, 4])) == pytest.approx(25, abs=1e-6 * scale)


def test_gaussian_over_several_chunks():
    values = features(2500, 5, 4)
    mean, covariance = gaussian(values)
    np.testing.assert_allclose(mean, values.mean(0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(values.astype(np.float64), rowvar=False), rtol=1e-9)


def test_too_few_images_are_warned_of():
    with pytest.warns(UserWarning, match="8 images in 16 feature dimensions"):
        assert frechet_distance(features(8, 16, 0), features(20, 16, 1)) > 0
    assert frechet_distance(np.ones((1, 4)), np.ones((5, 4))) is None


def test_nan_is_refused():
    drawn = features(20, 4, 1)
    drawn[[3, 7], 0] = np.nan
    with pytest.raises(ValueError, match="2 of 20 drawn images have NaN"):
        frechet_distance(features(20, 4, 0), drawn)


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"real \(5, 3\) and drawn \(5, 4\)"):
        frechet_distance(np.ones((5, 3)), np.ones((5, 4)))
