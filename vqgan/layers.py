"""Define our own convolutional encoder and decoder, architecture `cxr`, and their blocks. Knows no codes and
no losses.

They are made for speed on a CPU: pixels are folded into channels at once (pixel unshuffle), nearly all
arithmetic happens at a quarter of the resolution or less, and one attention layer works on the latent grid
only. Legend: B batch, C channels, H W pixels, h w latent grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vqgan.errors import UserError, check_counts

Stride = tuple[int, int]  # rows, columns


@dataclass(frozen=True)
class CXRConfig:
    """Chooses the sizes of the networks. Raises UserError where a setting is out of range."""

    patch: int = 4  # side of the square of pixels that the stem folds into channels
    stem_channels: int = 32  # channels at the stem's resolution; they grow geometrically to grid_channels
    grid_channels: int = 96
    level_blocks: int = 1  # residual blocks at each resolution above the grid's
    grid_blocks: int = 2
    num_heads: int = 4
    refine_channels: int = 4  # full-resolution channels before the decoder's last convolution

    def __post_init__(self) -> None:
        check_counts(self, ("patch", "grid_blocks", "refine_channels", "num_heads"))
        for name in ("stem_channels", "grid_channels"):
            if getattr(self, name) < 8 or getattr(self, name) % 8:
                raise UserError(f"{name} must be a multiple of 8, got {getattr(self, name)}")

    def check_cells(self, height: int, width: int) -> None:
        for name, cell in (("cell_height", height), ("cell_width", width)):
            ratio = cell / self.patch
            if ratio < 1 or not math.log2(ratio).is_integer():
                raise UserError(f"{name} {cell} must be patch {self.patch} times a power of two")

    def strides(self, cell: tuple[int, int]) -> list[Stride]:
        """Return the steps from the stem's resolution to the grid's, (2, 2), (1, 2) for cells 8 x 16 px."""
        rows, columns = (int(math.log2(side // self.patch)) for side in cell)
        return [(2 if step < rows else 1, 2 if step < columns else 1) for step in range(max(rows, columns))]

    def channels(self, num_strides: int) -> list[int]:
        """Return the channels of each level from stem to grid, multiples of 8, one more than strides."""
        if not num_strides:
            return [self.grid_channels]
        growth = (self.grid_channels / self.stem_channels) ** (1 / num_strides)
        return [8 * round(self.stem_channels * growth**level / 8) for level in range(num_strides + 1)]


class ResidualBlock(nn.Module):
    """Computes x + conv(silu(norm(conv(silu(norm(x)))))), starting as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = _norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv1(F.silu(self.norm1(x)))  # (B, C, H, W)
        return x + self.conv2(F.silu(self.norm2(residual)))


class GridAttention(nn.Module):
    """Attends over all cells of the latent grid, with a learned vector per cell, starting as the identity."""

    def __init__(self, channels: int, grid: tuple[int, int], num_heads: int) -> None:
        super().__init__()
        if channels % num_heads:
            raise UserError(f"{channels} channels cannot be split over {num_heads} attention heads")
        self.num_heads = num_heads
        self.norm = _norm(channels)
        self.position = nn.Parameter(0.02 * torch.randn(1, channels, *grid))
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.output = nn.Linear(channels, channels)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        cells = rearrange(self.norm(x) + self.position, "b c h w -> b (h w) c")  # (B, N, C), N = h*w
        query, key, value = rearrange(
            self.query_key_value(cells),
            "b n (three heads c) -> three b heads n c",
            three=3,
            heads=self.num_heads,
        )
        mixed = F.scaled_dot_product_attention(query, key, value)  # (B, heads, N, C / heads)
        mixed = self.output(rearrange(mixed, "b heads n c -> b n (heads c)"))  # (B, N, C)
        return x + rearrange(mixed, "b (h w) c -> b c h w", h=x.shape[2])  # (B, C, h, w)


