"""Quantize by SimVQ (Zhu et al. 2024, arXiv 2411.02038): a frozen random codebook behind one learned linear
map.

Every step moves the map and with it all codes together, so none is left behind and dies. Legend: B batch, D
codebook_dim, h w latent grid, K codebook_size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from vqgan.errors import check_counts
from vqgan.quantizers.quantizer import (
    QuantizerOutput,
    check_channels,
    in_float32,
    nearest,
    straight_through,
)


@dataclass(frozen=True)
class SimVQConfig:
    codebook_size: int = 4096
    codebook_dim: int = 32
    commitment: float = 0.25  # weight of the latents' pull towards their codes

    def __post_init__(self) -> None:
        check_counts(self, ("codebook_size", "codebook_dim"))


class SimVQ(nn.Module):
    """Gives the code of the nearest vector of `projection(frozen)`.

    Our own in some twenty lines: the SimVQ of vector-quantize-pytorch computes the same (see the test) and
    brings five packages.
    """

    statistics = ()

    def __init__(self, config: SimVQConfig) -> None:
        super().__init__()
        self.config = config
        self.codebook_size = config.codebook_size
        self.codebook_dim = config.codebook_dim
        scale = config.codebook_dim**-0.5  # vectors of length about 1
        self.register_buffer("frozen", scale * torch.randn(config.codebook_size, config.codebook_dim))
        self.projection = nn.Linear(config.codebook_dim, config.codebook_dim, bias=False)

    @in_float32
    def forward(self, latents: Tensor) -> QuantizerOutput:
        check_channels(latents, self.codebook_dim)
        vectors = self.projection(self.frozen)  # (K, D)
        codes = nearest(latents, vectors.detach())  # (B, h, w)
        quantized = _look_up(codes, vectors)  # (B, D, h, w)
        codebook = (quantized - latents.detach()).square().mean()
        commitment = (quantized.detach() - latents).square().mean()
        loss = codebook + self.config.commitment * commitment
        return QuantizerOutput(straight_through(latents, quantized), codes, loss)

    def codes_to_quantized(self, codes: Tensor) -> Tensor:
        return _look_up(codes, self.projection(self.frozen))

    def codebook(self) -> Tensor:
        return self.projection(self.frozen).detach()


def _look_up(codes: Tensor, vectors: Tensor) -> Tensor:
    return rearrange(F.embedding(codes, vectors), "b h w d -> b d h w")
