import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from llmcxr.metrics.images import coverage as module
from llmcxr.metrics.images.coverage import coverage, density, precision, recall, squared_radii


def test_by_hand():
    real, drawn = np.array([[0.0], [1.0], [3.0]]), np.array([[0.5], [2.5], [9.0]])
    # k = 1: real radii 1, 1, 2; drawn radii 2, 2, 6.5
    np.testing.assert_allclose(squared_radii(real, 1), [1, 1, 4])
    np.testing.assert_allclose(squared_radii(drawn, 1), [4, 4, 42.25])
    assert precision(real, drawn, k=1) == pytest.approx(2 / 3)  # 9 lies in no ball
    assert recall(real, drawn, k=1) == pytest.approx(1)
    # 0.5 lies in the balls of 0 and 1, 2.5 in that of 3
    assert density(real, drawn, k=1) == pytest.approx(3 / 3)
    assert coverage(real, drawn, k=1) == pytest.approx(1)
    assert coverage(real, drawn[1:] + 0.2, k=1) is not None


def brute_force(real, drawn, k):
    """The authors' definitions on whole matrices (Naeem et al. 2020)."""
    across = cdist(real, drawn)
    real_radii, drawn_radii = (np.sort(cdist(one, one), axis=1)[:, k] for one in (real, drawn))
    return {
        "precision": (across < real_radii[:, None]).any(0).mean(),
        "recall": (across < drawn_radii).any(1).mean(),
        "density": (across < real_radii[:, None]).sum(0).mean() / k,
        "coverage": (across.min(1) < real_radii).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_brute_force_over_several_chunks(k, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 29)
    rng = np.random.default_rng(k)
    real = rng.normal(size=(150, 6)).astype(np.float32)
    drawn = rng.normal(0.8, 0.7, size=(90, 6)).astype(np.float32)
    for name, expected in brute_force(real, drawn, k).items():
        assert getattr(module, name)(real, drawn, k) == pytest.approx(expected), name


@given(arrays(np.float64, (12, 3), elements=st.floats(-100, 100)))
def test_a_set_covers_itself_also_where_images_repeat(values):
    assert precision(values, values) == recall(values, values) == coverage(values, values) == 1


def test_one_drawing_over_and_over_is_precise_and_covers_little():
    real = np.random.default_rng(0).normal(size=(200, 4))
    collapsed = np.repeat(real[:1], 200, axis=0)
    assert precision(real, collapsed) == 1
    assert recall(real, collapsed) == 1 / 200
    assert coverage(real, collapsed) < 0.1


def test_as_many_images_as_neighbours_is_too_few():
    few, many = np.zeros((3, 2)), np.zeros((20, 2))
    assert precision(few, many) is None and recall(many, few) is None
    assert density(few, many) is None and coverage(many, few) is None


def test_nan_is_refused():
    with pytest.raises(ValueError, match="20 of 20 real images"):
        coverage(np.full((20, 2), np.nan), np.zeros((20, 2)))
