"""ROUGE-L (Lin 2004): the longest run of words, gaps allowed, that report and reference have in one order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from llmcxr.metrics.reports.mean_metric import MeanMetric
from llmcxr.metrics.reports.tokens import tokenize


def rouge_l_metric(beta: float = 1.0) -> MeanMetric:
    """The mean F over reports. `beta` weighs recall: 1 as in rouge_score, 1.2 as in the COCO tools."""
    name = "ROUGE-L" if beta == 1 else f"ROUGE-L (beta {beta:g})"
    return MeanMetric(name, partial(_compare, beta=beta))


def _compare(references: Sequence[str], candidates: Sequence[str], beta: float) -> np.ndarray:
    pairs = zip(references, candidates, strict=True)
    return np.array(
        [rouge_l(tokenize(reference), tokenize(candidate), beta) for reference, candidate in pairs]
    )


def rouge_l(reference: Sequence[str], candidate: Sequence[str], beta: float = 1.0) -> float:
    """F of one report, 0 where nothing is shared or a side is empty."""
    common = longest_common_subsequence(reference, candidate)
    if not common:
        return 0.0
    precision, recall = common / len(candidate), common / len(reference)
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Its length. Bit-parallel (Hyyrö 2004): a row of the usual table is an integer, a step in it a 0 bit."""
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        matched = row & places.get(token, 0)
        row = (row + matched | row - matched) & full
    return len(first) - row.bit_count()
