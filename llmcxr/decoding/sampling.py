"""Draw one token per row from scores. Every row has its own random stream, so its draw does not depend on its
neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llmcxr.decoding.settings import Sampling, check_seed


class RowStreams:
    """Keeps one random generator for each row, seeded by the row alone."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(check_seed(seed)) for seed in seeds]

    def uniform(self, width: int) -> Tensor:
        """Draw uniformly in (0, 1), (B, width)."""
        draws = torch.stack([torch.rand(width, generator=g) for g in self._generators])  # (B, width)
        return draws.clamp_(min=torch.finfo(torch.float32).tiny)


def sample(logits: Tensor, sampling: Sampling, streams: RowStreams) -> Tensor:
    """Sample token indices (B,) from logits (B, V) by the Gumbel-max trick (Gumbel 1954; Maddison 2014)."""
    logits = logits.float()
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits = _keep_top(logits / sampling.temperature, sampling)
    gumbel = -torch.log(-torch.log(streams.uniform(logits.shape[-1])))  # (B, V)
    return (logits + gumbel.to(logits.device)).argmax(-1)


def _keep_top(logits: Tensor, sampling: Sampling) -> Tensor:
    if 0 < sampling.top_k < logits.shape[-1]:
        threshold = logits.topk(sampling.top_k).values[:, -1:]  # (B, 1), the k-th best
        logits = logits.masked_fill(logits < threshold, -torch.inf)
    if sampling.top_p < 1:
        ranked, order = logits.sort(descending=True)
        probabilities = ranked.softmax(-1)  # (B, V)
        before = probabilities.cumsum(-1) - probabilities  # mass of better tokens; the best always stays
        ranked = ranked.masked_fill(before >= sampling.top_p, -torch.inf)
        logits = torch.empty_like(logits).scatter_(-1, order, ranked)
    return logits
