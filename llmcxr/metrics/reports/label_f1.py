"""Compare the findings of two reports under two published ways of counting, which must not be mixed.

LLM-CXR (arXiv 2305.11490) counts a finding that is not mentioned as negative; what it does with "uncertain"
is not published, hence the flag. CXR-LLaVA (arXiv 2310.18341) counts only what both reports state definitely,
so what is left out costs nothing and its figures are far higher. Every metric's name carries its convention.
Findings are averaged as scikit-learn does.

N studies, F findings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmcxr.findings import CHEXPERT_5
from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.metric import Inputs
from llmcxr.records import Label

PRESENT, ABSENT, UNCERTAIN = (LABEL_STATES[state] for state in (Label.PRESENT, Label.ABSENT, Label.UNCERTAIN))
AVERAGES = ("micro", "macro", "weighted")
HIT, FALSE_ALARM, MISS, REJECTION = range(4)  # columns of the rows


@dataclass(frozen=True)
class OmissionNegative:
    """Counts as LLM-CXR: a finding not mentioned is absent; `uncertain` is "positive" or "negative"."""

    uncertain: str

    def __post_init__(self) -> None:
        if self.uncertain not in ("positive", "negative"):
            raise ValueError(f"uncertain must be positive or negative, got {self.uncertain!r}")

    @property
    def name(self) -> str:
        return f"omission negative, uncertain {self.uncertain}"

    def is_positive(self, labels: np.ndarray) -> np.ndarray:
        positive = labels == PRESENT
        return positive | (labels == UNCERTAIN) if self.uncertain == "positive" else positive

    def is_counted(self, reference: np.ndarray, candidate: np.ndarray) -> np.ndarray:
        return np.ones(reference.shape, bool)


@dataclass(frozen=True)
class BothDefinite:
    """Counts as CXR-LLaVA: only where both reports say present or absent. Read it beside its `Coverage`."""

    name: str = "both definite"

    def is_positive(self, labels: np.ndarray) -> np.ndarray:
        return labels == PRESENT

    def is_counted(self, reference: np.ndarray, candidate: np.ndarray) -> np.ndarray:
        return is_definite(reference) & is_definite(candidate)


Convention = OmissionNegative | BothDefinite


def is_definite(labels: np.ndarray) -> np.ndarray:
    return (labels == PRESENT) | (labels == ABSENT)


# Measures of (F, 4) counts of HIT, FALSE_ALARM, MISS and REJECTION: (F,), NaN where undefined.


def f1(counts: np.ndarray) -> np.ndarray:
    """Return F1, undefined where the reference has no positive."""
    hits, false_alarms, misses, _ = counts.T
    return _divide(2 * hits, np.where(hits + misses, 2 * hits + false_alarms + misses, 0))


def precision(counts: np.ndarray) -> np.ndarray:
    return _divide(counts[:, HIT], counts[:, HIT] + counts[:, FALSE_ALARM])


def recall(counts: np.ndarray) -> np.ndarray:
    return _divide(counts[:, HIT], counts[:, HIT] + counts[:, MISS])


def balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the mean of recall and specificity, which is what LLM-CXR prints as AUROC (no curve)."""
    specificity = _divide(counts[:, REJECTION], counts[:, REJECTION] + counts[:, FALSE_ALARM])
    return (recall(counts) + specificity) / 2


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "F1": f1,
    "precision": precision,
    "recall": recall,
    "balanced accuracy": balanced_accuracy,
}


