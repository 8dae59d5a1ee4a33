"""Compute what every evaluation is made of: precision, recall, F1, AUROC, correlation, error. Knows no text.

A score that cannot be computed (no positives, fewer than three pairs, no variation) is None, never 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def detection(truth: Sequence[bool], predicted: Sequence[bool]) -> dict[str, float | int | None]:
    """Return precision, recall and F1 of a yes/no finding; `support` counts the true ones."""
    true, claimed = np.asarray(truth, bool), np.asarray(predicted, bool)
    hits, support, claims = int((true & claimed).sum()), int(true.sum()), int(claimed.sum())
    return {
        "f1": 2 * hits / (support + claims) if support else None,
        "precision": hits / claims if claims else None,
        "recall": hits / support if support else None,
        "support": support,
    }


def auroc(wanted: np.ndarray, scores: np.ndarray) -> float | None:
    """Return the chance that a wanted one scores above another, a tie counting half; None of one class alone.

    `wanted` (N,) is 1, 0 or NaN (left out).
    """
    positive, negative = scores[wanted == 1], scores[wanted == 0]
    if not len(positive) or not len(negative):
        return None
    ordered = np.sort(negative)
    below, up_to = (np.searchsorted(ordered, positive, side) for side in ("left", "right"))
    return float((below + up_to).sum() / (2 * len(positive) * len(negative)))


def share(hits: Sequence[bool]) -> float | None:
    """Return the part that is true, or None of nothing."""
    return float(np.mean(hits)) if len(hits) else None


def macro(per_finding: Mapping[str, float | None]) -> float | None:
    """Average over the findings that have a score; None where none has."""
    known = [value for value in per_finding.values() if value is not None]
    return float(np.mean(known)) if known else None


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Pearson's r; None below three pairs or without variation (a spread below 1e-9 is rounding)."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    if len(a) < 3 or min(a.std(), b.std()) < 1e-9:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosine of each row of (N, D) and the same row of another (N, D): (N,), 0 beside zeros."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / np.where(lengths == 0, 1, lengths)


def agreement(
    truth: Sequence[float | None], measured: Sequence[float | None]
) -> dict[str, float | int | None]:
    """Return r, mean absolute error and bias (measured - true) over the pairs where both are known.

    `known` is the share of true values for which something was measured.
    """
    pairs = [(t, m) for t, m in zip(truth, measured, strict=True) if t is not None and m is not None]
    wanted = sum(t is not None for t in truth)
    first, second = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    return {
        "r": correlation(first, second),
        "mae": float(np.abs(second - first).mean()) if pairs else None,
        "bias": float((second - first).mean()) if pairs else None,
        "n": len(pairs),
        "known": len(pairs) / wanted if wanted else None,
    }
