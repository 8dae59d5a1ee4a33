"""METEOR (Banerjee and Lavie 2005; weights of Lavie and Agarwal 2007) with its exact and stem modules only.

The synonym module needs WordNet, which cannot be downloaded here, so the metric's name says what is left: it
is nltk's meteor_score with an empty WordNet. Figures made with the Java METEOR 1.5 (as in the COCO caption
tools) use other weights, synonyms and paraphrases and cannot be compared with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from llmcxr.metrics.reports.mean_metric import MeanMetric
from llmcxr.metrics.reports.porter import stem
from llmcxr.metrics.reports.tokens import tokenize

ALPHA = 0.9  # weight of recall against precision
BETA = 3.0  # how the penalty grows with the share of breaks
GAMMA = 0.5  # the most that breaks can cost

Words = list[tuple[int, str]]  # position and word


def meteor(reference: Sequence[str], candidate: Sequence[str]) -> float:
    """Of one report, 0 where no word is shared."""
    matches = sorted(align(reference, candidate))
    if not matches:
        return 0.0
    precision, recall = len(matches) / len(candidate), len(matches) / len(reference)
    mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
    breaks = sum(
        (second[0] - first[0], second[1] - first[1]) != (1, 1) for first, second in pairwise(matches)
    )
    return (1 - GAMMA * ((breaks + 1) / len(matches)) ** BETA) * mean


def align(reference: Sequence[str], candidate: Sequence[str]) -> list[tuple[int, int]]:
    """(position in the candidate, in the reference) of the words that match, first exactly, then by stem."""
    left, right = list(enumerate(candidate)), list(enumerate(reference))
    exact, left, right = _match(left, right)
    stemmed, _, _ = _match([(at, stem(word)) for at, word in left], [(at, stem(word)) for at, word in right])
    return exact + stemmed


def _match(left: Words, right: Words) -> tuple[list[tuple[int, int]], Words, Words]:
    """Pairs of equal words and what is left. From the end, each takes the last free equal, as in nltk."""
    free = defaultdict(list)
    for at, word in right:
        free[word].append(at)
    matches = [(at, free[word].pop()) for at, word in reversed(left) if free[word]]
    taken_left, taken_right = {pair[0] for pair in matches}, {pair[1] for pair in matches}
    return (
        matches,
        [pair for pair in left if pair[0] not in taken_left],
        [pair for pair in right if pair[0] not in taken_right],
    )


def _compare(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
    pairs = zip(references, candidates, strict=True)
    return np.array([meteor(tokenize(reference), tokenize(candidate)) for reference, candidate in pairs])


METEOR = MeanMetric("METEOR (exact, stem)", _compare)
