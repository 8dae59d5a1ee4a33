"""Test whether a system looks at the image: ask again with it blanked, swapped or half covered.

A system whose scores survive another patient's image wrote from habit: a text-only prior comes close to the
best models on chest radiograph questions, so accuracy alone cannot tell. Knows no model and no metric.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from llmcxr.metrics.metric import Metric
from llmcxr.metrics.significance import Comparison, compare, swap_patients

COVER_CELLS = 8  # the covered squares are this part of the image's side
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Reliance:
    """Compare the score on the true images with that on tampered ones: the drop, its interval and p."""

    tampering: str
    comparison: Comparison

    @property
    def is_noticed(self) -> bool:
        """Tell whether tampering lowers the score by more than chance."""
        drop = self.comparison
        return drop.interval is not None and drop.interval[0] > 0 and drop.p < SIGNIFICANT


def audit(
    ask: Callable[[Sequence[np.ndarray]], Sequence[str]],
    rows_of: Callable[[Metric, Sequence[str]], np.ndarray],
    metrics: Sequence[Metric],
    images: Sequence[np.ndarray],
    patients: Sequence[str],
    resamples: int = 500,
    seed: int = 0,
    texts: Sequence[str] | None = None,
) -> list[Reliance]:
    """Ask again about tampered images.

    `ask` gives a text for each image; `rows_of` a metric's rows (N, ...) for those texts.

    `texts` are what `ask` gave for the true images, where they were asked about before. One result
    per tampering and metric. Raises UserError where images cannot be swapped between patients.
    """
    texts = ask(images) if texts is None else texts
    results = []
    for name, tampered in tamperings(images, patients, seed).items():
        other_texts = ask(tampered)
        for metric in metrics:
            pair = rows_of(metric, texts), rows_of(metric, other_texts)
            results.append(Reliance(name, compare(metric, *pair, patients, resamples, seed)))
    return results


def looks_at_image(results: Sequence[Reliance]) -> bool:
    """Give the verdict: another patient's image must lower a score by more than chance."""
    return any(result.is_noticed for result in results if result.tampering == "swapped")


def tamperings(
    images: Sequence[np.ndarray], patients: Sequence[str], seed: int = 0
) -> dict[str, list[np.ndarray]]:
    """Return the same images blanked, swapped between patients, and half covered, in that order."""
    rng = np.random.default_rng(seed)
    order = swap_patients(patients, rng)
    return {
        "blanked": [np.full_like(image, image.mean()) for image in images],
        "swapped": [images[place] for place in order],
        "half covered": [cover(image, 0.5, rng) for image in images],
    }


def cover(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Set `share` of the squares of an image (H, W), chosen by chance, to its mean."""
    height, width = image.shape
    rows = np.arange(height) * COVER_CELLS // height
    columns = np.arange(width) * COVER_CELLS // width
    chosen = rng.permutation(COVER_CELLS**2) < share * COVER_CELLS**2
    is_covered = chosen.reshape(COVER_CELLS, COVER_CELLS)[rows][:, columns]
    return np.where(is_covered, image.mean(), image).astype(image.dtype)
