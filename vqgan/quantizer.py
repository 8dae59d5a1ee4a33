"""What every quantizer is: latents in, quantized latents, codes and a loss out. Knows no network and no
pixels.

Legend: B batch, D codebook_dim, h w latent grid, K codebook_size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass
class QuantizerOutput:
    quantized: Tensor  # (B, D, h, w), gradients pass straight through to the latents
    codes: Tensor  # (B, h, w) int64 in 0..K-1
    loss: Tensor  # scalar to be added to the training loss; zero where the quantizer needs none


class Quantizer(Protocol):
    """One file per quantizer; each is a torch module with these members."""

    codebook_size: int
    codebook_dim: int

    def __call__(self, latents: Tensor) -> QuantizerOutput:
        """latents (B, D, h, w) -> their nearest codes."""
        ...

    def codes_to_quantized(self, codes: Tensor) -> Tensor:
        """codes (B, h, w) -> (B, D, h, w); the inverse of the codes that calling gives."""
        ...

    def codebook(self) -> Tensor:
        """(K, D) float32: the vector of each code, so that neighbours in it are similar in the image."""
        ...
