"""Compute the losses of a reconstruction, each a small function with its source. Knows no optimizer.

All take images (B, 1, H, W) in [0, 1] and return a scalar that is zero when reconstruction equals image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from vqgan.errors import UserError
from vqgan.foreign.lpips import LPIPS


@dataclass(frozen=True)
class LossConfig:
    """Holds the weights of the parts; 0 switches a part off."""

    contrast_weight: float = 25.0  # how much more a pixel counts per unit of local contrast
    contrast_cap: float = 0.35  # local contrast above this counts no more
    contrast_window: int = 9  # pixels, odd: side of the square of the local mean
    salience_weight: float = 10.0  # how much more a pixel counts where the dataset's weight map is 1
    pixel: float = 1.0
    gradient: float = 0.7
    texture: float = 0.5
    texture_window: int = 4  # pixels: side of the squares over which gradient magnitude is pooled
    feature: float = 0.0  # needs a feature network, like `clinical`
    clinical: float = 0.0  # 100 in LLM-CXR
    # plain, as in taming-transformers, whose images in [-1, 1] make a weight of 1 there 2 here
    l1: float = 0.0
    l2: float = 0.0
    lpips: float = 0.0  # needs the two files
    lpips_vgg: str = ""  # torchvision's VGG-16 state dict, vgg16-397923af.pth
    lpips_heads: str = ""  # lpips/weights/v0.1/vgg.pth of the lpips package

    def __post_init__(self) -> None:
        if bool(self.lpips) != bool(self.lpips_vgg and self.lpips_heads):
            raise UserError(
                f"losses.lpips is {self.lpips}, with lpips_vgg {self.lpips_vgg!r} and lpips_heads "
                f"{self.lpips_heads!r}: the loss needs both files, and they serve nothing else"
            )

    @property
    def needs_features(self) -> bool:
        return bool(self.feature or self.clinical)


class FeatureNetwork(Protocol):
    """Is any frozen module that gives features, for example a classifier of chest radiographs."""

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps, for `feature_loss`."""
        ...

    def embed(self, images: Tensor) -> Tensor:
        """Return (B, D) pooled features, for `clinical_loss`."""
        ...


def contrast_map(images: Tensor, config: LossConfig, salience: Tensor | None = None) -> Tensor:
    """Return what each pixel counts for, (B, 1, H, W) >= 1.

    Thin lines, rib edges and nodules fill few pixels, so a plain mean lets them vanish: in our trial the
    weight 1 + 25 * min(|x - local mean|, 0.35) is what brought ribs and lines back. `salience` (0..1) comes
    from the dataset.
    """
    pad = config.contrast_window // 2
    padded = F.pad(images, (pad, pad, pad, pad), mode="reflect")  # (B, 1, H + 2 pad, W + 2 pad)
    rows = F.avg_pool2d(padded, (config.contrast_window, 1), stride=1)  # a box filter, one axis at a time
    local_mean = F.avg_pool2d(rows, (1, config.contrast_window), stride=1)  # (B, 1, H, W)
    weights = 1 + config.contrast_weight * (images - local_mean).abs().clamp(max=config.contrast_cap)
    return weights if salience is None else weights + config.salience_weight * salience


def pixel_loss(reconstruction: Tensor, images: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of (|e| + 2 e^2) / 2."""
    error = (reconstruction - images).abs()
    return (weights * (error + 2 * error.square())).mean() / 2


def gradient_loss(reconstruction: Tensor, images: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean absolute difference of the first differences along rows and along columns
    (Mathieu et al. 2016).
    """
    down, right = differences(reconstruction - images)  # (B, 1, H-1, W), (B, 1, H, W-1)
    return ((weights[..., 1:, :] * down.abs()).mean() + (weights[..., 1:] * right.abs()).mean()) / 2


def texture_loss(reconstruction: Tensor, images: Tensor, window: int) -> Tensor:
    """Compare pooled gradient magnitudes (mean absolute difference): keeps fine contrast out of phase."""
    parts = zip(differences(reconstruction), differences(images), strict=True)
    return sum(
        (F.avg_pool2d(ours.abs(), window) - F.avg_pool2d(theirs.abs(), window)).abs().mean()
        for ours, theirs in parts
    )  # fmt: skip


def feature_loss(reconstruction: Tensor, images: Tensor, network: FeatureNetwork) -> Tensor:
    """Return the mean over layers of the mean squared feature difference, relative to the features' own mean
    square.

    After the clinical-feature loss of LLM-CXR (Lee et al. 2023) and Johnson et al. 2016. The network's
    parameters must be frozen; gradients flow through it to the reconstruction only.
    """
    with torch.no_grad():
        targets = network.features(images)
    ours = network.features(reconstruction)
    parts = [(a - b).square().mean() / (b.square().mean() + 1e-6) for a, b in zip(ours, targets, strict=True)]
    return torch.stack(parts).mean()


def clinical_loss(reconstruction: Tensor, images: Tensor, network: FeatureNetwork) -> Tensor:
    """Return the mean over images of the squared distance ||phi(x) - phi(x_hat)||^2 of their pooled features.

    The clinical information-preserving loss of LLM-CXR (Lee et al. 2023, arXiv 2305.11490), which weighs it
    100 with phi of a torchxrayvision DenseNet-121 (`foreign.densenet`). Judge with another network than phi.
    """
    with torch.no_grad():
        targets = network.embed(images)  # (B, D)
    return (network.embed(reconstruction) - targets).square().sum(1).mean()


def differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return first differences down the rows (B, 1, H-1, W) and along the columns (B, 1, H, W-1)."""
    return images[..., 1:, :] - images[..., :-1, :], images[..., 1:] - images[..., :-1]


def check_feature_network(config: LossConfig, network: FeatureNetwork | None) -> None:
    if config.needs_features and network is None:
        raise UserError(
            f"losses.feature is {config.feature} and losses.clinical is {config.clinical} but no feature "
            "network was given"
        )


def reconstruction_losses(
    reconstruction: Tensor,
    images: Tensor,
    config: LossConfig,
    salience: Tensor | None = None,
    feature_network: FeatureNetwork | None = None,
    perceptual: LPIPS | None = None,
) -> dict[str, Tensor]:
    """Return each switched-on part by name, already weighted: their sum is the reconstruction loss."""
    with torch.no_grad():
        weights = contrast_map(images, config, salience)
    losses = {}
    if config.pixel:
        losses["pixel"] = config.pixel * pixel_loss(reconstruction, images, weights)
    if config.gradient:
        losses["gradient"] = config.gradient * gradient_loss(reconstruction, images, weights)
    if config.texture:
        losses["texture"] = config.texture * texture_loss(reconstruction, images, config.texture_window)
    if config.l1:
        losses["l1"] = config.l1 * F.l1_loss(reconstruction, images)
    if config.l2:
        losses["l2"] = config.l2 * F.mse_loss(reconstruction, images)
    if config.lpips:
        losses["lpips"] = config.lpips * perceptual(reconstruction, images).mean()
    check_feature_network(config, feature_network)
    if config.feature:
        losses["feature"] = config.feature * feature_loss(reconstruction, images, feature_network)
    if config.clinical:
        losses["clinical"] = config.clinical * clinical_loss(reconstruction, images, feature_network)
    return losses
