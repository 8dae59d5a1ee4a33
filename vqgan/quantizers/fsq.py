"""Quantize by finite scalars (Mentzer et al. 2023, arXiv 2309.15505): each latent channel is rounded to a few
levels.

The codebook is the product of the levels and is never learned, so no code can die and no loss is needed.
Against plain VQ with dead-code revival it was 1 dB better at equal time on phantoms (one seed).

Our own: the FSQ of vector-quantize-pytorch gives the same codes (see the test) and brings five packages.
Legend: B batch, D number of channels = len(levels), h w latent grid, K = product of levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from vqgan.errors import UserError
from vqgan.quantizers.quantizer import QuantizerOutput


def round_ste(values: Tensor) -> Tensor:
    """Round, with the gradient of the identity (straight-through)."""
    return values + (values.round() - values).detach()


@dataclass(frozen=True)
class FSQConfig:
    levels: tuple[int, ...] = (8, 5, 5, 5)  # values that each latent channel can take

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple(self.levels))
        if not self.levels or any(level < 2 for level in self.levels):
            raise UserError(f"each FSQ level must be at least 2, got levels {self.levels}")

    @property
    def codebook_size(self) -> int:
        return math.prod(self.levels)


class FSQ(nn.Module):
    """Rounds: channel d takes `levels[d]` evenly spaced values in [-1, 1].

    code = sum over d of digit[d] * product(levels[:d]), so the first channel varies fastest.
    """

    statistics = ()

    def __init__(self, config: FSQConfig) -> None:
        super().__init__()
        self.levels = levels = config.levels
        self.codebook_size = config.codebook_size
        self.codebook_dim = len(levels)
        level = torch.tensor(levels, dtype=torch.float32)
        self.register_buffer("_levels", level, persistent=False)
        self.register_buffer("_half_width", torch.floor(level / 2), persistent=False)
        basis = torch.tensor([math.prod(levels[:d]) for d in range(len(levels))])
        self.register_buffer("_basis", basis, persistent=False)

    def forward(self, latents: Tensor) -> QuantizerOutput:
        if latents.shape[1] != self.codebook_dim:
            raise ValueError(
                f"levels {self.levels} need {self.codebook_dim} channels, got {latents.shape[1]}"
            )
        latents = rearrange(latents.float(), "b d h w -> b h w d")  # (B, h, w, D)
        values = round_ste(self._bound(latents))  # integers around 0
        codes = ((values.detach() + self._half_width).long() * self._basis).sum(-1)  # (B, h, w)
        quantized = rearrange(values / self._half_width, "b h w d -> b d h w")  # (B, D, h, w)
        return QuantizerOutput(quantized, codes, latents.new_zeros(()))

    def _bound(self, latents: Tensor) -> Tensor:
        """Squash each channel so that rounding it gives exactly `levels` integers."""
        half_range = (self._levels - 1) * (1 + 1e-3) / 2  # (D,)
        offset = torch.where(self._levels % 2 == 0, 0.5, 0.0)  # an even number of levels has no middle
        shift = torch.atanh(offset / half_range)
        return torch.tanh(latents + shift) * half_range - offset

    def codes_to_quantized(self, codes: Tensor) -> Tensor:
        digits = codes.unsqueeze(-1) // self._basis % self._levels.long()  # (B, h, w, D)
        vectors = (digits - self._half_width) / self._half_width  # (B, h, w, D) in [-1, 1]
        return rearrange(vectors, "b h w d -> b d h w")

    def codebook(self) -> Tensor:
        codes = torch.arange(self.codebook_size, device=self._basis.device)  # (K,)
        return rearrange(self.codes_to_quantized(rearrange(codes, "k -> k 1 1")), "k d 1 1 -> k d")
