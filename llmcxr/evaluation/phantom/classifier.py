"""Score a classifier itself on phantoms: the ceiling of what it can say about drawings.

Also used on reconstructions, where it says which findings survive a tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmcxr.data.phantom.case import FINDINGS, PhantomCase
from llmcxr.metrics.scores import agreement, detection, macro, share
from llmcxr.model.classifier import SIDE_CHOICES, ZONE_CHOICES, Classifier, ClassifierReading


def evaluate_classifier(classifier: Classifier, dataset: Any, n: int) -> dict:
    """Score the first `n` phantoms of a dataset."""
    images = np.stack([dataset.read(index, classifier.config.image_size) for index in range(n)])
    return score_readings([dataset.case(index) for index in range(n)], classifier.predict(images))


def score_readings(cases: Sequence[PhantomCase], readings: Sequence[ClassifierReading]) -> dict:
    """Return f1, precision, recall, support of each finding; its places where truly present; the ratio."""
    findings = {}
    for name in FINDINGS:
        truth = [case.find(name) for case in cases]
        seen = [name in reading.present for reading in readings]
        findings[name] = detection([finding is not None for finding in truth], seen)
        pairs = [(f, r.findings[name]) for f, r in zip(truth, readings, strict=True) if f is not None]
        if name in SIDE_CHOICES:
            findings[name]["side_accuracy"] = share([true.side == read.side for true, read in pairs])
        if name in ZONE_CHOICES:
            findings[name]["zone_accuracy"] = share([true.zone == read.zone for true, read in pairs])
    ratios = [reading.cardiothoracic_ratio for reading in readings]
    return {
        "n": len(cases),
        "findings": findings,
        "macro": {"f1": macro({name: score["f1"] for name, score in findings.items()})},
        "ratio": agreement([case.cardiothoracic_ratio for case in cases], ratios),
    }
