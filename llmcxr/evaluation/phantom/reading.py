"""Judge the reports that a system writes of phantoms against what is truly in them.

A finding counts as read when the labeler marks it present in the report. Side and zone are scored where the
finding is truly present and was read; `exact_f1` asks for presence, side and zone together. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmcxr.data.phantom.case import FINDINGS, DrawnFinding, PhantomCase
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

    def names_exactly(self, finding: DrawnFinding) -> bool:
        """Tell whether it is present, with the side and zone that the finding has."""
        if finding.name not in self.present:
            return False
        side, zone = self.places.get(finding.name, ("", ""))
        return (not _side(finding) or side == _side(finding)) and (not finding.zone or zone == finding.zone)


def evaluate_reading(system: System, dataset: Any, n: int, seed: int = 0, size: int = 128) -> dict:
    """Score the reports of the first `n` phantoms, see `score_reports`. Images are given at `size` px."""
    cases = [dataset.case(index) for index in range(n)]
    return score_reports(cases, gather(system, dataset, n, seed, parts=("reports",), size=size).candidates)


def score_reports(cases: Sequence[PhantomCase], texts: Sequence[str]) -> dict:
    """Return f1, precision, recall, support, exact_f1 of findings; macro with 95% interval; places; ratio."""
    reports = [ReadReport.from_text(text) for text in texts]
    findings = {name: _score_finding(name, cases, reports) for name in FINDINGS}
    patients = [f"{case.seed}-{case.index}" for case in cases]
    truth, said = _presence(cases, reports)
    return {
        "n": len(cases),
        "findings": findings,
        "macro": {
            "f1": macro({name: score["f1"] for name, score in findings.items()}),
            "f1_interval": bootstrap(lambda rows: _macro_f1(truth[rows], said[rows]), patients),
            "exact_f1": macro({name: score["exact_f1"] for name, score in findings.items()}),
        },
        "sides": _score_places(cases, reports, "side"),
        "zones": _score_places(cases, reports, "zone"),
        "all_findings_exact": share(_wholly_right(cases, reports)),
        "ratio": agreement(
            [case.cardiothoracic_ratio for case in cases], [report.ratio for report in reports]
        ),
        "empty_reports": sum(report.is_empty for report in reports),
    }


def _side(finding: DrawnFinding) -> str:
    """Return the side to be named: edema is always on both sides and reports need not say so."""
    return "" if finding.name == "edema" else finding.side


def _presence(cases: Sequence[PhantomCase], reports: Sequence[ReadReport]) -> tuple[np.ndarray, np.ndarray]:
    """Return true and read presence, both (N, findings) bool."""
    truth = np.array([[case.find(name) is not None for name in FINDINGS] for case in cases])
    return truth, np.array([[name in report.present for name in FINDINGS] for report in reports])


def _macro_f1(truth: np.ndarray, said: np.ndarray) -> float | None:
    hits, total = (truth & said).sum(0), truth.sum(0) + said.sum(0)
    known = truth.any(0)
    return float((2 * hits[known] / total[known]).mean()) if known.any() else None


def _score_finding(name: str, cases: Sequence[PhantomCase], reports: Sequence[ReadReport]) -> dict:
    found = [case.find(name) for case in cases]
    said = [name in report.present for report in reports]
    score = detection([finding is not None for finding in found], said)
    exact = [
        finding is not None and report.names_exactly(finding)
        for finding, report in zip(found, reports, strict=True)
    ]
    claims = sum(said)
    support = score["support"]
    return {**score, "exact_f1": 2 * sum(exact) / (support + claims) if support else None}


def _score_places(cases: Sequence[PhantomCase], reports: Sequence[ReadReport], what: str) -> dict[str, dict]:
    """Return the accuracy of the side or zone, over the findings present and read."""
    column = ("side", "zone").index(what)
    scores = {}
    for name in FINDINGS:
        hits = []
        for case, report in zip(cases, reports, strict=True):
            finding = case.find(name)
            true = "" if finding is None else (_side(finding), finding.zone)[column]
            if true and name in report.present:
                hits.append(report.places.get(name, ("", ""))[column] == true)
        if hits:
            scores[name] = {"accuracy": share(hits), "support": len(hits)}
    return scores


def _wholly_right(cases: Sequence[PhantomCase], reports: Sequence[ReadReport]) -> list[bool]:
    return [
        report.present == {finding.name for finding in case.findings}
        and all(report.names_exactly(finding) for finding in case.findings)
        for case, report in zip(cases, reports, strict=True)
    ]
