"""Judge the reports that a system writes of phantoms against what is truly in them.

A finding counts as read when the labeler marks it present in the report. Side and zone are scored where the
finding is truly present and was read; `exact_f1` asks for presence, side and zone together. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmcxr.data.phantom.case import FINDINGS, PhantomCase
from llmcxr.labeler.rules import find_present, label, read_ratio
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.scores import agreement, detection, macro, share
from llmcxr.records import Label
from llmcxr.systems import System, gather


@dataclass(frozen=True)
class ReadReport:
    """Hold what one report says, as far as the labeler understands it."""

    present: frozenset[str]
    places: dict[str, tuple[str, str]]  # finding -> side, zone; "" where unsaid
    ratio: float | None
    is_empty: bool

    @classmethod
    def from_text(cls, text: str) -> ReadReport:
        labels = label(text)
        places = {name: (mention.side, mention.zone) for name, mention in find_present(text).items()}
        present = frozenset(name for name in FINDINGS if labels.get(name) is Label.PRESENT)
        return cls(present, places, read_ratio(text), not text.strip())


def evaluate_reading(system: System, dataset: Any, n: int, seed: int = 0, size: int = 128) -> dict:
    """Score the reports of the first `n` phantoms, see `score_reports`. Images are given at `size` px."""
    gathered = gather(system, dataset, n, seed, parts=("reports",), size=size)
    return score_reports([dataset.case(index) for index in gathered.indices], gathered.candidates)


def score_reports(cases: Sequence[PhantomCase], texts: Sequence[str]) -> dict:
    """Return f1, precision, recall, support, exact_f1 of findings; macro with 95% interval; places; ratio."""
    reports = [ReadReport.from_text(text) for text in texts]
    truth = np.array([[case.find(name) is not None for name in FINDINGS] for case in cases])  # (N, findings)
    read = np.array([[name in report.present for name in FINDINGS] for report in reports])  # (N, findings)
    sides, zones = _places(cases, reports)  # (N, findings) each
    exact = truth & read & (sides != 0) & (zones != 0)
    findings = {}
    for column, name in enumerate(FINDINGS):
        score = detection(truth[:, column], read[:, column])
        claims, hits = int(read[:, column].sum()), int(exact[:, column].sum())
        exact_f1 = 2 * hits / (score["support"] + claims) if score["support"] else None
        findings[name] = {**score, "exact_f1": exact_f1}
    patients = [f"{case.seed}-{case.index}" for case in cases]
    return {
        "n": len(cases),
        "findings": findings,
        "macro": {
            "f1": macro({name: score["f1"] for name, score in findings.items()}),
            "f1_interval": bootstrap(lambda rows: _macro_f1(truth[rows], read[rows]), patients),
            "exact_f1": macro({name: score["exact_f1"] for name, score in findings.items()}),
        },
        "sides": _score_places(sides),
        "zones": _score_places(zones),
        "all_findings_exact": share(((read == truth) & (exact == truth)).all(1)),
        "ratio": agreement(
            [case.cardiothoracic_ratio for case in cases], [report.ratio for report in reports]
        ),
        "empty_reports": sum(report.is_empty for report in reports),
    }


def _places(cases: Sequence[PhantomCase], reports: Sequence[ReadReport]) -> tuple[np.ndarray, np.ndarray]:
    """Return whether sides and zones are right, (N, findings) each: 1, 0, or NaN where none is to be read."""
    hits = np.full((2, len(cases), len(FINDINGS)), np.nan)
    for row, (case, report) in enumerate(zip(cases, reports, strict=True)):
        for finding in case.findings:
            if finding.name not in report.present:
                continue
            side = "" if finding.name == "edema" else finding.side  # always both, and reports need not say so
            named = report.places.get(finding.name, ("", ""))
            for hit, true, reported in zip(hits, (side, finding.zone), named, strict=True):
                if true:
                    hit[row, FINDINGS.index(finding.name)] = true == reported
    return hits[0], hits[1]


def _macro_f1(truth: np.ndarray, read: np.ndarray) -> float | None:
    hits, total = (truth & read).sum(0), truth.sum(0) + read.sum(0)
    known = truth.any(0)
    return float((2 * hits[known] / total[known]).mean()) if known.any() else None


def _score_places(hits: np.ndarray) -> dict[str, dict]:
    """Return the accuracy of the side or zone, over the findings present and read."""
    known = {name: column[~np.isnan(column)] for name, column in zip(FINDINGS, hits.T, strict=True)}
    return {
        name: {"accuracy": share(column), "support": len(column)}
        for name, column in known.items()
        if len(column)
    }
