"""Small random changes of exposure and position that keep laterality: never a flip. Knows no datasets.

Legend: B batch, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class AugmentationConfig:
    """Each is the largest change; 0 is none. All zero leaves the images untouched."""

    shift: float = 0.0  # of the image's side
    zoom: float = 0.0  # 0.1: between 0.9 and 1.1 times
    rotation: float = 0.0  # degrees
    gamma: float = 0.0  # 0.2: exponent between 1/1.2 and 1.2

    @property
    def moves(self) -> bool:
        return bool(self.shift or self.zoom or self.rotation)


def augment(
    batch: dict[str, Tensor], config: AugmentationConfig, generator: torch.Generator
) -> dict[str, Tensor]:
    """Change the images (B, 1, H, W) in [0, 1] and move their weight maps with them."""
    if config.moves:
        images = batch["image"]
        grid = F.affine_grid(
            _random_affine(len(images), config, generator), list(images.shape), align_corners=False
        )
        batch = {
            name: F.grid_sample(values, grid, padding_mode="border", align_corners=False)
            for name, values in batch.items()
        }
    if config.gamma:
        batch = batch | {
            "image": batch["image"].clamp(0, 1) ** _random_gamma(len(batch["image"]), config, generator)
        }
    return batch


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    """(count,) in -1..1."""
    return 2 * torch.rand(count, generator=generator) - 1


def _random_affine(count: int, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """(count, 2, 3) from output to input coordinates, in halves of the image's side as affine_grid wants."""
    angle = torch.deg2rad(config.rotation * _uniform(count, generator))
    zoom = 1 + config.zoom * _uniform(count, generator)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    right, down = (2 * config.shift * _uniform(count, generator) for _ in range(2))
    return torch.stack([cosine, -sine, right, sine, cosine, down], dim=1).reshape(count, 2, 3)


def _random_gamma(count: int, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    exponent = torch.log1p(torch.tensor(config.gamma)) * _uniform(count, generator)
    return exponent.exp().reshape(count, 1, 1, 1)
