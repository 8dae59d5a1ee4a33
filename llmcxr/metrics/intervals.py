"""Compute bootstrap confidence intervals over patients: how far a score would move with other patients.

It says nothing of other training seeds or other hospitals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def bootstrap(
    statistic: Callable[[np.ndarray], float | None],
    patients: Sequence[str],
    resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the percentile interval of `statistic(rows)`, rows being indices of studies, by whole patients.

    `patients[i]` is the patient of study i. None if the statistic is undefined in most resamples.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    rows_of = [np.flatnonzero(owner == patient) for patient in range(len(names))]
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(names), len(names))
        value = statistic(np.concatenate([rows_of[patient] for patient in drawn]))
        if value is not None:
            values.append(value)
    if len(values) < resamples / 2:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
