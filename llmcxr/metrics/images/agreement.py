"""Measure whether drawings show what was asked for, by an independent classifier's AUROC and F1.

The classifier must have taken part in no loss of the judged model, and its own scores on the real images are
the best that a drawing can be expected to reach: `baselines.frame` puts them beside. A finding that a request
does not mention counts as not asked for; one that it calls uncertain is left out.

N studies, F findings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.metric import Inputs
from llmcxr.metrics.scores import auroc, detection, macro
from llmcxr.records import Label

THRESHOLD = 0.5  # of the probability, for F1


@dataclass(frozen=True)
class LabelAgreement:
    """Apply `measure(wanted, probabilities)` to `finding`; for None average it over all that have a value."""

    name: str
    measure: Callable[[np.ndarray, np.ndarray], float | None]
    finding: str | None = None
    inputs: tuple[str, ...] = ("reference_labels", "drawn_probabilities")
    resamples: int = 500

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N, F, 2): `wanted_and_seen` of each finding. F is 1 for one finding."""
        rows = wanted_and_seen(inputs.reference_labels, inputs.drawn_probabilities)
        if self.finding is None:
            return rows
        column = list(inputs.findings).index(self.finding)
        return rows[:, column : column + 1]  # (N, 1, 2)

    def value(self, rows: np.ndarray) -> float | None:
        scores = [self.measure(*column.T) for column in rows.transpose(1, 0, 2)]  # each column (N, 2)
        return macro(dict(enumerate(scores)))


def agreement_metrics(findings: Sequence[str] = ()) -> list[LabelAgreement]:
    """List AUROC and F1, each as the mean over findings and of each of `findings`."""
    measures = {"auroc": auroc, "f1": f1}
    means = [LabelAgreement(f"label {name}", measure) for name, measure in measures.items()]
    return means + [
        LabelAgreement(f"label {name}: {finding}", measure, finding)
        for finding in findings
        for name, measure in measures.items()
    ]


def agreement_by_finding(labels: np.ndarray, probabilities: np.ndarray, findings: Sequence[str]) -> dict:
    """Return finding -> {auroc, f1, precision, recall, support (asked for), absent, uncertain, note}.

    `note` says why a score is None, and is empty where none is.
    """
    rows = wanted_and_seen(labels, probabilities)
    if rows.shape[1] != len(findings):
        raise ValueError(f"{rows.shape[1]} columns of labels for {len(findings)} findings")
    return {name: _describe(*rows[:, column].T) for column, name in enumerate(findings)}


def f1(wanted: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Return the F1 at THRESHOLD; None where the finding is never wanted. `wanted` is as for `auroc`."""
    known = ~np.isnan(wanted)
    return detection(wanted[known] == 1, probabilities[known] >= THRESHOLD)["f1"]


def wanted_and_seen(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Stack what was wanted (1, 0, NaN for uncertain) on the probability seen: (N, F, 2) of (N, F) each.

    `labels` are of `labeler.states.LABEL_STATES`. Raises ValueError for probabilities that are NaN or of
    another shape.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    if labels.shape != probabilities.shape:
        raise ValueError(f"labels {labels.shape} but probabilities {probabilities.shape}")
    if broken := int(np.isnan(probabilities).any(1).sum()):
        raise ValueError(f"{broken} of {len(probabilities)} drawings have NaN probabilities")
    wanted = (labels == LABEL_STATES[Label.PRESENT]).astype(np.float64)
    wanted[labels == LABEL_STATES[Label.UNCERTAIN]] = np.nan
    return np.stack([wanted, probabilities], axis=-1)  # (N, F, 2)


def _describe(wanted: np.ndarray, probabilities: np.ndarray) -> dict:
    known = ~np.isnan(wanted)
    support, absent = int((wanted == 1).sum()), int((wanted == 0).sum())
    note = ""
    if not support:
        note = "no request asks for it: AUROC, F1 and recall are undefined"
    elif not absent:
        note = "every request asks for it: AUROC is undefined"
    return {
        "auroc": auroc(wanted, probabilities),
        **detection(wanted[known] == 1, probabilities[known] >= THRESHOLD),
        "absent": absent,
        "uncertain": int((~known).sum()),
        "note": note,
    }
