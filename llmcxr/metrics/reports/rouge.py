"""Compute ROUGE-L (Lin 2004) from the longest run of words, gaps allowed, that both have in one order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llmcxr.metrics.reports.mean_metric import MeanMetric
from llmcxr.metrics.reports.tokens import tokenize


def rouge_l(reference: Sequence[str], candidate: Sequence[str]) -> float:
    """Return F1 of one report, given as tokens: 0..1, 0 where nothing is shared or a side is empty.

    Recall weighs as much as precision, as in the rouge_score package; the COCO tools weigh it 1.2 times.
    """
    common = longest_common_subsequence(reference, candidate)
    if not common:
        return 0.0
    precision, recall = common / len(candidate), common / len(reference)
    return 2 * precision * recall / (recall + precision)


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return its length, bit-parallel (Hyyrö 2004): an integer is a row of the usual table, a 0 a step."""
    places: dict[str, int] = {}
    for place, token in enumerate(first):
        places[token] = places.get(token, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        matched = row & places.get(token, 0)
        row = (row + matched | row - matched) & full
    return len(first) - row.bit_count()


def _compare(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
    pairs = zip(references, candidates, strict=True)
    return np.array([rouge_l(tokenize(reference), tokenize(candidate)) for reference, candidate in pairs])


ROUGE_L = MeanMetric("ROUGE-L", _compare)
