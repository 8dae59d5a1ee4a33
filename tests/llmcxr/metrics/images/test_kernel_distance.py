import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from llmcxr.metrics.images import kernel_distance as module
from llmcxr.metrics.images.kernel_distance import kernel_distance


def test_by_hand():
    # one dimension: k(x, y) = (xy + 1)³. Within real k(0, 1) = 1, within drawn k(1, 2) = 27,
    # across k(0, 1) = k(0, 2) = 1, k(1, 1) = 8, k(1, 2) = 27
    assert kernel_distance(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])) == pytest.approx(
        1 + 27 - 2 * 37 / 4
    )


def test_equals_torchmetrics_where_a_subset_is_all(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 37)
    rng = np.random.default_rng(0)
    real, drawn = rng.normal(size=(120, 20)), rng.normal(0.3, 1.2, size=(120, 20))
    theirs = poly_mmd(torch.from_numpy(real), torch.from_numpy(drawn))
    assert kernel_distance(real, drawn) == pytest.approx(float(theirs), rel=1e-10)


def test_is_unbiased_at_small_numbers():
    rng = np.random.default_rng(1)
    values = [kernel_distance(rng.normal(size=(10, 4)), rng.normal(size=(15, 4))) for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert min(values) < 0


def test_one_image_is_too_few_and_nan_is_refused():
    assert kernel_distance(np.ones((1, 4)), np.ones((5, 4))) is None
    with pytest.raises(ValueError, match="5 of 5 real images have NaN"):
        kernel_distance(np.full((5, 4), np.nan), np.ones((5, 4)))
