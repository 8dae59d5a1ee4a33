import numpy as np
import pytest

from llmcxr.metrics.images.psnr_ssim import psnr, ssim


def test_psnr_worked_by_hand():
    black = np.zeros((2, 16, 16))
    assert psnr(black, black + np.array([0.1, 0.01])[:, None, None]) == pytest.approx([20, 40])
    assert psnr(black, black) == pytest.approx([100, 100])


def test_ssim_of_itself_is_one_and_falls_with_noise():
    rng = np.random.default_rng(0)
    images = rng.random((1, 32, 32))
    assert ssim(images, images) == pytest.approx([1])
    little, much = (ssim(images, images + rng.normal(0, s, images.shape)) for s in (0.05, 0.3))
    assert 1 > little > much > 0


def test_ssim_agrees_with_torchmetrics():
    metric = pytest.importorskip("torchmetrics.functional.image")
    import torch

    rng = np.random.default_rng(1)
    images = rng.random((3, 40, 48))
    other = (images + rng.normal(0, 0.1, images.shape)).clip(0, 1)
    theirs = metric.structural_similarity_index_measure(
        torch.tensor(other)[:, None], torch.tensor(images)[:, None], data_range=1.0, reduction="none"
    )
    assert ssim(images, other) == pytest.approx(theirs.numpy(), abs=0.01)  # it pads before it crops
