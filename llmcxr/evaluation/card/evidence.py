"""Measure how well the image supports each sentence of a report, and what trusting that evidence is worth.

Evidence of a sentence, in nats, each term given the sentences before it:

    log p(sentence | image) - log mean over other patients' images of p(sentence | other image)

The second term is the model's own prior. It is not p(sentence | no image): the model never saw a prompt
without an image, and would be measured at what it never learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llmcxr.labeler.rules import label
from llmcxr.metrics.intervals import bootstrap
from llmcxr.records import Label


class SentenceScorer(Protocol):
    """Names the part of CXR that is needed here."""

    def score_sentences(self, image: Sequence[np.ndarray], report: str) -> list[tuple[str, list[float]]]: ...


@dataclass(frozen=True)
class SentenceEvidence:
    sentence: str
    log_probability: float  # given the image
    evidence: float  # nats; above 0 the image speaks for the sentence


def sentence_evidence(
    scorer: SentenceScorer, image: np.ndarray, others: Sequence[np.ndarray], report: str
) -> list[SentenceEvidence]:
    """Return the evidence of each sentence, in nats. `others` are images of other patients; a handful is
    enough. Raises ValueError where there is none.
    """
    if not len(others):
        raise ValueError("evidence needs at least one image of another patient")
    result = []
    for sentence, (given, *elsewhere) in scorer.score_sentences([image, *others], report):
        prior = float(np.logaddexp.reduce(elsewhere) - np.log(len(elsewhere)))
        result.append(SentenceEvidence(sentence, given, given - prior))
    return result


def is_wrong(sentence: str, truth: Mapping[str, Label]) -> bool | None:
    """Tell whether a definite claim of the sentence contradicts the labels; None where it claims nothing."""
    claims = {
        name: state for name, state in label(sentence).items() if state in (Label.PRESENT, Label.ABSENT)
    }
    if not claims:
        return None
    present = {name for name, state in truth.items() if state is Label.PRESENT}
    return any((name in present) != (state is Label.PRESENT) for name, state in claims.items())


def risk_coverage(confidence: Sequence[float], wrong: Sequence[bool]) -> dict:
    """Keep the most confident share of sentences: how many of them are wrong (El-Yaniv & Wiener 2010).

    Returns "coverage" and "risk", lists of one length, "area" under that curve (lower is better; the overall
    error is what a confidence that knows nothing gives) and "error" of all.
    """
    order = np.argsort(-np.asarray(confidence, float), kind="stable")
    errors = np.asarray(wrong, float)[order]
    if not len(errors):
        return {"coverage": [], "risk": [], "area": None, "error": None}
    kept = np.arange(1, len(errors) + 1)
    risk = errors.cumsum() / kept
    return {
        "coverage": (kept / len(errors)).tolist(),
        "risk": risk.tolist(),
        "area": float(risk.mean()),
        "error": float(errors.mean()),
    }


def evaluate_evidence(
    scorer: SentenceScorer,
    images: Sequence[np.ndarray],
    reports: Sequence[str],
    truths: Sequence[Mapping[str, Label]],
    patients: Sequence[str],
    num_others: int = 8,
    seed: int = 0,
) -> dict:
    """Compute risk and coverage of the sentences of `reports`, ranked by evidence and by plain probability.

    Keys: "evidence" and "probability", each as `risk_coverage` gives it with "area_interval" over patients,
    "sentences" that claim something, and the "best" and "worst" supported of them with their verdict.
    """
    rng = np.random.default_rng(seed)
    found: list[tuple[SentenceEvidence, bool, str]] = []
    for index, (image, report, truth) in enumerate(zip(images, reports, truths, strict=True)):
        strangers = [k for k in range(len(images)) if patients[k] != patients[index]]
        chosen = rng.permutation(strangers)[:num_others]
        if not report.strip() or not len(chosen):
            continue
        for one in sentence_evidence(scorer, image, [images[k] for k in chosen], report):
            verdict = is_wrong(one.sentence, truth)
            if verdict is not None:
                found.append((one, verdict, patients[index]))
    wrong = np.array([verdict for _, verdict, _ in found], bool)
    owners = [patient for _, _, patient in found]
    result: dict = {"sentences": len(found)}
    for name, field in (("evidence", "evidence"), ("probability", "log_probability")):
        confidence = np.array([getattr(one, field) for one, _, _ in found])
        curve = risk_coverage(confidence, wrong)
        interval = None
        if found:
            interval = bootstrap(
                lambda rows, c=confidence: risk_coverage(c[rows], wrong[rows])["area"], owners, seed=seed
            )
        result[name] = {**curve, "area_interval": interval}
    ranked = sorted(found, key=lambda item: -item[0].evidence)
    for name, part in (("best", ranked[:5]), ("worst", ranked[::-1][:5])):
        result[name] = [
            {"sentence": one.sentence, "evidence": one.evidence, "wrong": bool(verdict)}
            for one, verdict, _ in part
        ]
    return result
