import numpy as np
import pytest
import torch
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from llmcxr.metrics.images.diversity import Diversity, choose_pairs, mean_pairwise_ms_ssim
from llmcxr.metrics.metric import Inputs, score
from vqgan.metrics import SCALE_WEIGHTS, scale_weights


def noise(n, size, seed=0):
    return np.random.default_rng(seed).random((n, size, size), dtype=np.float32)


def test_equal_images_give_one_and_noise_little():
    assert mean_pairwise_ms_ssim(np.repeat(noise(1, 64), 4, axis=0)) == pytest.approx(1)
    assert mean_pairwise_ms_ssim(noise(6, 64)) < 0.2


def test_is_the_mean_of_torchmetrics_over_the_pairs():
    images = noise(3, 192) * 0.2 + noise(1, 192, seed=1) * 0.8
    pairs = [(0, 1), (0, 2), (1, 2)]
    first, second = (torch.from_numpy(images[list(places)])[:, None] for places in zip(*pairs, strict=True))
    expected = multiscale_structural_similarity_index_measure(first, second, data_range=1.0)
    assert mean_pairwise_ms_ssim(images) == pytest.approx(float(expected), rel=1e-5)


def test_images_of_one_scale_are_compared_by_plain_ssim():
    images = noise(2, 16) * 0.2 + 0.4
    first, second = (torch.from_numpy(image)[None, None] for image in images)
    expected = structural_similarity_index_measure(first, second, data_range=1.0)
    assert mean_pairwise_ms_ssim(images) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("size", "scales"), [(11, 1), (22, 2), (44, 3), (98, 3), (99, 4), (175, 4), (176, 5), (512, 5)]
)
def test_small_images_are_compared_at_fewer_scales(size, scales):
    weights = scale_weights(size)
    assert len(weights) == scales
    assert sum(weights) == pytest.approx(1)
    assert weights[0] == pytest.approx(SCALE_WEIGHTS[0] / sum(SCALE_WEIGHTS[:scales]))
    assert mean_pairwise_ms_ssim(noise(2, min(size, 200))) is not None  # torchmetrics takes as many


def test_images_below_the_window_are_refused():
    with pytest.raises(ValueError, match="11 pixels or more, got 10"):
        mean_pairwise_ms_ssim(noise(2, 10))


def test_pairs_are_different_images_once_and_by_seed():
    pairs = choose_pairs(20, 190, seed=0)
    assert len({tuple(pair) for pair in pairs.tolist()}) == 190
    assert (pairs[:, 0] < pairs[:, 1]).all() and pairs.min() == 0 and pairs.max() == 19
    some = choose_pairs(100_000, 50, seed=1)
    assert (some[:, 0] < some[:, 1]).all() and some.max() < 100_000 and some.min() >= 0
    np.testing.assert_array_equal(some, choose_pairs(100_000, 50, seed=1))
    assert len(choose_pairs(3, 500, seed=0)) == 3


def test_one_image_has_no_pair():
    assert mean_pairwise_ms_ssim(noise(1, 32)) is None
    result = score(Diversity(), Inputs(["a"], drawn_images=noise(1, 32)))
    assert (result.value, result.note) == (None, "undefined for these studies")
