"""Make a function that scores each report a metric, worth their mean. Knows no words and no findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmcxr.metrics.metric import Inputs


@dataclass(frozen=True)
class MeanMetric:
    """Average `compare(references, candidates)`: N reports each, (N,) scores, NaN where undefined."""

    name: str
    compare: Callable[[Sequence[str], Sequence[str]], np.ndarray]
    inputs: tuple[str, ...] = ("references", "candidates")
    resamples: int = 500

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N,): the score of each report."""
        return np.asarray(self.compare(inputs.references, inputs.candidates), float)

    def value(self, rows: np.ndarray) -> float | None:
        """Return the mean; None of no reports, or where the score of any is undefined."""
        mean = rows.mean() if len(rows) else np.nan
        return float(mean) if np.isfinite(mean) else None
