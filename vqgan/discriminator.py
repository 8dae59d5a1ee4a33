"""Tell patches of real radiographs from reconstructed ones by a discriminator, and compute its losses.

Legend: B batch, H W pixels, p q patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqgan.errors import check_counts


@dataclass(frozen=True)
class DiscriminatorConfig:
    weight: float = 0.0  # of the adversarial loss; 0 means that no discriminator is built
    adaptive: bool = True  # scale the weight so that both gradients at the decoder's last layer are equal
    start_step: int = 10000  # the reconstruction must be good before details are judged
    channels: int = 32
    num_layers: int = 3  # each halves the resolution
    learning_rate: float = 1e-3
    scales: int = 1  # discriminators, each of which sees the image at half the resolution of the one before
    lecam: float = 0.0  # weight of the LeCAM regularizer; 0 switches it off
    lecam_decay: float = 0.99  # of its running means

    def __post_init__(self) -> None:
        check_counts(self, ("num_layers", "scales"), "discriminator.")


class PatchDiscriminator(nn.Module):
    """Is PatchGAN (Isola et al. 2017): images (B, 1, H, W) -> logits (B, 1, p, q), high where a patch looks
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
        return self.layers(2 * images - 1)  # (B, 1, p, q)


class MultiScaleDiscriminator(nn.ModuleList):
    """Runs a PatchDiscriminator per scale (Wang et al. 2018, arXiv 1711.11585): images (B, 1, H, W) -> the
    logits of each.

    The coarse ones see whether anatomy is whole, the fine ones whether its texture is right.
    """

    def __init__(self, channels: int = 32, num_layers: int = 3, scales: int = 1) -> None:
        super().__init__(PatchDiscriminator(channels, num_layers) for _ in range(scales))

    def forward(self, images: Tensor) -> list[Tensor]:
        logits = []
        for scale, discriminator in enumerate(self):
            if scale:
                images = F.avg_pool2d(images, 2)  # (B, 1, H / 2^scale, W / 2^scale)
            logits.append(discriminator(images))  # (B, 1, p, q), of p, q for that scale
        return logits


def hinge_loss(real_logits: Sequence[Tensor], reconstructed_logits: Sequence[Tensor]) -> Tensor:
    """Return the discriminator's loss (Lim & Ye 2017), its mean over scales: both kinds of patch should lie
    beyond a margin of 1.
    """
    parts = [
        (F.relu(1 - real).mean() + F.relu(1 + reconstructed).mean()) / 2
        for real, reconstructed in zip(real_logits, reconstructed_logits, strict=True)
    ]
    return torch.stack(parts).mean()


def adversarial_loss(reconstructed_logits: Sequence[Tensor]) -> Tensor:
    """Return the tokenizer's loss, its mean over scales: its patches should look real."""
    return torch.stack([-logits.mean() for logits in reconstructed_logits]).mean()


class LeCAM(nn.Module):
    """Regularizes the discriminator (Tseng et al. 2021, arXiv 2104.03310): logits of real patches should stay
    near the running mean of the reconstructed ones' and the other way round.

    It keeps the discriminator from running away where images are few.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("reconstructed", torch.zeros(()))

    def forward(self, real_logits: Sequence[Tensor], reconstructed_logits: Sequence[Tensor]) -> Tensor:
        """Update the running means by the batch, then return the loss, its mean over scales."""
        for mean, logits in ((self.real, real_logits), (self.reconstructed, reconstructed_logits)):
            of_batch = torch.stack([each.detach().float().mean() for each in logits]).mean()
            mean.lerp_(of_batch, 1 - self.decay)
        real_mean, reconstructed_mean = self.real.clone(), self.reconstructed.clone()
        parts = [
            F.relu(real - reconstructed_mean).square().mean()
            + F.relu(real_mean - reconstructed).square().mean()
            for real, reconstructed in zip(real_logits, reconstructed_logits, strict=True)
        ]
        return torch.stack(parts).mean()


def adaptive_weight(reconstruction_loss: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """Return the ratio of the two losses' gradient norms at the decoder's last layer, at most 1e4 (Esser et
    al. 2021).
    """
    reconstruction_gradient = torch.autograd.grad(reconstruction_loss, last_layer, retain_graph=True)[0]
    adversarial_gradient = torch.autograd.grad(adversarial, last_layer, retain_graph=True)[0]
    ratio = reconstruction_gradient.norm() / (adversarial_gradient.norm() + 1e-4)
    return ratio.clamp(max=1e4).detach()
