import pytest
import torch

from vqgan.discriminator import PatchDiscriminator, adaptive_weight, adversarial_loss, hinge_loss


def test_hinge_loss_by_hand() -> None:
    # Real: max(0, 1 - 2) = 0, max(0, 1 - 0.5) = 0.5. Reconstructed: max(0, 1 - 3) = 0, max(0, 1 + 1) = 2.
    real, reconstructed = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert hinge_loss(real, reconstructed).item() == pytest.approx((0.25 + 1.0) / 2)


def test_adversarial_loss_by_hand() -> None:
    assert adversarial_loss(torch.tensor([-3.0, 1.0])).item() == 1


def test_adaptive_weight_balances_the_gradients_at_the_last_layer() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    strong, faint = 6 * weight[0], 0.5 * weight[1]
    assert adaptive_weight(strong, faint, weight).item() == pytest.approx(12, rel=1e-3)
    assert adaptive_weight(strong, 0 * weight[1], weight).item() == 1e4


def test_each_patch_is_judged() -> None:
    assert PatchDiscriminator(channels=8, num_layers=2)(torch.rand(2, 1, 32, 32)).shape == (2, 1, 8, 8)
