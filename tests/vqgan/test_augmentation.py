import torch

from vqgan.augmentation import AugmentationConfig, augment


def batch_with_a_spot(row: int, column: int) -> dict[str, torch.Tensor]:
    images = torch.zeros(4, 1, 33, 33)
    images[..., row, column] = 1
    return {"image": images, "weight": images.clone()}


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
