"""Small random changes of exposure, sharpness, noise and place that leave a radiograph's findings as they
are.

Never mirrors: left and right are meanings. Works on batches of tensors; knows no datasets.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vqgan.training import augmentation as placing


@dataclass(frozen=True)
class AugmentationConfig:
    """Largest strengths; each image draws its own uniformly below them. Zero switches a change off."""

    gamma: float = 0.25  # exponent between exp(-gamma) and exp(gamma)
    contrast: float = 0.2  # factor between 1 - contrast and 1 + contrast, about the mean
    brightness: float = 0.06
    noise: float = 0.03  # standard deviation, in grey levels of 0..1
    blur: float = 0.8  # pixels, standard deviation; half of all batches are blurred
    shift: int = 4  # pixels, up, down, left, right; edges are repeated
    zoom: float = 0.0  # 0.1: between 0.9 and 1.1 times
    rotation: float = 0.0  # degrees


def augment(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """(B, 1, H, W) float in [0, 1] -> the same shape and range. All chance comes from `generator` (CPU)."""

    def uniform(low: float, high: float) -> Tensor:
        draw = torch.rand(len(images), 1, 1, 1, generator=generator)
        return (low + (high - low) * draw).to(images)

    images = _shifted(images, config.shift, generator)
    if config.zoom or config.rotation:
        turning = placing.AugmentationConfig(zoom=config.zoom, rotation=config.rotation)
        images = placing.augment({"image": images}, turning, generator)["image"]
    if config.blur and torch.rand((), generator=generator) < 0.5:
        images = _blurred(images, config.blur * float(torch.rand((), generator=generator)))
    images = images.clamp(1e-4, 1) ** torch.exp(uniform(-config.gamma, config.gamma))
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * uniform(1 - config.contrast, 1 + config.contrast)
    images = images + uniform(-config.brightness, config.brightness)
    noise = torch.randn(images.shape, generator=generator).to(images)
    return (images + noise * uniform(0, config.noise)).clamp(0, 1)


def _shifted(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    if not most:
        return images
    height, width = images.shape[-2:]
    padded = F.pad(images, (most,) * 4, mode="replicate")
    offsets = torch.randint(0, 2 * most + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack(
        [
            image[:, top : top + height, left : left + width]
            for image, (top, left) in zip(padded, offsets, strict=True)
        ]
    )


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Gaussian of `sigma` pixels, separably, 7 taps (enough below 1.5 px)."""
    taps = torch.arange(-3, 4, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (taps / max(sigma, 0.05)) ** 2)
    kernel = kernel / kernel.sum()
    rows = F.conv2d(F.pad(images, (0, 0, 3, 3), mode="replicate"), kernel.view(1, 1, 7, 1))
    return F.conv2d(F.pad(rows, (3, 3, 0, 0), mode="replicate"), kernel.view(1, 1, 1, 7))
