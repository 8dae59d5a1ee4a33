"""Define a quantizer: latents in, quantized latents, codes and a loss out. Knows no network and no pixels.

Legend: B batch, D codebook_dim, h w latent grid, K codebook_size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol

import torch
from einops import rearrange
from torch import Tensor


@dataclass
class QuantizerOutput:
    quantized: Tensor  # (B, D, h, w), gradients pass straight through to the latents
    codes: Tensor  # (B, h, w) int64 in 0..K-1
    loss: Tensor  # scalar to be added to the training loss; zero where the quantizer needs none


class Quantizer(Protocol):
    """Is a torch module with these members; each quantizer has a file of its own."""

    codebook_size: int
    codebook_dim: int
    statistics: tuple[str, ...]  # buffers that only a training needs, to be resumed

    def __call__(self, latents: Tensor) -> QuantizerOutput:
        """latents (B, D, h, w) -> their nearest codes."""
        ...

    def codes_to_quantized(self, codes: Tensor) -> Tensor:
        """Turn codes (B, h, w) into (B, D, h, w); the inverse of the codes that calling gives."""
        ...

    def codebook(self) -> Tensor:
        """Return the vector of each code, (K, D) float32; neighbours in it are similar in the image."""
        ...


def straight_through(latents: Tensor, quantized: Tensor) -> Tensor:
    """Return the quantized latents, with the gradient of the identity (Bengio et al. 2013)."""
    return latents + (quantized - latents).detach()


def nearest(latents: Tensor, vectors: Tensor) -> Tensor:
    """Return the codes (B, h, w) of the vectors (K, D) that are nearest to the latents (B, D, h, w)."""
    cells = rearrange(latents, "b d h w -> b h w d")  # (B, h, w, D)
    # |z - e|^2 = |z|^2 + |e|^2 - 2 z.e, and |z|^2 is the same for every code
    return (vectors.square().sum(1) - 2 * cells @ vectors.T).argmin(-1)


def check_channels(latents: Tensor, codebook_dim: int) -> None:
    if latents.ndim != 4 or latents.shape[1] != codebook_dim:
        raise ValueError(f"expected latents of shape (B, {codebook_dim}, h, w), got {tuple(latents.shape)}")


def in_float32(forward: Callable[[Any, Tensor], QuantizerOutput]) -> Callable[[Any, Tensor], QuantizerOutput]:
    """Compute distances in float32 also under autocast, which would give near codes at random."""

    @wraps(forward)
    def full(self: Any, latents: Tensor) -> QuantizerOutput:
        with torch.autocast(latents.device.type, enabled=False):
            return forward(self, latents.float())

    return full