@dataclass(frozen=True)
class LabelMetric:
    """Apply one of MEASURES under one convention, over `findings` as a whole, by one of AVERAGES.

    micro pools the counts of the findings; macro is the plain mean and weighted the mean by positive
    references, both over the findings that have a value: one that no reference shows is left out, where
    scikit-learn's default would give it 0.
    """

    measure: str
    convention: Convention
    findings: tuple[str, ...]
    scope: str  # what the findings are called in the name
    average: str = "micro"
    inputs: tuple[str, ...] = ("reference_labels", "candidate_labels")
    resamples: int = 500

    def __post_init__(self) -> None:
        if self.average not in AVERAGES or self.measure not in MEASURES:
            raise ValueError(
                f"expected one of {AVERAGES} and of {tuple(MEASURES)}, got {self.average!r}, {self.measure!r}"
            )

    @property
    def name(self) -> str:
        average = f"{self.average} " if len(self.findings) > 1 else ""
        return f"{average}{self.measure}, {self.scope} [{self.convention.name}]"

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N, F, 4) of 0 and 1: hit, false alarm, miss, rejection; all 0 where it does not count."""
        reference, candidate = choose_columns(inputs, self.findings)
        true, claimed = self.convention.is_positive(reference), self.convention.is_positive(candidate)
        cells = [true & claimed, ~true & claimed, true & ~claimed, ~true & ~claimed]
        cells = np.stack(cells, axis=-1)  # (N, F, 4)
        return (cells & self.convention.is_counted(reference, candidate)[..., None]).astype(np.int32)

    def value(self, rows: np.ndarray) -> float | None:
        counts = rows.sum(axis=0)  # (F, 4)
        if self.average == "micro":
            counts = counts.sum(axis=0, keepdims=True)
        values = MEASURES[self.measure](counts)
        weights = counts[:, HIT] + counts[:, MISS] if self.average == "weighted" else np.ones(len(values))
        weights = np.where(np.isnan(values), 0, weights)
        return float(np.nansum(values * weights) / weights.sum()) if weights.any() else None


@dataclass(frozen=True)
class Coverage:
    """Return the share of what the references state definitely on which the report is definite too."""

    findings: tuple[str, ...]
    scope: str
    inputs: tuple[str, ...] = ("reference_labels", "candidate_labels")
    resamples: int = 500

    @property
    def name(self) -> str:
        return f"coverage, {self.scope} [{BothDefinite().name}]"

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N, 2): how many findings both state definitely, and how many the reference does."""
        reference, candidate = choose_columns(inputs, self.findings)
        both = is_definite(reference) & is_definite(candidate)
        return np.stack([both.sum(1), is_definite(reference).sum(1)], axis=1)

    def value(self, rows: np.ndarray) -> float | None:
        both, wanted = rows.sum(axis=0)
        return float(both / wanted) if wanted else None


def choose_columns(inputs: Inputs, findings: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Select labels (N, F) of both sides. Raises ValueError naming the findings that are missing."""
    known = list(inputs.findings)
    if missing := [finding for finding in findings if finding not in known]:
        raise ValueError(
            f"no labels of {', '.join(missing)}; there are labels of {', '.join(known) or 'none'}"
        )
    columns = [known.index(finding) for finding in findings]
    return np.asarray(inputs.reference_labels)[:, columns], np.asarray(inputs.candidate_labels)[:, columns]


def label_metrics(findings: Sequence[str]) -> tuple[LabelMetric | Coverage, ...]:
    """List metrics of each finding, of all, and of CHEXPERT_5 where they are there, by every convention."""
    scopes = {finding: (finding,) for finding in findings} | _groups(findings)
    conventions = (OmissionNegative("positive"), OmissionNegative("negative"), BothDefinite())
    metrics: list[LabelMetric | Coverage] = []
    for convention in conventions:
        # a 0/1 "AUROC" is published under the first convention only
        is_omission = isinstance(convention, OmissionNegative)
        measures = [name for name in MEASURES if is_omission or name != "balanced accuracy"]
        for scope, chosen in scopes.items():
            averages = AVERAGES if len(chosen) > 1 else ("micro",)
            metrics += [
                LabelMetric(measure, convention, chosen, scope, average)
                for measure in measures
                for average in averages
            ]
            if not is_omission:
                metrics.append(Coverage(chosen, scope))
    return tuple(metrics)


def _groups(findings: Sequence[str]) -> dict[str, tuple[str, ...]]:
    five = tuple(finding for finding in findings if finding.lower() in CHEXPERT_5)
    published = {"CheXpert 5": five} if len(five) == len(CHEXPERT_5) else {}
    return published if len(five) == len(findings) else {f"all {len(findings)}": tuple(findings), **published}
