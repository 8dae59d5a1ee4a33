"""Define the encoder and the decoder of taming-transformers (Esser et al. 2021, arXiv 2012.09841) and of
LLM-CXR. Knows no checkpoints.

They compute the same as the originals with the same weights, and work on three channels: a radiograph goes in
as grey three times over, and the mean of what comes out is the radiograph. Legend: B batch, C channels, D
codebook_dim, H W pixels, h w latent grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vqgan.errors import UserError, check_counts
from vqgan.foreign.taming import winograd


@dataclass(frozen=True)
class TamingConfig:
    """Has as defaults those of the published f16 tokenizers; f8 is multipliers (1, 2, 2, 4)."""

    channels: int = 128  # at full resolution
    # of the channels, one per resolution; each halves the last
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    blocks: int = 2  # residual blocks per resolution of the encoder; the decoder has one more
    attention_sides: tuple[int, ...] = (16,)  # px: resolutions at which each block is followed by attention
    latent_channels: int = 256
    image_channels: int = 3

    def __post_init__(self) -> None:
        for name in ("multipliers", "attention_sides"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        check_counts(self, ("blocks", "latent_channels", "image_channels"), "taming.")
        if not self.multipliers or min(self.multipliers) < 1:
            raise UserError(f"taming.multipliers must be at least 1 each, got {self.multipliers}")
        if self.channels < 1 or self.channels % GROUPS:
            raise UserError(f"taming.channels must be a multiple of {GROUPS}, got {self.channels}")

    @property
    def cell(self) -> int:
        """Return the pixels per side of a cell of the latent grid."""
        return 2 ** (len(self.multipliers) - 1)

    def check_cells(self, height: int, width: int) -> None:
        if (height, width) != (self.cell, self.cell):
            raise UserError(
                f"taming.multipliers {self.multipliers} make cells of {self.cell} x {self.cell} px, but "
                f"cell_height is {height} and cell_width is {width}"
            )

    def level_channels(self) -> list[int]:
        """Return the channels of each resolution, from the image's to the latent grid's."""
        return [self.channels * multiplier for multiplier in self.multipliers]

    def has_attention(self, level: int, image_size: int) -> bool:
        return image_size // 2**level in self.attention_sides


GROUPS = 32  # of GroupNorm


class ResidualBlock(nn.Module):
    """Computes x + conv(silu(norm(conv(silu(norm(x)))))); x is convolved 1 x 1 where channels change."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm1 = _norm(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm2 = _norm(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.shortcut = (
            nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        residual = _convolve(self.conv1, F.silu(self.norm1(x), inplace=not self.training))
        residual = _convolve(self.conv2, F.silu(self.norm2(residual), inplace=not self.training))
        # in place where nothing is learned: a new 32 MiB tensor costs more in page faults than its sum
        return self.shortcut(x) + residual if torch.is_grad_enabled() else residual.add_(self.shortcut(x))


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    return winograd.convolve(x, conv.weight, conv.bias) if winograd.pays(x, conv) else conv(x)


class Attention(nn.Module):
    """Adds to x a self-attention of one head over all positions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.output = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        cells = rearrange(self.norm(x), "b c h w -> b (h w) c")
        query, key, value = (_per_cell(layer, cells) for layer in (self.query, self.key, self.value))
        mixed = _per_cell(self.output, F.scaled_dot_product_attention(query, key, value))
        return x + rearrange(mixed, "b (h w) c -> b c h w", h=x.shape[2])


def _per_cell(layer: nn.Conv2d, cells: Tensor) -> Tensor:
    """Compute a 1 x 1 convolution of cells (B, N, C), which is a matrix product and four times as fast as
    one.
    """
    return F.linear(cells, layer.weight.flatten(1), layer.bias)


class Level(nn.Module):
    """Runs the blocks at one resolution, each followed by attention where the resolution has it."""

    def __init__(self, channels_in: int, channels_out: int, blocks: int, has_attention: bool) -> None:
        super().__init__()
        widths = [channels_in, *[channels_out] * blocks]
        self.blocks = nn.ModuleList(ResidualBlock(narrow, wide) for narrow, wide in pairwise(widths))
        self.attention = nn.ModuleList(Attention(channels_out) for _ in range(blocks if has_attention else 0))

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.blocks):
            x = block(x)
            if self.attention:
                x = self.attention[index](x)
        return x


class Downsample(nn.Conv2d):
    """Halve the resolution; the padding is at the lower and right edges alone.

    Two pixels of padding all round put the same windows one place further on, and cost no padded copy of x.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, 1:, 1:]


