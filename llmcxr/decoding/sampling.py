"""Draw one word per row from scores. Every row has its own random stream, so its draw does not depend on its
neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmcxr.common.errors import UserError


@dataclass(frozen=True)
class Sampling:
    """temperature 0 takes the best word; top_k 0 and top_p 1 keep all words."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise UserError(f"temperature must be 0 (the best word) or more, got {self.temperature}")
        if self.top_k < 0:
            raise UserError(f"top-k must be 0 (all words) or more, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top-p must be above 0 and at most 1, got {self.top_p}")


GREEDY = Sampling(temperature=0.0)
LARGEST_SEED = 2**63 - 1


def check_seed(seed: int) -> int:
    """The seed, if a random stream can begin with it. Raises UserError."""
    if not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed must be between 0 and {LARGEST_SEED}, got {seed}")
    return int(seed)


class RowStreams:
    """One random generator a row, seeded by the row alone."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(check_seed(seed)) for seed in seeds]

    def uniform(self, width: int) -> Tensor:
        """(rows, width) in (0, 1)."""
        draws = torch.stack([torch.rand(width, generator=g) for g in self._generators])
        return draws.clamp_(min=torch.finfo(torch.float32).tiny)


def sample(logits: Tensor, sampling: Sampling, streams: RowStreams) -> Tensor:
    """logits (B, V) -> word indices (B,), by the Gumbel-max trick (Gumbel 1954; Maddison et al. 2014)."""
    logits = logits.float()
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = _keep_top(logits / sampling.temperature, sampling)
    gumbel = -torch.log(-torch.log(streams.uniform(logits.shape[-1])))
    return (logits + gumbel.to(logits.device)).argmax(-1)


def _keep_top(logits: Tensor, sampling: Sampling) -> Tensor:
    if 0 < sampling.top_k < logits.shape[-1]:
        threshold = logits.topk(sampling.top_k).values[:, -1:]
        logits = logits.masked_fill(logits < threshold, -torch.inf)
    if sampling.top_p < 1:
        ranked, order = logits.sort(descending=True)
        before = ranked.softmax(-1).cumsum(-1) - ranked.softmax(
            -1
        )  # mass of better words; the best always stays
        ranked = ranked.masked_fill(before >= sampling.top_p, -torch.inf)
        logits = torch.empty_like(logits).scatter_(-1, order, ranked)
    return logits
