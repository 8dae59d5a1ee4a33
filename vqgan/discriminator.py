"""A patch discriminator and its losses: tells patches of real radiographs from reconstructed ones.

Legend: B batch, H W pixels, p q patches.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class DiscriminatorConfig:
    weight: float = 0.0  # of the adversarial loss; 0 means that no discriminator is built
    adaptive: bool = True  # scale the weight so that both gradients at the decoder's last layer are equal
    start_step: int = 10000  # the reconstruction must be good before details are judged
    channels: int = 32
    num_layers: int = 3  # each halves the resolution
    learning_rate: float = 1e-3


class PatchDiscriminator(nn.Module):
    """PatchGAN (Isola et al. 2017): images (B, 1, H, W) -> logits (B, 1, p, q), high where a patch looks
    real.
    """

    def __init__(self, channels: int = 32, num_layers: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for _ in range(num_layers - 1):
            layers += [
                nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1),
                nn.GroupNorm(8, 2 * channels),
                nn.LeakyReLU(0.2),
            ]
            channels *= 2
        layers.append(nn.Conv2d(channels, 1, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(2 * images - 1)


def hinge_loss(real_logits: Tensor, reconstructed_logits: Tensor) -> Tensor:
    """The discriminator's loss (Lim & Ye 2017): both kinds of patch should lie beyond a margin of 1."""
    return (F.relu(1 - real_logits).mean() + F.relu(1 + reconstructed_logits).mean()) / 2


def adversarial_loss(reconstructed_logits: Tensor) -> Tensor:
    """The tokenizer's loss: its patches should look real."""
    return -reconstructed_logits.mean()


def adaptive_weight(reconstruction_loss: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """The ratio of the two losses' gradient norms at the decoder's last layer, at most 1e4 (Esser et al.
    2021).
    """
    reconstruction_gradient = torch.autograd.grad(reconstruction_loss, last_layer, retain_graph=True)[0]
    adversarial_gradient = torch.autograd.grad(adversarial, last_layer, retain_graph=True)[0]
    ratio = reconstruction_gradient.norm() / (adversarial_gradient.norm() + 1e-4)
    return ratio.clamp(max=1e4).detach()
