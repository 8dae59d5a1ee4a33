import pytest
import torch
from torch import Tensor

from vqgan.training.augmentation import BORDER_LEVEL, AugmentationConfig, augment, blur


def batch_with_a_spot(row: int, column: int) -> dict[str, Tensor]:
    images = torch.zeros(4, 1, 33, 33)
    images[..., row, column] = 1
    return {"image": images, "weight": images.clone()}


def changed(images: Tensor, seed: int = 0, **settings: float) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return augment({"image": images}, AugmentationConfig(**settings), generator)["image"]


def smooth_images(count: int = 16, side: int = 64) -> Tensor:
    """(count, 1, side, side), a wide ramp with a fine wave on it, in 0.3..0.7."""
    places = torch.arange(side) / side
    row = 0.5 + 0.15 * (2 * places - 1) + 0.05 * torch.sin(2 * torch.pi * 16 * places)
    return row.expand(count, 1, side, side).clone()


def test_no_change_by_default() -> None:
    batch = batch_with_a_spot(10, 20)
    assert augment(batch, AugmentationConfig(), torch.Generator())["image"] is batch["image"]


def test_weights_move_with_the_images_and_only_a_little() -> None:
    config = AugmentationConfig(shift=0.1, zoom=0.1, rotation=5)
    batch = augment(batch_with_a_spot(16, 26), config, torch.Generator().manual_seed(0))
    torch.testing.assert_close(batch["image"], batch["weight"])
    columns = batch["image"].sum(2).argmax(-1)
    assert (columns > 16).all()  # never mirrored: what was on one side stays there
    assert len(columns.unique()) > 1


