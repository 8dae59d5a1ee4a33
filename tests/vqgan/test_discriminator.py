import pytest
import torch

from vqgan.discriminator import (
    DiscriminatorConfig,
    LeCAM,
    MultiScaleDiscriminator,
    PatchDiscriminator,
    adaptive_weight,
    adversarial_loss,
    hinge_loss,
)


def test_hinge_loss_by_hand() -> None:
    # Real: max(0, 1 - 2) = 0, max(0, 1 - 0.5) = 0.5. Reconstructed: max(0, 1 - 3) = 0, max(0, 1 + 1) = 2.
    real, reconstructed = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert hinge_loss([real], [reconstructed]).item() == pytest.approx((0.25 + 1.0) / 2)
    # a second scale at its goal, of any number of patches, halves the mean
    beyond = torch.full((9,), 3.0)
    assert hinge_loss([real, beyond], [reconstructed, -beyond]).item() == pytest.approx((0.25 + 1.0) / 4)


def test_adversarial_loss_by_hand() -> None:
    assert adversarial_loss([torch.tensor([-3.0, 1.0])]).item() == 1
    assert adversarial_loss([torch.tensor([-3.0, 1.0]), torch.tensor([4.0])]).item() == (1 - 4) / 2


def test_adaptive_weight_balances_the_gradients_at_the_last_layer() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    strong, faint = 6 * weight[0], 0.5 * weight[1]
    assert adaptive_weight(strong, faint, weight).item() == pytest.approx(12, rel=1e-3)
    assert adaptive_weight(strong, 0 * weight[1], weight).item() == 1e4


def test_each_patch_is_judged() -> None:
    assert PatchDiscriminator(channels=8, num_layers=2)(torch.rand(2, 1, 32, 32)).shape == (2, 1, 8, 8)


def test_every_scale_judges_the_image_at_half_the_resolution_of_the_one_before() -> None:
    discriminator = MultiScaleDiscriminator(channels=8, num_layers=2, scales=3)
    images = torch.rand(2, 1, 32, 32)
    logits = discriminator(images)
    assert [each.shape for each in logits] == [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 2, 2)]
    halved = images.unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean((3, 5))
    torch.testing.assert_close(logits[1], discriminator[1](halved))


def test_lecam_by_hand() -> None:
    # Means after the first batch, from 0 with a decay of one half: real 1, reconstructed -2. Real logits 1
    # and 3 are 3 and 5 above -2; reconstructed ones -3 and -5 are 4 and 6 below 1.
    lecam = LeCAM(decay=0.5)
    loss = lecam([torch.tensor([1.0, 3.0])], [torch.tensor([-3.0, -5.0])])
    assert (lecam.real.item(), lecam.reconstructed.item()) == (1, -2)
    assert loss.item() == pytest.approx((9 + 25) / 2 + (16 + 36) / 2)
    lecam([torch.tensor([1.0])], [torch.tensor([-2.0])])
    assert set(lecam.state_dict()) == {"real", "reconstructed"}  # kept, so that a run can be resumed


def test_lecam_pulls_the_logits_together() -> None:
    lecam, real = LeCAM(0.9), torch.tensor([2.0], requires_grad=True)
    reconstructed = torch.tensor([-2.0], requires_grad=True)
    lecam([real], [reconstructed]).backward()
    assert real.grad > 0 > reconstructed.grad


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"discriminator.scales must be at least 1, got 0"):
        DiscriminatorConfig(scales=0)
