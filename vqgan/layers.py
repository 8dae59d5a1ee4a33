"""The convolutional encoder and decoder and their blocks. Knows no codes and no losses.

Made for speed on a CPU: pixels are folded into channels at once (pixel unshuffle), nearly all arithmetic
happens at a quarter of the resolution or less, and one attention layer works on the latent grid only. Legend:
B batch, C channels, H W pixels, h w latent grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vqgan.errors import UserError

Stride = tuple[int, int]  # rows, columns


@dataclass(frozen=True)
class NetworkShape:
    """What an encoder and the decoder that mirrors it have in common.

    `strides` lead from the stem's resolution (`patch` pixels per position) to the latent grid;
    `channels` has one entry per level, so one more than `strides`.
    """

    patch: int
    channels: tuple[int, ...]
    strides: tuple[Stride, ...]
    level_blocks: int
    grid_blocks: int
    grid: tuple[int, int]
    num_heads: int
    codebook_dim: int
    refine_channels: int  # of the decoder alone


class ResidualBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), starting as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = _norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(residual)))


class GridAttention(nn.Module):
    """Self-attention over all cells of the latent grid, with a learned vector per cell, starting as the
    identity.
    """

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
        cells = rearrange(self.norm(x) + self.position, "b c h w -> b (h w) c")
        query, key, value = rearrange(
            self.query_key_value(cells),
            "b n (three heads c) -> three b heads n c",
            three=3,
            heads=self.num_heads,
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = self.output(rearrange(mixed, "b heads n c -> b n (heads c)"))
        return x + rearrange(mixed, "b (h w) c -> b c h w", h=x.shape[2])


class Upsample(nn.Module):
    """Sub-pixel upsampling (Shi et al. 2016) by a stride that may differ between rows and columns."""

    def __init__(self, channels_in: int, channels_out: int, stride: Stride, kernel_size: int = 1) -> None:
        super().__init__()
        self.stride = stride
        channels = channels_out * stride[0] * stride[1]
        self.conv = nn.Conv2d(channels_in, channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self.stride
        return rearrange(self.conv(x), "b (c r s) h w -> b c (h r) (w s)", r=rows, s=columns)


class Encoder(nn.Module):
    """Images (B, 1, H, W) in [0, 1] -> latents (B, D, h, w)."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        patch, channels = shape.patch, shape.channels
        self.unshuffle = nn.PixelUnshuffle(patch)
        layers: list[nn.Module] = [nn.Conv2d(patch * patch, channels[0], 3, padding=1)]
        for stride, narrow, wide in zip(shape.strides, channels[:-1], channels[1:], strict=True):
            layers += [ResidualBlock(narrow) for _ in range(shape.level_blocks)]
            layers.append(nn.Conv2d(narrow, wide, 3, stride=stride, padding=1))
        layers += _grid_layers(shape)
        layers += [_norm(channels[-1]), nn.SiLU(), nn.Conv2d(channels[-1], shape.codebook_dim, 1)]
        self.layers = nn.Sequential(*layers)

    @property
    def outer_layers(self) -> tuple[nn.Module, ...]:
        """The first and the last, which optimizers treat apart."""
        return self.layers[0], self.layers[-1]

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(self.unshuffle(2 * images - 1))


class Decoder(nn.Module):
    """Quantized latents (B, D, h, w) -> images (B, 1, H, W), about [0, 1] but not clipped: the encoder
    mirrored.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        patch, channels = shape.patch, shape.channels
        layers: list[nn.Module] = [nn.Conv2d(shape.codebook_dim, channels[-1], 1)]
        layers += _grid_layers(shape)
        for stride, narrow, wide in zip(shape.strides[::-1], channels[-2::-1], channels[:0:-1], strict=True):
            layers.append(Upsample(wide, narrow, stride))
            layers += [ResidualBlock(narrow) for _ in range(shape.level_blocks)]
        layers += [
            _norm(channels[0]),
            nn.SiLU(),
            Upsample(channels[0], shape.refine_channels, (patch, patch), 3),
        ]
        self.layers = nn.Sequential(*layers)
        self.refine = nn.Conv2d(shape.refine_channels, 1, 3, padding=1)

    @property
    def last_layer(self) -> nn.Parameter:
        """The weight at which adversarial and reconstruction gradients are compared."""
        return self.refine.weight

    @property
    def outer_layers(self) -> tuple[nn.Module, ...]:
        """The first and the last, which optimizers treat apart."""
        return self.layers[0], self.refine

    def forward(self, quantized: Tensor) -> Tensor:
        return (self.refine(F.silu(self.layers(quantized))) + 1) / 2


def _grid_layers(shape: NetworkShape) -> list[nn.Module]:
    """Residual blocks at the latent grid with the attention layer after the first."""
    channels = shape.channels[-1]
    layers: list[nn.Module] = [ResidualBlock(channels) for _ in range(shape.grid_blocks)]
    layers.insert(1, GridAttention(channels, shape.grid, shape.num_heads))
    return layers


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)