def test_gamma_changes_exposure_alone_and_chance_comes_from_the_generator() -> None:
    batch = {"image": torch.rand(3, 1, 8, 8), "weight": torch.rand(3, 1, 8, 8)}
    config = AugmentationConfig(gamma=0.2)
    once, again = (augment(batch, config, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(once["image"], again["image"]) and torch.equal(once["weight"], batch["weight"])
    exponent = once["image"].log() / batch["image"].log()
    torch.testing.assert_close(exponent.amin((1, 2, 3)), exponent.amax((1, 2, 3)), rtol=1e-3, atol=1e-3)
    assert exponent.min() > 1 / 1.21 and exponent.max() < 1.21


def test_position_and_gamma_draw_what_they_drew_before_the_other_changes_existed() -> None:
    """Four draws an image for the position, then one for gamma: runs of older configs resume as begun."""
    images = torch.rand(3, 1, 8, 8)
    before, generator = (torch.Generator().manual_seed(5) for _ in range(2))
    config = AugmentationConfig(shift=0.1, zoom=0.1, rotation=3, gamma=0.2)
    both = augment({"image": images}, config, generator)["image"]
    moved = changed(images, 5, shift=0.1, zoom=0.1, rotation=3)
    torch.rand(12, generator=before)
    exponent = (torch.log1p(torch.tensor(0.2)) * (2 * torch.rand(3, generator=before) - 1)).exp()
    assert torch.equal(both, moved.clamp(0, 1) ** exponent.reshape(3, 1, 1, 1))
    assert torch.equal(generator.get_state(), before.get_state())


@pytest.mark.parametrize("name", ["local_contrast", "sharpness", "contrast", "noise", "border"])
def test_each_change_differs_between_images_and_stays_in_range(name: str) -> None:
    images = smooth_images()
    images[:, :, :4] = torch.tensor([0.0, 1.0]).repeat(32)  # the limits too
    once, again = (changed(images, 2, **{name: 0.5}) for _ in range(2))
    assert torch.equal(once, again)
    assert once.dtype == torch.float32 and once.min() >= 0 and once.max() <= 1
    differs = (once != images).flatten(1).any(1)
    assert differs.all() or (name == "border" and differs.any())
    assert not torch.equal(once[0], once[1]) or not differs[0]


def test_blur_by_hand() -> None:
    """Along a row of zeros with a one in the middle: weights 1, e^-1/2, e^-2 over their sum."""
    images = torch.zeros(2, 1, 5, 5)
    images[..., 2] = 1
    near, far = 0.60653, 0.13534
    # An output pixel's weights reach only as far as the image: at its edge, one side of the Gaussian.
    middle, beside, edge = (
        1 + 2 * near + 2 * far,
        1 + 2 * near + far + 0.01111,
        1 + near + far + 0.01111 + 3e-4,
    )
    expected = torch.tensor([far / edge, near / beside, 1 / middle, near / beside, far / edge])
    blurred = blur(images, torch.tensor([1.0, 1e-3]))
    torch.testing.assert_close(blurred[0], expected.expand(1, 5, 5), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(blurred[1], images[1])


def test_sharpness_changes_the_detail_and_leaves_the_large_shapes() -> None:
    images = smooth_images()
    sharp = changed(images, sharpness=1)

    def strength(values: Tensor, wave: int) -> Tensor:  # along a row
        return torch.fft.rfft(values[:, 0, 32])[:, wave].abs()

    gain = strength(sharp - sharp.mean(), 16) / strength(images, 16)
    assert gain.min() > 0.48 and gain.max() < 2.1 and gain.min() < 0.95 and gain.max() > 1.25
    torch.testing.assert_close(sharp.mean((1, 2, 3)), images.mean((1, 2, 3)), rtol=0.01, atol=0)


def test_local_contrast_trades_large_shapes_for_detail_at_the_same_overall_contrast() -> None:
    images = smooth_images()
    local = changed(images, local_contrast=1)
    torch.testing.assert_close(local.std((1, 2, 3)), images.std((1, 2, 3)), rtol=0.02, atol=0)
    detail = (local[..., 31:36] - local[..., 29:34]).abs().mean((1, 2, 3))  # two pixels: half a wave
    before = (images[..., 31:36] - images[..., 29:34]).abs().mean((1, 2, 3))
    assert (detail / before).max() > 1.1 and (detail / before).min() < 0.98


def test_contrast_is_affine_about_the_mean() -> None:
    images = smooth_images()
    result = changed(images, contrast=0.3)
    gain = result.std((1, 2, 3)) / images.std((1, 2, 3))
    offset = result.mean((1, 2, 3)) - images.mean((1, 2, 3))
    assert gain.min() > 1 / 1.31 and gain.max() < 1.31 and gain.max() / gain.min() > 1.2
    assert offset.abs().max() < 0.1 and offset.max() > 0.03 and offset.min() < -0.03


def test_noise_has_a_level_for_each_image() -> None:
    level = (changed(smooth_images(), noise=0.1) - smooth_images()).std((1, 2, 3))
    assert level.max() < 0.102 and level.max() > 0.06 and level.min() < 0.04


def test_border_covers_only_the_sides_with_black_and_takes_the_weights_there() -> None:
    batch = {"image": torch.full((64, 1, 64, 64), 0.7), "weight": torch.ones(64, 1, 64, 64)}
    framed = augment(batch, AugmentationConfig(border=0.5), torch.Generator().manual_seed(0))
    is_framed = (framed["image"] != batch["image"]).flatten(1).any(1)
    assert 20 < is_framed.sum() < 44
    assert (
        framed["image"][..., 13:51, 13:51] == batch["image"][..., 13:51, 13:51]
    ).all()  # 15%, a bit turned
    covered = framed["weight"] == 0
    assert framed["image"][covered].max() <= BORDER_LEVEL
    assert (framed["image"][covered] == 0).float().mean() > 0.2
    assert torch.equal(framed["image"] == batch["image"], framed["weight"] == 1)


def test_a_probability_above_one_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"border is a probability between 0 and 1, got 1.5"):
        AugmentationConfig(border=1.5)


def test_half_of_the_images_are_blurred_and_keep_their_mean() -> None:
    images = smooth_images(64)
    blurred = changed(images, blur=2 / 64)
    fine = (blurred[..., 16:48] - blurred[..., 16:48].mean(-1, keepdim=True)).std((1, 2, 3))
    assert 16 < int((fine < 0.99 * fine.max()).sum()) < 48
    torch.testing.assert_close(blurred.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=0.02, rtol=0)


def test_brightness_adds_up_to_its_strength_to_the_whole_image() -> None:
    images = smooth_images(64)
    added = (changed(images, brightness=0.1) - images).flatten(1)
    assert (added.std(1) < 1e-6).all()
    assert added.abs().max() <= 0.1 and added.min() < -0.05 and added.max() > 0.05
