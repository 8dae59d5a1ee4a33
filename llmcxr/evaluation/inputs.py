"""Turn what a system wrote and drew into what metrics take. Knows no metric and asks no system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from llmcxr import images as image_files
from llmcxr.data.phantom.case import FINDINGS
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS, label_chexpert
from llmcxr.labeler.rules import label
from llmcxr.labeler.states import to_states
from llmcxr.metrics.images.features import FeatureExtractor, extract
from llmcxr.metrics.metric import Inputs
from llmcxr.model.classifier import Classifier, to_probabilities


def label_inputs(patients: Sequence[str], references: Sequence[str], candidates: Sequence[str]) -> Inputs:
    """Gather for metrics of reports the texts, and the CheXpert labels of both sides by our labeler."""
    return Inputs(
        patients,
        references,
        candidates,
        CHEXPERT_FINDINGS,
        *(_chexpert_states(texts) for texts in (references, candidates)),
    )


def drawing_inputs(
    patients: Sequence[str],
    requests: Sequence[str],
    drawings: Sequence[np.ndarray],
    real_features: np.ndarray,
    network: FeatureExtractor,
    size: int,
    judge: Classifier | None,
) -> Inputs:
    """Gather for metrics of drawings what they take, letterboxed to `size` px, with the labels asked for.

    With a judge, of the phantom's findings, the labels are those and its probabilities are there; without
    one they are CheXpert's, for the breakdown by finding alone.
    """
    drawn = np.stack([image_files.fit(image, size)[0] for image in drawings])
    inputs = Inputs(
        patients,
        findings=CHEXPERT_FINDINGS,
        reference_labels=_chexpert_states(requests) if judge is None else None,
        real_features=real_features,
        drawn_features=extract(network, drawn),
        drawn_images=drawn,
    )
    if judge is None:
        return inputs
    return replace(
        inputs,
        findings=FINDINGS,
        reference_labels=to_states(list(map(label, requests)), FINDINGS),
        drawn_probabilities=to_probabilities(judge.predict(drawn), FINDINGS),
    )


def _chexpert_states(texts: Sequence[str]) -> np.ndarray:
    return to_states(list(map(label_chexpert, texts)), CHEXPERT_FINDINGS)
