"""Compute METEOR (Banerjee and Lavie 2005; weights of Lavie and Agarwal 2007), exact and stem modules only.

The synonym module needs WordNet, which is a download of its own, so the metric's name says what is left: it
is nltk's meteor_score with an empty WordNet, save for a report that equals its reference: that scores 1, as
in the program of METEOR's authors, where nltk still takes 0.5 / words**3 for the one run of words. Figures
made with the Java METEOR 1.5 (as in the COCO caption tools) use other weights, synonyms and paraphrases and
cannot be compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.metrics.reports.mean_metric import MeanMetric
from llmcxr.metrics.reports.tokens import tokenize

if TYPE_CHECKING:
    from nltk.stem.porter import PorterStemmer


class _NoSynonyms:
    """Stands in for nltk's WordNet reader, and knows no word."""

    def synsets(self, word: str) -> list:
        return []


class _Stemmer:
    """Stems as Porter (1980) with nltk's extensions, each word once: nltk's own takes most of the time."""

    @staticmethod
    @lru_cache(maxsize=100_000)
    def stem(word: str) -> str:
        return _porter().stem(word)


@cache
def _porter() -> PorterStemmer:
    from nltk.stem.porter import PorterStemmer  # seconds to import

    return PorterStemmer()


def meteor(reference: Sequence[str], candidate: Sequence[str]) -> float:
    """Score one report, given as tokens: 0..1, 0 where no word is shared."""
    if reference and list(reference) == list(candidate):
        return 1.0
    from nltk.translate.meteor_score import single_meteor_score

    return single_meteor_score(reference, candidate, stemmer=_Stemmer, wordnet=_NoSynonyms())


def _compare(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
    pairs = zip(references, candidates, strict=True)
    return np.array([meteor(tokenize(reference), tokenize(candidate)) for reference, candidate in pairs])


METEOR = MeanMetric("METEOR (exact, stem)", _compare)
