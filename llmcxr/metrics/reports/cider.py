"""Compute CIDEr-D (Vedantam et al. 2015): shared n-grams weighed by how rare the references make them.

As in the COCO caption tools: orders 1 to 4, counts clipped to the reference's, a Gaussian on the difference
in length, times 10. How rare an n-gram is is counted once over the references of the set; the bootstrap keeps
those weights and resamples the scores of the reports.

A report that equals its reference scores 10, the most there is; as in those tools one of three words scores
7.5, for it has no run of four, and one whose words all references have 0. Only where all reports equal their
references does each score 10, so that a perfect set has a perfect score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp, log, sqrt

import numpy as np

from llmcxr.metrics.reports.mean_metric import MeanMetric
from llmcxr.metrics.reports.tokens import count_ngrams, tokenize

ORDERS = (1, 2, 3, 4)
SIGMA = 6.0  # tokens of difference in length, as published
SCALE = 10.0

Ngrams = Mapping[tuple[str, ...], int]


def cider_d(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
    """Return (N,) scores, 0 to 10; NaN where nothing is rare: all references are one text."""
    true = [_count(report) for report in references]
    written = [_count(report) for report in candidates]
    frequency = Counter(ngram for orders in true for ngrams in orders for ngram in ngrams)
    most = log(max(1, len(references)))
    # an n-gram that no reference has weighs as much as one that a single reference has
    weights = {ngram: most - log(count) for ngram, count in frequency.items()}
    if len(true) > 1 and true == written and all(orders[0] for orders in true):
        return np.full(len(true), SCALE)
    if not any(weights.values()):
        return np.full(len(true), np.nan)
    pairs = zip(true, written, strict=True)
    return np.array([_compare(reference, candidate, weights, most) for reference, candidate in pairs])


CIDER_D = MeanMetric("CIDEr-D", cider_d)


def _count(report: str) -> list[Ngrams]:
    tokens = tokenize(report)
    return [count_ngrams(tokens, order) for order in ORDERS]


def _compare(true: list[Ngrams], written: list[Ngrams], weights: Mapping, unseen: float) -> float:
    difference = sum(written[0].values()) - sum(true[0].values())
    length_penalty = exp(-(difference**2) / (2 * SIGMA**2))
    similarities = [_cosine(*pair, weights, unseen) for pair in zip(true, written, strict=True)]
    return SCALE * length_penalty * sum(similarities) / len(ORDERS)


def _cosine(true: Ngrams, written: Ngrams, weights: Mapping, unseen: float) -> float:
    """Compare weighted counts; in the product alone the report's are clipped to the reference's."""
    norms = [
        sqrt(sum((count * weights.get(ngram, unseen)) ** 2 for ngram, count in ngrams.items()))
        for ngrams in (true, written)
    ]
    shared = sum(
        min(count, true[ngram]) * true[ngram] * weights[ngram] ** 2
        for ngram, count in written.items()
        if ngram in true
    )
    return shared / (norms[0] * norms[1]) if shared else 0.0
