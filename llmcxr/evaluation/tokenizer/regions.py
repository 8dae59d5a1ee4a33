"""Place a study's findings on the image that a tokenizer sees, by publishers' boxes or phantoms' masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from llmcxr import images
from llmcxr.data import Dataset, find_frontal
from llmcxr.data.phantom.truth import finding_salience, masks


def lesion_regions(dataset: Dataset, index: int, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (finding, bool mask (size, size)) of every lesion with a known place; none is empty.

    A dataset knows them by `case`, as the phantom, or by `boxes`, as NIH; of another source there are none.
    """
    if (case := dataset.case(index)) is not None:
        drawn = masks(case, size)
        named = ((finding.name, drawn[finding.name]) for finding in case.findings)
        yield from ((name, mask) for name, mask in named if mask.any())
        return
    if boxes := dataset.boxes(index):
        padding = images.place(images.read_size(find_frontal(dataset.identify(index)).path), size)
        for box in boxes:
            yield box.finding, _fill(box, padding)


def _fill(box: Any, padding: images.Padding) -> np.ndarray:
    """Mark the pixels that a box touches, at least one: (size, size) bool."""
    rows, columns = padding.size
    top, bottom = (padding.top + share * padding.height for share in (box.top, box.bottom))
    left, right = (padding.left + share * padding.width for share in (box.left, box.right))
    first_row, first_column = min(int(top), rows - 1), min(int(left), columns - 1)
    mask = np.zeros(padding.size, bool)
    mask[
        first_row : max(int(np.ceil(bottom)), first_row + 1),
        first_column : max(int(np.ceil(right)), first_column + 1),
    ] = True
    return mask


def thin_lines(dataset: Dataset, index: int, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (finding, (size, size) in 0..1) of the lines, tubes and edges of a phantom.

    Radiographs have none, since nobody has drawn theirs.
    """
    if (case := dataset.case(index)) is not None:
        yield from finding_salience(case, size).items()
