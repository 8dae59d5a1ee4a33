import pytest
import torch

from vqgan.losses import (
    LossConfig,
    clinical_loss,
    contrast_map,
    feature_loss,
    gradient_loss,
    pixel_loss,
    reconstruction_losses,
    texture_loss,
)


class Halving(torch.nn.Module):
    """A feature network whose single feature map is half the image, pooled to rows."""

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [images / 2]

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((1, 3)) / 2


def ramp(values: list[float]) -> torch.Tensor:
    """One row of pixels as an image (1, 1, 1, W)."""
    return torch.tensor(values).reshape(1, 1, 1, -1)


def test_every_part_is_zero_when_the_reconstruction_is_the_image() -> None:
    images = torch.rand(2, 1, 32, 32)
    config = LossConfig(feature=1.0)
    parts = reconstruction_losses(images, images, config, torch.rand_like(images), Halving())
    assert set(parts) == {"pixel", "gradient", "texture", "feature"}
    assert all(part == 0 for part in parts.values())


def test_pixel_loss_by_hand() -> None:
    # Error 0.5 weighing 3: 3 * (0.5 + 2 * 0.25) / 2 = 1.5; error 0: 0; mean 0.75.
    assert pixel_loss(ramp([0.5, 0.0]), ramp([0.0, 0.0]), ramp([3.0, 1.0])).item() == pytest.approx(0.75)


def test_gradient_loss_by_hand() -> None:
    reconstruction = torch.tensor(
        [[[[0.0, 1.0], [0.0, 1.0]]]]
    )  # steps of 1 along the columns, none down the rows
    images, weights = torch.zeros_like(reconstruction), torch.tensor([[[[9.0, 2.0], [9.0, 4.0]]]])
    assert gradient_loss(reconstruction, images, weights).item() == pytest.approx((0 + (2 + 4) / 2) / 2)


def test_texture_loss_forgives_a_shifted_pattern_and_not_a_lost_one() -> None:
    stripes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(9)[:33].reshape(1, 1, 1, 33).expand(1, 1, 33, 33)
    shifted, lost = stripes.roll(1, dims=3), torch.full_like(stripes, 0.5)
    assert texture_loss(shifted, stripes, 4) < 0.1 * texture_loss(lost, stripes, 4)
    assert texture_loss(lost, stripes, 4).item() == pytest.approx(0.5)  # half the columns are steps of 1


def test_contrast_map_by_hand() -> None:
    # A bright pixel on black: local mean 1/9 over 3 x 3, contrast 8/9 capped at 0.35; its neighbours 1/9.
    images = torch.zeros(1, 1, 7, 7)
    images[..., 3, 3] = 1
    config = LossConfig(contrast_weight=10, contrast_cap=0.35, contrast_window=3, salience_weight=2)
    weights = contrast_map(images, config)
    assert weights[0, 0, 3, 3].item() == pytest.approx(1 + 10 * 0.35)
    assert weights[0, 0, 2, 2].item() == pytest.approx(1 + 10 / 9, rel=1e-5)
    assert weights[0, 0, 0, 0].item() == pytest.approx(1)
    salient = contrast_map(images, config, torch.ones_like(images))
    torch.testing.assert_close(salient, weights + 2)


def test_feature_loss_is_relative() -> None:
    images = torch.ones(1, 1, 4, 4)
    assert feature_loss(1.5 * images, images, Halving()).item() == pytest.approx(0.25, rel=1e-4)


def test_plain_losses_by_hand() -> None:
    reconstruction, images = ramp([0.5, 0.0]), ramp([0.0, 0.1])
    plain = LossConfig(pixel=0, gradient=0, texture=0, contrast_window=1, l1=1.0, l2=1.0)
    losses = reconstruction_losses(reconstruction, images, plain)
    assert losses["l1"].item() == pytest.approx(0.3)
    assert losses["l2"].item() == pytest.approx(0.13)


def test_clinical_loss_is_a_sum_over_features_and_a_mean_over_images() -> None:
    # Rows off by 0.2 and 0.4 in one image: halved, 0.1^2 + 0.2^2; the other image is right.
    images = torch.zeros(2, 1, 2, 3)
    reconstruction = images.clone()
    reconstruction[0, 0, 0], reconstruction[0, 0, 1] = 0.2, 0.4
    reconstruction.requires_grad_()
    loss = clinical_loss(reconstruction, images, Halving())
    assert loss.item() == pytest.approx(0.05 / 2)
    loss.backward()
    assert reconstruction.grad[0].abs().min() > 0 and reconstruction.grad[1].abs().max() == 0


def test_every_weight_scales_its_part() -> None:
    torch.manual_seed(0)
    images, reconstruction = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)
    once = LossConfig(feature=1.0, clinical=1.0, l1=1.0, l2=1.0)
    twice = LossConfig(pixel=2, gradient=1.4, texture=1.0, feature=2.0, clinical=2.0, l1=2.0, l2=2.0)
    parts = [reconstruction_losses(reconstruction, images, each, None, Halving()) for each in (once, twice)]
    assert set(parts[0]) == {"pixel", "gradient", "texture", "feature", "clinical", "l1", "l2"}
    for name, part in parts[0].items():
        assert parts[1][name].item() == pytest.approx(2 * part.item(), rel=1e-5)


def test_lpips_and_its_files_go_together() -> None:
    with pytest.raises(ValueError, match=r"losses.lpips is 1.0, with lpips_vgg '' and lpips_heads ''"):
        LossConfig(lpips=1.0)
    with pytest.raises(ValueError, match="serve nothing else"):
        LossConfig(lpips_vgg="a.pth", lpips_heads="b.pth")


def test_parts_of_weight_zero_are_left_out_and_a_missing_network_is_said() -> None:
    images = torch.rand(1, 1, 16, 16)
    assert set(reconstruction_losses(images, images, LossConfig(gradient=0, texture=0))) == {"pixel"}
    with pytest.raises(ValueError, match="no feature network"):
        reconstruction_losses(images, images, LossConfig(feature=1.0))
