"""Measure what a tokenizer erases: an independent classifier's findings before and after.

The classifier must have taken part in no loss of the tokenizer, and must know such images: trained on
phantoms it says nothing of a patient's radiograph. N studies, F findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmcxr.metrics.images.agreement import THRESHOLD, wanted_and_seen
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.scores import auroc, detection, macro, share


def erased_findings(
    findings: Sequence[str],
    labels: np.ndarray,
    originals: np.ndarray,
    reconstructions: np.ndarray,
    patients: Sequence[str],
    seed: int = 0,
    resamples: int = 500,
) -> dict[str, dict]:
    """Return, for each finding, what the reconstructions keep of it.

    That is the AUROC before and after with bootstrap intervals over patients, their paired change, F1, and
    survival: the share of the true findings seen in the original that are still seen. Scores that need a
    study with and one without the finding are None where there is none. `labels` is (N, F) of
    `labeler.states.LABEL_STATES`; `originals` and `reconstructions` are (N, F) probabilities.
    """
    before = wanted_and_seen(labels, originals)
    after = wanted_and_seen(labels, reconstructions)
    result = {}
    for column, name in enumerate(findings):
        wanted, first, second = before[:, column, 0], before[:, column, 1], after[:, column, 1]
        known = ~np.isnan(wanted)
        seen = (wanted == 1) & (first >= THRESHOLD)
        result[name] = {
            "support": int((wanted == 1).sum()),
            "absent": int((wanted == 0).sum()),
            **_aurocs(wanted, first, second, patients, seed, resamples),
            "survival": share(second[seen] >= THRESHOLD),
            "f1_original": detection(wanted[known] == 1, first[known] >= THRESHOLD)["f1"],
            "f1_reconstructed": detection(wanted[known] == 1, second[known] >= THRESHOLD)["f1"],
        }
    return result


def _aurocs(
    wanted: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    patients: Sequence[str],
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    def change(rows: np.ndarray) -> float | None:
        values = auroc(wanted[rows], first[rows]), auroc(wanted[rows], second[rows])
        return None if None in values else values[1] - values[0]

    measures = {
        "auroc_original": lambda rows: auroc(wanted[rows], first[rows]),
        "auroc_reconstructed": lambda rows: auroc(wanted[rows], second[rows]),
        "auroc_change": change,
    }
    result: dict[str, Any] = {}
    for name, measure in measures.items():
        result[name] = measure(np.arange(len(wanted)))
        is_defined = result[name] is not None
        result[f"{name}_interval"] = (
            bootstrap(measure, patients, resamples, seed=seed) if is_defined else None
        )
    return result


def means_over_findings(per_finding: dict[str, dict]) -> dict[str, float | None]:
    """Average AUROCs, change and survival over the findings that have them."""
    keys = ("auroc_original", "auroc_reconstructed", "auroc_change", "survival")
    return {key: macro({name: score.get(key) for name, score in per_finding.items()}) for key in keys}
