"""Change exposure, processing and position of images a little, by chance; laterality stays: never a flip.
Knows no datasets.

The radiographs of one hospital come from few machines; contrast, local contrast, sharpness, noise and border
make them look like other hospitals'.

Legend: B batch, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vqgan.errors import UserError

SHARPNESS_SIGMAS = 1 / 256, 8 / 256  # of the image's side: fine lines to rib edges
LOCAL_CONTRAST_SIGMAS = 16 / 256, 48 / 256  # the size of a lung field's parts
BORDER_WIDTH = 0.15  # of the image's side, the widest
BORDER_ROTATION = 3.0  # degrees, the largest
BORDER_LEVEL = 0.08  # the brightest border, in grey levels of 0..1


@dataclass(frozen=True)
class AugmentationConfig:
    """Holds for each change the largest; 0 is none. All zero leaves the images untouched, and a change that
    is zero leaves the chance of the others as it would be without it.
    """

    shift: float = 0.0  # of the image's side
    zoom: float = 0.0  # 0.1: between 0.9 and 1.1 times
    rotation: float = 0.0  # degrees
    gamma: float = 0.0  # 0.2: exponent between 1/1.2 and 1.2
    local_contrast: float = 0.0  # 1: what is in large shapes from 0.5 to 2 times as strong
    sharpness: float = 0.0  # 1: fine detail from 0.5 to 2 times as strong
    blur: float = 0.0  # standard deviation, of the image's side; half of the images are not blurred
    contrast: float = 0.0  # 0.3: about the mean, from 1/1.3 to 1.3 times; and up to 0.1 darker or brighter
    brightness: float = 0.0  # so much darker or brighter still, in grey levels of 0..1
    noise: float = 0.0  # standard deviation, in grey levels of 0..1
    border: float = 0.0  # probability of a black frame or collimator edge

    def __post_init__(self) -> None:
        if not 0 <= self.border <= 1:
            raise UserError(f"border is a probability between 0 and 1, got {self.border}")

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
    batch = batch | {"image": _expose(batch["image"], config, generator)}
    if config.border:
        inside, level = _random_border(batch["image"].shape, config.border, generator)
        batch = {name: values * inside for name, values in batch.items()}
        batch["image"] = batch["image"] + level * (1 - inside)
    return batch


def _expose(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Change the images as another exposure and machine would: gamma first, noise last."""
    count = len(images)
    if config.gamma:
        images = images.clamp(0, 1) ** _random_factor(count, config.gamma, generator)
    if config.local_contrast:
        images = _change_local_contrast(images, config.local_contrast, generator)
    if config.sharpness:
        blurred = blur(images, _random_sigma(images, SHARPNESS_SIGMAS, generator))
        gain = _random_factor(count, config.sharpness, generator)
        images = (blurred + gain * (images - blurred)).clamp(0, 1)
    if config.blur:
        sigma = config.blur * max(images.shape[-2:]) * _uniform(count, generator).clamp(min=0.001)
        images = blur(images, sigma)
    if config.contrast:
        mean = images.mean((1, 2, 3), keepdim=True)
        gain = _random_factor(count, config.contrast, generator)
        offset = config.contrast / 3 * _uniform(count, generator).reshape(count, 1, 1, 1)
        images = (mean + gain * (images - mean) + offset).clamp(0, 1)
    if config.brightness:
        offset = config.brightness * _uniform(count, generator).reshape(count, 1, 1, 1)
        images = (images + offset).clamp(0, 1)
    if config.noise:
        level = config.noise * torch.rand(count, 1, 1, 1, generator=generator)
        images = (images + level * torch.randn(images.shape, generator=generator)).clamp(0, 1)
    return images


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur (B, 1, H, W) by a Gaussian of `sigma` (B,) pixels each; what is beyond an edge has no weight.

    A product with a matrix a side: any sigma costs the same, and at 256 px less than a convolution.
    """
    down, right = (_blur_matrix(side, sigma) for side in images.shape[-2:])
    return (down @ images[:, 0] @ right.mT)[:, None]


def _blur_matrix(side: int, sigma: Tensor) -> Tensor:
    """Return (B, side, side), the weights of each output pixel in a row."""
    pixels = torch.arange(side, dtype=sigma.dtype)
    weights = torch.exp(-0.5 * ((pixels[:, None] - pixels) / sigma[:, None, None]).square())
    return weights / weights.sum(-1, keepdim=True)


def _change_local_contrast(images: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Weaken or strengthen what is large, then give the image the overall contrast it had, as machines do."""
    large = blur(images, _random_sigma(images, LOCAL_CONTRAST_SIGMAS, generator))
    mean = images.mean((1, 2, 3), keepdim=True)
    factor = 1 / _random_factor(len(images), most, generator)
    changed = images - mean + (factor - 1) * (large - mean)
    stretch = images.std((1, 2, 3), keepdim=True) / changed.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
    return (mean + stretch * changed).clamp(0, 1)


def _random_border(
    shape: torch.Size, probability: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return how much of each pixel is inside the frame (B, 1, H, W), and the border's grey level (B, 1, 1,
    1).
    """
    count, _, height, width = shape
    is_framed = torch.rand(count, generator=generator) < probability
    # A third of the sides have no border of their own, and half of the borders are quite black.
    widths = 2 * BORDER_WIDTH * (1.5 * torch.rand(count, 4, 1, 1, generator=generator) - 0.5).clamp(min=0)
    level = BORDER_LEVEL * _uniform(count, generator).clamp(min=0)
    angle = torch.deg2rad(BORDER_ROTATION * _uniform(count, generator) ** 3)  # most are nearly straight
    sine, cosine = angle.sin().reshape(count, 1, 1), angle.cos().reshape(count, 1, 1)
    down, right = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    across, along = cosine * right + sine * down, cosine * down - sine * right  # (B, H, W)
    depth = 1 - widths + torch.stack([across, -across, along, -along], dim=1)  # inwards from each side
    inside = (depth.amin(1, keepdim=True) * min(height, width) / 2 + 1).clamp(0, 1)  # an edge of one pixel
    return torch.where(is_framed.reshape(count, 1, 1, 1), inside, 1.0), level.reshape(count, 1, 1, 1)


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    """Draw (count,) in -1..1."""
    return 2 * torch.rand(count, generator=generator) - 1


def _random_affine(count: int, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Draw (count, 2, 3), from output to input coordinates in halves of the side, as affine_grid wants."""
    angle = torch.deg2rad(config.rotation * _uniform(count, generator))
    zoom = 1 + config.zoom * _uniform(count, generator)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    right, down = (2 * config.shift * _uniform(count, generator) for _ in range(2))
    return torch.stack([cosine, -sine, right, sine, cosine, down], dim=1).reshape(count, 2, 3)


def _random_factor(count: int, most: float, generator: torch.Generator) -> Tensor:
    """Draw (count, 1, 1, 1) between 1 / (1 + most) and 1 + most, as often below 1 as above."""
    exponent = torch.log1p(torch.tensor(most)) * _uniform(count, generator)
    return exponent.exp().reshape(count, 1, 1, 1)


def _random_sigma(images: Tensor, of_side: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Draw (B,) pixels between two shares of the image's side, as often small as large in ratio."""
    low, high = (torch.tensor(share * max(images.shape[-2:])).log() for share in of_side)
    return (low + (high - low) * torch.rand(len(images), generator=generator)).exp()
