"""Quantize by vectors of few dimensions on the unit sphere (Yu et al. 2022, arXiv 2110.04627).

Three things keep the codebook in use: few dimensions and unit length, a penalty on the codes' entropy, and
new vectors for codes that no latent takes any more. Legend: B batch, D codebook_dim, h w latent grid, K
codebook_size, N = B*h*w latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from vqgan.errors import UserError, check_counts
from vqgan.quantizers.quantizer import (
    QuantizerOutput,
    check_channels,
    in_float32,
    straight_through,
)

UPDATES = ("ema", "gradient")
SHORTEST = 1e-6  # a mean vector shorter than this has no direction to speak of


@dataclass(frozen=True)
class VQConfig:
    codebook_size: int = 1024
    codebook_dim: int = 8
    commitment: float = 0.25  # weight of the latents' pull towards their codes
    update: str = "ema"  # of the codebook: running means of the latents, or "gradient"
    ema_decay: float = 0.99
    entropy: float = 0.02  # weight of the entropy penalty; 0 switches it off
    temperature: float = 0.1  # of the soft assignments in the penalty, on cosines
    revive_after: int = 200  # training steps without a latent before a code gets a new vector; 0 is never

    def __post_init__(self) -> None:
        check_counts(self, ("codebook_size", "codebook_dim"))
        if self.update not in UPDATES:
            raise UserError(f"vq.update must be one of {', '.join(UPDATES)}, got {self.update!r}")
        if not 0 <= self.ema_decay < 1:
            raise UserError(f"vq.ema_decay must be from 0 to below 1, got {self.ema_decay}")
        if self.temperature <= 0:
            raise UserError(f"vq.temperature must be above 0, got {self.temperature}")


class VQ(nn.Module):
    """Gives the code of the vector with the largest cosine to the latent; both have unit length.

    Our own: VectorQuantize of vector-quantize-pytorch gives the same codes (see the test), but draws new
    vectors for dead codes from torch's global generator, so that they hang on whatever else used it, and
    brings five packages. Here chance comes from the count of training steps.
    """

    statistics = ("means", "idle", "steps")

    def __init__(self, config: VQConfig) -> None:
        super().__init__()
        self.config = config
        self.codebook_size = config.codebook_size
        self.codebook_dim = config.codebook_dim
        vectors = F.normalize(torch.randn(config.codebook_size, config.codebook_dim), dim=1)
        if config.update == "ema":
            self.register_buffer("vectors", vectors)
        else:
            self.vectors = nn.Parameter(vectors)
        self.register_buffer("means", vectors.clone(), persistent=False)  # running sums of the codes' latents
        self.register_buffer("idle", torch.zeros(config.codebook_size, dtype=torch.long), persistent=False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long), persistent=False)

    @in_float32
    def forward(self, latents: Tensor) -> QuantizerOutput:
        check_channels(latents, self.codebook_dim)
        latents = F.normalize(latents, dim=1)  # (B, D, h, w), unit length along D
        cells = rearrange(latents, "b d h w -> b h w d")  # (B, h, w, D)
        is_learning = self.training and torch.is_grad_enabled()  # so that encoding images teaches nothing
        if is_learning and self.config.revive_after:
            self._revive(cells.detach().flatten(0, 2))  # before the codebook is looked up and has a gradient
        cosines = cells @ self.codebook().T  # (B, h, w, K)
        codes = cosines.argmax(-1)  # (B, h, w)
        quantized = self.codes_to_quantized(codes)  # (B, D, h, w)
        loss = self.config.commitment * (quantized.detach() - latents).square().mean()
        if self.config.update == "gradient":
            loss = loss + (quantized - latents.detach()).square().mean()
        if is_learning and self.config.entropy:
            vectors = F.normalize(self.vectors, dim=1)  # with its gradient, if the codebook has one
            loss = loss + self.config.entropy * entropy_penalty(cells @ vectors.T / self.config.temperature)
        if is_learning:
            self._update(cells.detach().flatten(0, 2), codes.flatten())
        return QuantizerOutput(straight_through(latents, quantized), codes, loss)

    def codes_to_quantized(self, codes: Tensor) -> Tensor:
        return rearrange(F.normalize(F.embedding(codes, self.vectors), dim=-1), "b h w d -> b d h w")

    def codebook(self) -> Tensor:
        return F.normalize(self.vectors.detach(), dim=1)

    @torch.no_grad()
    def _update(self, cells: Tensor, codes: Tensor) -> None:
        """Move the codebook by the latents (N, D) and their codes (N,) of one training step."""
        counts = torch.bincount(codes, minlength=self.codebook_size)  # (K,)
        sums = torch.zeros_like(self.means).index_add_(0, codes, cells)  # (K, D)
        for total in (counts, sums):
            _add_up_over_processes(total)
        if self.config.update == "ema":
            self.means.lerp_(sums, 1 - self.config.ema_decay)
            length = self.means.norm(dim=1, keepdim=True)  # (K, 1)
            self.vectors.copy_(torch.where(length > SHORTEST, self.means / length, self.vectors))
        self.idle.add_(1).masked_fill_(counts > 0, 0)
        self.steps += 1

    @torch.no_grad()
    def _revive(self, cells: Tensor) -> None:
        """Put codes that no latent took for long where latents (N, D) of this step are, no latent twice."""
        dead = (self.idle >= self.config.revive_after).nonzero().flatten()[: len(cells)]
        if not len(dead):
            return
        order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(int(self.steps)))
        chosen = cells[order[: len(dead)].to(cells.device)]  # (dead codes, D)
        _copy_from_first_process(chosen)
        self.vectors[dead] = chosen
        self.means[dead] = chosen
        self.idle[dead] = 0


def entropy_penalty(logits: Tensor) -> Tensor:
    """Return the mean entropy of the latents' soft assignments less the entropy of their mean (Yu et al.
    2023, arXiv 2310.05737), in nats.

    logits (..., K). Least where each latent is sure of its code and all codes are used alike.
    """
    logarithms = logits.log_softmax(-1).flatten(0, -2)  # (N, K)
    shares = logarithms.exp()
    of_each = -(shares * logarithms).sum(-1).mean()
    mean = shares.mean(0)  # (K,)
    return of_each + (mean * mean.clamp(min=1e-12).log()).sum()


def _add_up_over_processes(values: Tensor) -> None:
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(values)


def _copy_from_first_process(values: Tensor) -> None:
    if distributed.is_available() and distributed.is_initialized():
        distributed.broadcast(values, 0)
