"""Test whether system A is better than B, by paired randomisation over patients. Knows no metric.

The test asks how often the difference of the two scores is as large when, patient by patient, it is left to
chance which system wrote what (Noreen 1989; Yeh 2000 for F-scores). It needs no normal distribution and works
for any metric, corpus-level ones included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.metric import Metric


@dataclass(frozen=True)
class Comparison:
    """Hold two scores, their `difference` A - B, and its two-sided `p`; None where a score is undefined."""

    name: str
    first: float | None
    second: float | None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None


def compare(
    metric: Metric,
    first: np.ndarray,
    second: np.ndarray,
    patients: Sequence[str],
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two systems by the metric's rows of each, for the same studies in one order."""
    if len(first) != len(second) or len(first) != len(patients):
        raise ValueError(f"{len(first)} and {len(second)} rows for {len(patients)} studies")
    a, b = metric.value(first), metric.value(second)
    if a is None or b is None:
        return Comparison(metric.name, a, b)

    def difference(one: np.ndarray, other: np.ndarray) -> float | None:
        left, right = metric.value(one), metric.value(other)
        return None if left is None or right is None else left - right

    _, owner = np.unique(np.asarray(patients), return_inverse=True)
    rng = np.random.default_rng(seed)
    as_large = tried = 0
    for _ in range(resamples):
        is_swapped = rng.random(owner.max() + 1)[owner] < 0.5
        is_swapped = is_swapped.reshape(-1, *[1] * (first.ndim - 1))
        by_chance = difference(np.where(is_swapped, second, first), np.where(is_swapped, first, second))
        if by_chance is not None:
            tried += 1
            as_large += abs(by_chance) >= abs(a - b) - 1e-12
    interval = bootstrap(lambda rows: difference(first[rows], second[rows]), patients, resamples, seed=seed)
    return Comparison(metric.name, a, b, a - b, interval, (as_large + 1) / (tried + 1))


def swap_patients(patients: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Return a permutation (N,) that gives every study the image of another patient.

    Raises UserError where one patient has more than half of the studies.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    largest = int(np.bincount(owner).max()) if len(owner) else 0
    if len(names) < 2 or 2 * largest > len(owner):
        raise UserError(
            f"expected no patient to have more than half of the {len(owner)} studies, found one with "
            f"{largest}; images cannot be swapped between patients: judge more patients"
        )
    shuffled = np.argsort(rng.permutation(len(names))[owner], kind="stable")  # patients in a random order
    order = np.empty(len(owner), int)
    order[shuffled] = np.roll(shuffled, largest)  # past the largest patient's run, so never one's own
    return order
