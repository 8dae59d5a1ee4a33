import torch

from llmcxr.training.augmentation import AugmentationConfig, augment


def test_same_generator_same_result_and_range_kept():
    images = torch.rand(6, 1, 32, 32)
    first, again = (augment(images, AugmentationConfig(), torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == images.shape
    assert 0 <= first.min() <= first.max() <= 1


def test_all_switched_off_changes_nothing():
    images = torch.rand(2, 1, 16, 16).clamp(1e-3)
    still = AugmentationConfig(gamma=0, contrast=0, brightness=0, noise=0, blur=0, shift=0)
    torch.testing.assert_close(augment(images, still, torch.Generator()), images)


def test_a_mark_moves_by_the_shift_at_most_and_is_never_mirrored():
    images = torch.zeros(8, 1, 32, 32)
    images[:, :, 16, 6] = 1
    only_shift = AugmentationConfig(gamma=0, contrast=0, brightness=0, noise=0, blur=0, shift=3)
    moved = augment(images, only_shift, torch.Generator().manual_seed(0))
    columns = moved.amax(dim=(1, 2)).argmax(dim=1)
    assert ((columns - 6).abs() <= 3).all()
    assert len(columns.unique()) > 1


def test_a_turned_and_zoomed_mark_stays_near_and_is_never_mirrored():
    images = torch.zeros(8, 1, 32, 32)
    images[:, :, 14:18, 4:8] = 1
    turning = AugmentationConfig(
        gamma=0, contrast=0, brightness=0, noise=0, blur=0, shift=0, zoom=0.1, rotation=10
    )
    turned = augment(images, turning, torch.Generator().manual_seed(0))
    columns = (turned.sum(2) * torch.arange(32)).sum(2)[:, 0] / turned.sum((1, 2, 3))
    assert ((columns - 5.5).abs() <= 1.5).all()  # a tenth of the ten pixels from the centre, and the turn
    assert len(columns.unique()) == 8
