"""Quantize as taming-transformers: by the nearest vector of a plain codebook, learned by gradients.

For imported weights; for a training of one's own `vqgan.quantizers.vq` uses its codebook better. Legend: B
batch, D codebook_dim, h w latent grid, K codebook_size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from vqgan.errors import check_counts
from vqgan.quantizers.quantizer import (
    QuantizerOutput,
    check_channels,
    in_float32,
    nearest,
    straight_through,
)


@dataclass(frozen=True)
class TamingCodebookConfig:
    codebook_size: int = 1024  # n_embed
    codebook_dim: int = 256  # embed_dim
    beta: float = 0.25
    legacy_beta: bool = True  # beta weighs the codebook loss, not the commitment loss as in the paper

    def __post_init__(self) -> None:
        check_counts(self, ("codebook_size", "codebook_dim"))


class TamingQuantizer(nn.Module):
    """Is VQ-VAE's quantizer (van den Oord et al. 2017) as Esser et al. 2021 released it.

    Their code put beta before the codebook loss by mistake and kept it so for the weights trained that way.
    """

    statistics = ()

    def __init__(self, config: TamingCodebookConfig) -> None:
        super().__init__()
        self.config = config
        self.codebook_size = config.codebook_size
        self.codebook_dim = config.codebook_dim
        reach = 1 / config.codebook_size
        self.vectors = nn.Parameter(
            torch.empty(config.codebook_size, config.codebook_dim).uniform_(-reach, reach)
        )

    @in_float32
    def forward(self, latents: Tensor) -> QuantizerOutput:
        check_channels(latents, self.codebook_dim)
        codes = nearest(latents, self.vectors)  # (B, h, w)
        quantized = self.codes_to_quantized(codes)  # (B, D, h, w)
        commitment = (quantized.detach() - latents).square().mean()
        codebook = (quantized - latents.detach()).square().mean()
        if self.config.legacy_beta:
            loss = commitment + self.config.beta * codebook
        else:
            loss = self.config.beta * commitment + codebook
        return QuantizerOutput(straight_through(latents, quantized), codes, loss)

    def codes_to_quantized(self, codes: Tensor) -> Tensor:
        return rearrange(self.vectors[codes], "b h w d -> b d h w")

    def codebook(self) -> Tensor:
        return self.vectors.detach()
