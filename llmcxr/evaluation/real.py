"""Judge reports of real radiographs by the labels that their publisher gives, against chance.

Labels of public sets are themselves text-mined and noisy. A finding that a study's labels do not mention
counts as absent, on both sides (LLM-CXR's convention, omission = negative); an uncertain one is left out.
Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmcxr.labeler.rules import label
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.scores import detection, macro
from llmcxr.predictor import Predictor
from llmcxr.records import Label

NUM_SHUFFLES = 200


def evaluate_labels(predictor: Predictor, dataset: Any, n: int, seed: int = 0, size: int = 128) -> dict:
    """Write reports of the first `n` studies and score their labels; see `score_labels`."""
    studies = [dataset[index] for index in range(n)]
    images = [dataset.read(index, size) for index in range(n)]
    texts = [result.text for result in predictor.report(images, seed=seed)]
    patients = [study.patient_id for study in studies]
    return score_labels([study.labels for study in studies], texts, patients, seed)


def score_labels(truth: Sequence[dict], texts: Sequence[str], patients: Sequence[str], seed: int = 0) -> dict:
    """F1 per finding that some study has, and what shuffling the reports among the studies would give.

    `chance` is the mean F1 after shuffling (what the rates alone give) and `p` the share of shuffles that
    do at least as well: a model that ignores the image has chance's F1 and a p near one half.
    """
    said = [label(text) for text in texts]
    names = sorted({name for labels in truth for name, state in labels.items() if state is Label.PRESENT})
    true = {name: np.array([labels.get(name) is Label.PRESENT for labels in truth]) for name in names}
    certain = {
        name: np.array([labels.get(name) is not Label.UNCERTAIN for labels in truth]) for name in names
    }
    claimed = {name: np.array([labels.get(name) is Label.PRESENT for labels in said]) for name in names}
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(texts)) for _ in range(NUM_SHUFFLES)]
    findings = {name: _against_chance(true[name], claimed[name], certain[name], orders) for name in names}

    def resampled(rows: np.ndarray) -> float | None:
        known = {name: rows[certain[name][rows]] for name in names}
        return macro({name: detection(true[name][i], claimed[name][i])["f1"] for name, i in known.items()})

    return {
        "n": len(texts),
        "findings": findings,
        "macro": {
            "f1": macro({name: score["f1"] for name, score in findings.items()}),
            "f1_interval": bootstrap(resampled, patients, resamples=200, seed=seed),
            "chance": macro({name: score["chance"] for name, score in findings.items()}),
        },
        "distinct_reports": len(set(texts)),
    }


def _against_chance(
    true: np.ndarray, claimed: np.ndarray, known: np.ndarray, orders: Sequence[np.ndarray]
) -> dict:
    score = detection(true[known], claimed[known])
    shuffled = [detection(true[known], claimed[order][known])["f1"] or 0.0 for order in orders]
    beaten = [value >= (score["f1"] or 0.0) for value in shuffled]
    return {**score, "chance": float(np.mean(shuffled)), "p": float(np.mean(beaten))}
