"""Random reports with shared words, words of one stem and empty ones, for comparison with other packages."""

from __future__ import annotations

import numpy as np

from llmcxr.metrics.metric import Inputs

_VOCABULARY = """
no effusion effusions is are seen heart size enlarged enlargement normal normally lungs lung clear opacity
opacities consolidation the of and mild mildly left right lower lobe pleural pneumothorax stable
"""
VOCABULARY = _VOCABULARY.split()


def make_inputs(num: int = 60, seed: int = 0) -> Inputs:
    """Each candidate is its reference with words dropped, replaced and swapped; two reports are empty."""
    rng = np.random.default_rng(seed)
    references, candidates = [], []
    for _ in range(num):
        reference = rng.choice(VOCABULARY, rng.integers(1, 30)).tolist()
        candidate = [
            str(rng.choice(VOCABULARY)) if rng.random() < 0.2 else word
            for word in reference
            if rng.random() < 0.8
        ]
        if rng.random() < 0.3:
            candidate = candidate[len(candidate) // 2 :] + candidate[: len(candidate) // 2]
        references.append(" ".join(reference))
        candidates.append(" ".join(candidate))
    candidates[1] = references[2] = ""
    return Inputs([f"p{i // 2}" for i in range(num)], references, candidates)


def one(reference: str, candidate: str) -> Inputs:
    return Inputs(["p"], [reference], [candidate])
