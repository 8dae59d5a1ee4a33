"""Judge the radiographs that a system draws for requests, by a classifier and by geometry from the pixels.

What is requested is what the labeler finds in the request's own text, so a side that was left out is not
demanded. The classifier must have taken part in no loss of the judged model; its own score on real phantoms
(`evaluation.classifier`) belongs beside these numbers. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmcxr.data.phantom.case import FINDINGS
from llmcxr.labeler.rules import find_present, read_ratio
from llmcxr.measure import measure_cardiothoracic_ratio
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.scores import agreement, macro, share
from llmcxr.model.classifier import SIDE_CHOICES, ZONE_CHOICES, Classifier, ClassifierReading
from llmcxr.predictor import DrawResult
from llmcxr.systems import System
from llmcxr.systems.ask import drawing_requests


@dataclass(frozen=True)
class Request:
    """Hold what a request asks for: finding -> (side, zone), "" where unsaid, and any ratio."""

    text: str
    findings: dict[str, tuple[str, str]]
    ratio: float | None

    @classmethod
    def from_text(cls, text: str) -> Request:
        present = find_present(text)
        mentions = {name: (present[name].side, present[name].zone) for name in FINDINGS if name in present}
        return cls(text, mentions, read_ratio(text))


@dataclass(frozen=True)
class Confirmation:
    """Hold what the classifier sees of a requested finding in a drawing. None: not asked, or not judged."""

    present: bool
    side: bool | None
    zone: bool | None

    @property
    def with_side(self) -> bool:
        return self.present and self.side is not False

    @property
    def exact(self) -> bool:
        return self.with_side and self.zone is not False


def evaluate_drawing(
    system: System,
    dataset: Any,
    n: int,
    seed: int = 0,
    best_of: int = 1,
    *,
    evaluator: Classifier,
    num_diverse: int = 8,
) -> dict:
    """Draw the requests of the first `n` studies and score them; see `score_drawings`.

    `seed` decides how the requests are worded, and draws. `num_diverse` of them are drawn with four seeds
    for "diversity".
    """
    asked = drawing_requests(dataset, n, seed)
    drawn = system.ask("draw", asked, seed=seed, best_of=best_of)
    requests = [one.text for one in asked]
    patients = [dataset[index].patient_id for index in range(n)]
    scores = score_drawings(requests, drawn, evaluator, patients)
    return {
        "best_of": best_of,
        **scores,
        "diversity": diversity(system, requests[:num_diverse]) if num_diverse else None,
    }


def score_drawings(
    requests: Sequence[str], drawn: Sequence[DrawResult], evaluator: Classifier, patients: Sequence[str]
) -> dict:
    """Score agreement over the requests that name a finding (and its side), additions over those that do not.

    Keys: findings -> {agreement (present, and on the side asked), present, exact (zone too), named, added};
    macro with a 95% interval by patient; ratio requested against measured, by geometry and by classifier;
    valid_images and distinct_images, shares.
    """
    asked = [Request.from_text(text) for text in requests]
    images = np.stack([result.image for result in drawn])
    readings = evaluator.predict(images)
    confirmed = [confirm(request, reading) for request, reading in zip(asked, readings, strict=True)]
    findings = {name: _score_finding(name, confirmed, readings) for name in FINDINGS}

    def resampled(rows: np.ndarray) -> float | None:
        return _macro_agreement([confirmed[row] for row in rows])

    wanted = [request.ratio for request in asked]
    measured = [measure_cardiothoracic_ratio(image).ratio for image in images]
    return {
        "n": len(asked),
        "findings": findings,
        "macro": {
            key: macro({name: score[key] for name, score in findings.items()})
            for key in ("agreement", "present", "exact", "added")
        }
        | {"agreement_interval": bootstrap(resampled, patients)},
        "all_requested": share([all(seen.with_side for seen in row.values()) for row in confirmed if row]),
        "ratio_by_geometry": agreement(wanted, measured),
        "ratio_by_classifier": agreement(wanted, [reading.cardiothoracic_ratio for reading in readings]),
        "valid_images": share(valid(drawn)),
        "distinct_images": num_distinct(drawn) / len(drawn),
    }


def diversity(system: System, requests: Sequence[str], num_seeds: int = 4) -> dict:
    """Draw the same requests with other seeds: are any two of a request's drawings equal, and how much they
    differ.

    `spread` is the standard deviation over seeds, averaged over pixels (grey levels of 0..1).
    """
    by_seed = [system.draw(list(requests), seed=seed) for seed in range(num_seeds)]
    per_request = list(zip(*by_seed, strict=True))
    images = np.stack([[result.image for result in row] for row in per_request])
    return {
        "requests": len(per_request),
        "seeds": num_seeds,
        "distinct": float(np.mean([num_distinct(row) / num_seeds for row in per_request])),
        "spread": float(images.std(1).mean()),
    }


def valid(drawn: Sequence[DrawResult]) -> list[bool]:
    """Tell whether each has a whole grid of codes, as the first, and finite pixels in [0, 1]."""
    grid = np.asarray(drawn[0].codes).shape

    def is_valid(result: DrawResult) -> bool:
        codes, image = np.asarray(result.codes), np.asarray(result.image)
        whole = codes.ndim == 2 and codes.shape == grid and codes.dtype.kind in "iu" and codes.min() >= 0
        return bool(
            whole and image.ndim == 2 and np.isfinite(image).all() and 0 <= image.min() <= image.max() <= 1
        )

    return [is_valid(result) for result in drawn]


def num_distinct(drawn: Sequence[DrawResult]) -> int:
    """Count the different images, to the byte."""
    return len({np.asarray(result.image).tobytes() for result in drawn})


def confirm(request: Request, reading: ClassifierReading) -> dict[str, Confirmation]:
    return {
        name: Confirmation(
            name in reading.present,
            _agrees(side, reading.findings[name].side, SIDE_CHOICES.get(name, ())),
            _agrees(zone, reading.findings[name].zone, ZONE_CHOICES.get(name, ())),
        )
        for name, (side, zone) in request.findings.items()
    }


def _agrees(asked: str, seen: str, choices: Sequence[str]) -> bool | None:
    return asked == seen if asked and asked in choices else None


def _score_finding(
    name: str, confirmed: Sequence[dict[str, Confirmation]], readings: Sequence[ClassifierReading]
) -> dict:
    seen = [row[name] for row in confirmed if name in row]
    unasked = [
        name in reading.present for row, reading in zip(confirmed, readings, strict=True) if name not in row
    ]
    return {
        "agreement": share([confirmation.with_side for confirmation in seen]),
        "present": share([confirmation.present for confirmation in seen]),
        "exact": share([confirmation.exact for confirmation in seen]),
        "named": len(seen),
        "added": share(unasked),
    }


def _macro_agreement(confirmed: Sequence[dict[str, Confirmation]]) -> float | None:
    per_finding = {
        name: share([row[name].with_side for row in confirmed if name in row]) for name in FINDINGS
    }
    return macro(per_finding)
