import math

import numpy as np
import pytest
import torch

from tests.vqgan.test_model import build
from vqgan.metrics import code_statistics, evaluate, ms_ssim, psnr, scale_weights, ssim


def test_psnr_by_hand() -> None:
    images = torch.zeros(2, 1, 8, 8)
    reconstruction = torch.stack([torch.full((1, 8, 8), 0.1), torch.full((1, 8, 8), 0.01)])
    assert psnr(reconstruction, images).tolist() == pytest.approx([20, 40], abs=1e-3)


def test_psnr_of_equal_images_is_100() -> None:
    assert psnr(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)).tolist() == pytest.approx([100])


def test_weighted_psnr_sees_only_the_weighted_pixels() -> None:
    images, weights = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    reconstruction = images.clone()
    reconstruction[..., 0, 0] = 0.1
    weights[..., 0, :2] = 1  # one of the two pixels is off by 0.1
    assert psnr(reconstruction, images, weights).item() == pytest.approx(20 + 10 * math.log10(2), abs=1e-3)


def test_ssim_is_one_at_identity_and_less_for_noise() -> None:
    images = torch.rand(2, 1, 32, 32)
    assert ssim(images, images).tolist() == pytest.approx([1, 1], abs=1e-4)
    assert (ssim(torch.rand_like(images), images) < 0.3).all()


def test_ssim_looks_through_whole_windows_alone() -> None:
    rng = np.random.default_rng(1)
    images = rng.random((2, 14, 16))
    other = (images + rng.normal(0, 0.1, images.shape)).clip(0, 1)
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(window, window) / window.sum() ** 2

    def mean(values: np.ndarray) -> np.ndarray:  # (2, 14, 16) -> (2, 4, 6)
        windows = np.lib.stride_tricks.sliding_window_view(values, (11, 11), axis=(1, 2))
        return (windows * window).sum((-2, -1))

    x, y = mean(images), mean(other)
    x_variance, y_variance = mean(images**2) - x**2, mean(other**2) - y**2
    covariance = mean(images * other) - x * y
    by_hand = (2 * x * y + 1e-4) * (2 * covariance + 9e-4)
    by_hand /= (x**2 + y**2 + 1e-4) * (x_variance + y_variance + 9e-4)
    ours = ssim(*(torch.from_numpy(each)[:, None] for each in (other, images)))
    assert ours.tolist() == pytest.approx(by_hand.mean((1, 2)))


@pytest.mark.parametrize(
    ("side", "scales"), [(16, 1), (21, 1), (43, 2), (44, 3), (99, 4), (128, 4), (175, 4), (176, 5), (512, 5)]
)
def test_the_scales_of_ms_ssim_fit_the_image(side: int, scales: int) -> None:
    weights = scale_weights(side)
    assert len(weights) == scales and sum(weights) == pytest.approx(1)
    assert ms_ssim(torch.ones(1, 1, side, side), torch.zeros(1, 1, side, side)).isfinite().all()


def test_ms_ssim_of_equal_images_is_one_and_of_changed_ones_less() -> None:
    images = torch.rand(3, 1, 176, 176, generator=torch.Generator().manual_seed(0))
    assert ms_ssim(images, images).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    changed = ms_ssim(images, images.flip(0))
    assert (changed[[0, 2]] < 0.3).all() and changed[1].item() == pytest.approx(1)
    black = torch.zeros(1, 1, 176, 176)
    assert ms_ssim(black, black).item() == pytest.approx(1)


def test_ms_ssim_needs_a_window_of_pixels() -> None:
    with pytest.raises(ValueError, match="11 pixels or more, got 10"):
        ms_ssim(torch.zeros(1, 1, 10, 10), torch.zeros(1, 1, 10, 10))


def test_with_one_scale_ms_ssim_is_plain_ssim() -> None:
    first = torch.rand(3, 1, 21, 21, generator=torch.Generator().manual_seed(0))
    second = first * 0.9 + 0.05
    assert ms_ssim(first, second).tolist() == pytest.approx(ssim(first, second).tolist(), abs=5e-3)


def test_code_statistics_by_hand() -> None:
    assert code_statistics(torch.tensor([5, 5, 0, 0])) == pytest.approx({"usage": 0.5, "perplexity": 2})
    assert code_statistics(torch.tensor([7, 0, 0, 0])) == pytest.approx({"usage": 0.25, "perplexity": 1})


def test_evaluate_is_the_mean_over_images_whatever_the_batches() -> None:
    model = build()
    images, weights = torch.rand(5, 1, 32, 32), torch.zeros(5, 1, 32, 32)
    weights[1, 0, 3:6, 3:6] = 1
    whole = evaluate(model, [{"image": images, "weight": weights}])
    parts = [{"image": images[i : i + 2], "weight": weights[i : i + 2]} for i in (0, 2, 4)]
    assert evaluate(model, parts) == pytest.approx(whole, rel=1e-4)
    assert set(whole) == {"psnr", "ssim", "psnr_salient", "usage", "perplexity"}
    assert "psnr_salient" not in evaluate(model, [{"image": images}])
