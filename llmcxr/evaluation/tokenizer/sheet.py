"""Lay out a tokenizer's worst reconstructions, and ordinary ones beside, as one picture. Knows no scores.

Captions name no file and no patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmcxr.data import Dataset
from llmcxr.evaluation.tokenizer.reconstruction import reconstruct
from llmcxr.evaluation.tokenizer.regions import lesion_regions
from llmcxr.outputs.notices import DISCLAIMER
from llmcxr.pages.sheets import Rows, draw_rows

COLUMNS = 6  # cases a group
NOTICE = (
    "Top to bottom: image (lesion boxes in yellow), reconstruction, four times their difference. "
    + DISCLAIMER
)


def choose_cases(psnr: np.ndarray, columns: int = COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Choose the positions of the lowest values, worst first, and of others around the median."""
    order = np.argsort(psnr, kind="stable")
    worst, rest = order[:columns], order[columns:]
    middle = max(0, len(rest) // 2 - columns // 2)
    return worst, rest[middle : middle + columns]


def draw_sheet(tokenizer: Any, dataset: Dataset, indices: Sequence[int], psnr: np.ndarray) -> bytes:
    """Read the chosen studies once more and draw them, as PNG; `psnr` (N,) is that of the `indices`."""
    groups = []
    for title, chosen in zip(("worst", "around the median"), choose_cases(psnr), strict=True):
        studies = [indices[position] for position in chosen]
        batches = list(reconstruct(tokenizer, dataset, studies))
        if batches:
            images = np.concatenate([batch.images for batch in batches])
            decoded = np.concatenate([batch.reconstructions for batch in batches])
            boxes = [_bounds(dataset, index, images.shape[-1]) for index in studies]
            differences = np.clip(0.5 + 4 * (decoded - images), 0, 1)
            captions = [f"{value:.1f} dB" for value in psnr[chosen]]
            groups.append(Rows(title, (images, decoded, differences), captions, boxes))
    return draw_rows(groups, COLUMNS, NOTICE)


def _bounds(dataset: Dataset, index: int, size: int) -> list[tuple[int, int, int, int]]:
    """Return left, top, right, bottom of each lesion, px; none for a phantom, which has masks."""
    if not dataset.boxes(index):
        return []
    found = []
    for _, region in lesion_regions(dataset, index, size):
        rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
        found.append((int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])))
    return found