class Upsample(nn.Module):
    """Upsamples by sub-pixels (Shi et al. 2016), by a stride that may differ between rows and columns."""

    def __init__(self, channels_in: int, channels_out: int, stride: Stride, kernel_size: int = 1) -> None:
        super().__init__()
        self.stride = stride
        channels = channels_out * stride[0] * stride[1]
        self.conv = nn.Conv2d(channels_in, channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.stride
        x = self.conv(x)  # (B, C * rows * columns, h, w)
        return rearrange(x, "b (c r s) h w -> b c (h r) (w s)", r=rows, s=columns)  # (B, C, h * rows, ...)


class Encoder(nn.Module):
    """Maps images (B, 1, H, W) in [0, 1] -> latents (B, D, h, w)."""

    def __init__(
        self, config: CXRConfig, grid: tuple[int, int], cell: tuple[int, int], codebook_dim: int
    ) -> None:
        """`grid` is rows and columns of codes, `cell` the height and width in pixels that each covers."""
        super().__init__()
        patch, strides = config.patch, config.strides(cell)
        channels = config.channels(len(strides))
        self.unshuffle = nn.PixelUnshuffle(patch)
        layers: list[nn.Module] = [nn.Conv2d(patch * patch, channels[0], 3, padding=1)]
        for stride, narrow, wide in zip(strides, channels[:-1], channels[1:], strict=True):
            layers += [ResidualBlock(narrow) for _ in range(config.level_blocks)]
            layers.append(nn.Conv2d(narrow, wide, 3, stride=stride, padding=1))
        layers += _grid_layers(config, grid)
        layers += [_norm(channels[-1]), nn.SiLU(), nn.Conv2d(channels[-1], codebook_dim, 1)]
        self.layers = nn.Sequential(*layers)

    @property
    def outer_layers(self) -> tuple[nn.Module, ...]:
        """Return the first and the last, which optimizers treat apart."""
        return self.layers[0], self.layers[-1]

    def forward(self, images: Tensor) -> Tensor:
        patches = self.unshuffle(2 * images - 1)  # (B, patch^2, H/patch, W/patch)
        return self.layers(patches)  # (B, D, h, w)


class Decoder(nn.Module):
    """Maps quantized latents (B, D, h, w) -> images (B, 1, H, W), about [0, 1] but not clipped: the encoder
    mirrored.
    """

    def __init__(
        self, config: CXRConfig, grid: tuple[int, int], cell: tuple[int, int], codebook_dim: int
    ) -> None:
        """`grid` and `cell` as for the encoder."""
        super().__init__()
        patch, strides = config.patch, config.strides(cell)
        channels = config.channels(len(strides))
        layers: list[nn.Module] = [nn.Conv2d(codebook_dim, channels[-1], 1)]
        layers += _grid_layers(config, grid)
        for stride, narrow, wide in zip(strides[::-1], channels[-2::-1], channels[:0:-1], strict=True):
            layers.append(Upsample(wide, narrow, stride))
            layers += [ResidualBlock(narrow) for _ in range(config.level_blocks)]
        layers += [
            _norm(channels[0]),
            nn.SiLU(),
            Upsample(channels[0], config.refine_channels, (patch, patch), 3),
        ]
        self.layers = nn.Sequential(*layers)
        self.refine = nn.Conv2d(config.refine_channels, 1, 3, padding=1)

    @property
    def last_layer(self) -> nn.Parameter:
        """Return the weight at which adversarial and reconstruction gradients are compared."""
        return self.refine.weight

    @property
    def outer_layers(self) -> tuple[nn.Module, ...]:
        """Return the first and the last, which optimizers treat apart."""
        return self.layers[0], self.refine

    def forward(self, quantized: Tensor) -> Tensor:
        x = self.layers(quantized)  # (B, refine_channels, H, W)
        return (self.refine(F.silu(x)) + 1) / 2  # (B, 1, H, W)


def _grid_layers(config: CXRConfig, grid: tuple[int, int]) -> list[nn.Module]:
    """Build the residual blocks at the latent grid with the attention layer after the first."""
    channels = config.grid_channels
    layers: list[nn.Module] = [ResidualBlock(channels) for _ in range(config.grid_blocks)]
    layers.insert(1, GridAttention(channels, grid, config.num_heads))
    return layers


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)