class Upsample(nn.Conv2d):
    """Double the resolution by repetition, then smooth."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class TamingEncoder(nn.Module):
    """Maps images (B, 1, H, W) in [0, 1] -> latents (B, D, h, w)."""

    def __init__(self, config: TamingConfig, image_size: int, codebook_dim: int) -> None:
        super().__init__()
        self.image_channels = config.image_channels
        wide = config.level_channels()
        self.conv_in = nn.Conv2d(config.image_channels, config.channels, 3, padding=1)
        self.levels = nn.ModuleList()
        for level, (before, channels) in enumerate(zip([config.channels, *wide[:-1]], wide, strict=True)):
            part = Level(before, channels, config.blocks, config.has_attention(level, image_size))
            if level < len(wide) - 1:
                part.downsample = Downsample(channels)
            self.levels.append(part)
        self.middle = _middle(wide[-1])
        self.norm_out = _norm(wide[-1])
        self.conv_out = nn.Conv2d(wide[-1], config.latent_channels, 3, padding=1)
        self.to_codebook = nn.Conv2d(config.latent_channels, codebook_dim, 1)

    @property
    def outer_layers(self) -> tuple[nn.Module, ...]:
        return self.conv_in, self.to_codebook

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv_in((2 * images - 1).expand(-1, self.image_channels, -1, -1))
        for part in self.levels:
            x = part(x)
            if hasattr(part, "downsample"):
                x = part.downsample(x)
        return self.to_codebook(self.conv_out(F.silu(self.norm_out(self.middle(x)))))


class TamingDecoder(nn.Module):
    """Maps quantized latents (B, D, h, w) -> images (B, 1, H, W), about [0, 1] but not clipped."""

    def __init__(self, config: TamingConfig, image_size: int, codebook_dim: int) -> None:
        super().__init__()
        wide = config.level_channels()
        self.from_codebook = nn.Conv2d(codebook_dim, config.latent_channels, 1)
        self.conv_in = nn.Conv2d(config.latent_channels, wide[-1], 3, padding=1)
        self.middle = _middle(wide[-1])
        self.levels = nn.ModuleList()  # from the image's resolution to the latent grid's, as in the encoder
        for level, (channels, deeper) in enumerate(zip(wide, [*wide[1:], wide[-1]], strict=True)):
            part = Level(deeper, channels, config.blocks + 1, config.has_attention(level, image_size))
            if level > 0:
                part.upsample = Upsample(channels)
            self.levels.append(part)
        self.norm_out = _norm(wide[0])
        self.conv_out = nn.Conv2d(wide[0], config.image_channels, 3, padding=1)

    @property
    def last_layer(self) -> nn.Parameter:
        """Return the weight at which adversarial and reconstruction gradients are compared."""
        return self.conv_out.weight

    @property
    def outer_layers(self) -> tuple[nn.Module, ...]:
        return self.from_codebook, self.conv_out

    def forward(self, quantized: Tensor) -> Tensor:
        return (self.colours(quantized).mean(1, keepdim=True) + 1) / 2

    def colours(self, quantized: Tensor) -> Tensor:
        """Return (B, image_channels, H, W), about [-1, 1]: what the original gives."""
        x = self.middle(self.conv_in(self.from_codebook(quantized)))
        for part in reversed(self.levels):
            x = part(x)
            if hasattr(part, "upsample"):
                x = part.upsample(x)
        return self.conv_out(F.silu(self.norm_out(x)))


def _middle(channels: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(channels, channels), Attention(channels), ResidualBlock(channels, channels)
    )


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)
