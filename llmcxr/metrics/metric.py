"""Define the one protocol of every metric: its name, its inputs, and from them a value with an interval.

A metric says what each study contributes (`rows`) and what a set of studies is worth (`value`). The interval
is drawn over patients and the test between two systems swaps patients, from the rows alone, so both are
written once for all metrics. Knows no text, no pixels and no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llmcxr.metrics.intervals import bootstrap


@dataclass(frozen=True)
class Inputs:
    """Hold what there is to judge, one row per study, in one order; None where there is none of it.

    Labels are (N, findings) int8 of `labeler.states.LABEL_STATES`, features (N, D) float, images (N, H, W)
    float in [0, 1].
    """

    patients: Sequence[str]
    references: Sequence[str] | None = None  # the true reports
    candidates: Sequence[str] | None = None  # the reports to judge
    findings: Sequence[str] = ()  # names of the columns of labels and probabilities
    reference_labels: np.ndarray | None = None  # of the true reports, or published with the images
    candidate_labels: np.ndarray | None = None  # of the reports to judge
    drawn_probabilities: np.ndarray | None = None  # (N, findings), of an independent classifier
    real_features: np.ndarray | None = None  # of the true images
    drawn_features: np.ndarray | None = None  # of the drawings to judge
    drawn_images: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name, values in vars(self).items():
            if name != "findings" and values is not None and len(values) != len(self.patients):
                raise ValueError(f"{len(values)} {name} for {len(self.patients)} studies")

    def have(self, names: Iterable[str]) -> bool:
        """Tell whether all of these inputs are there; studies have no questions, and questions no labels."""
        return all(vars(self).get(name) is not None for name in names)


class Metric(Protocol):
    """Scores studies; `value` is None where the rows leave it undefined (a class absent, too few studies)."""

    name: str  # as it stands in tables and JSON
    inputs: tuple[str, ...]  # the fields of Inputs that it needs
    resamples: int  # of the bootstrap; 0 where an interval would be too slow or means nothing

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return what each study contributes: (N, ...)."""
        ...

    def value(self, rows: np.ndarray) -> float | None: ...


@dataclass(frozen=True)
class Score:
    """Hold a value with its 95% interval over patients; `note` says why there is none or how to take it."""

    name: str
    value: float | None
    interval: tuple[float, float] | None = None
    n: int = 0
    note: str = ""


def score(metric: Metric, inputs: Inputs, seed: int = 0) -> Score:
    """Compute a metric with its interval. Raises ValueError naming the inputs that it needs and that lack."""
    if missing := [name for name in metric.inputs if not inputs.have([name])]:
        raise ValueError(f"{metric.name} needs {', '.join(missing)}")
    rows = metric.rows(inputs)
    value = metric.value(rows)
    if value is None:
        return Score(metric.name, None, n=len(rows), note="undefined for these studies")
    interval = None
    if metric.resamples:
        interval = bootstrap(
            lambda chosen: metric.value(rows[chosen]), inputs.patients, metric.resamples, seed=seed
        )
    return Score(metric.name, value, interval, len(rows))


def score_all(metrics: Iterable[Metric], inputs: Inputs, seed: int = 0) -> list[Score]:
    """Score those metrics whose inputs are there, in their order."""
    return [score(metric, inputs, seed) for metric in metrics if inputs.have(metric.inputs)]
