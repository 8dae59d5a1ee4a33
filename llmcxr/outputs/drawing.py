"""Write drawn radiographs to files that say what they are: synthetic, and by which recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.common.files import check_writable
from llmcxr.images import dicom
from llmcxr.outputs.notices import SYNTHETIC
from llmcxr.predictor import DrawResult

SUFFIXES = (".png", ".dcm")
GAP = 4  # white columns between the drawings of a row


def check_output(out: Path) -> None:
    """Raise UserError where `write` could not write: another format, a folder, a place without permission."""
    if out.suffix.lower() not in SUFFIXES:
        found = repr(out.suffix) if out.suffix else "no ending"
        raise UserError(f"{out}: expected a name ending in .png or .dcm, found {found}; correct it")
    check_writable(out)


def write(out: Path, drawn: Sequence[DrawResult]) -> list[Path]:
    """Write one drawing to `out`; several to out-1, out-2, ... and, as PNG, all in a row to `out` itself."""
    if len(drawn) == 1:
        return [_write_one(out, drawn[0])]
    paths = [
        _write_one(out.with_name(f"{out.stem}-{number}{out.suffix}"), one)
        for number, one in enumerate(drawn, 1)
    ]
    if out.suffix.lower() == ".png":
        row = in_a_row([one.image for one in drawn])
        paths.append(images.write_png(out, row, _metadata([one.recipe for one in drawn])))
    return paths


def in_a_row(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Put pictures (H, W) of one height side by side, with white between them."""
    gap = np.ones((pictures[0].shape[0], GAP), np.float32)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis=1)


def _write_one(path: Path, drawn: DrawResult) -> Path:
    if path.suffix.lower() == ".dcm":
        return dicom.write_synthetic(path, drawn.image, drawn.recipe, seed=drawn.seed)
    return images.write_png(path, drawn.image, _metadata(drawn.recipe))


def _metadata(recipe: dict | list[dict]) -> dict[str, str]:
    return {images.SYNTHETIC_KEY: SYNTHETIC, "recipe": json.dumps(recipe, ensure_ascii=False)}
