import math

import pytest
import torch

from tests.vqgan.test_model import build
from vqgan.metrics import code_statistics, evaluate, psnr, ssim


def test_psnr_by_hand() -> None:
    images = torch.zeros(2, 1, 8, 8)
    reconstruction = torch.stack([torch.full((1, 8, 8), 0.1), torch.full((1, 8, 8), 0.01)])
    assert psnr(reconstruction, images).tolist() == pytest.approx([20, 40], abs=1e-3)


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
