"""Write drawn radiographs to files that say what they are: synthetic, and by which recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.common.guard import Kind, check_outputs
from llmcxr.images import dicom
from llmcxr.outputs.notices import SYNTHETIC
from llmcxr.predictor import DrawResult
from vqgan.json_text import to_json

SUFFIXES = (".png", ".dcm")
GAP = 4  # white columns between the drawings of a row


def _recognise(path: Path) -> bool:
    if path.suffix.lower() == ".dcm":
        return dicom.is_drawn(path)
    return images.SYNTHETIC_KEY in images.read_chunks(path)


DRAWING = Kind("a drawing that llmcxr made", _recognise)


def check_output(out: Path, n: int, inputs: Iterable[str] = ()) -> None:
    """Raise UserError where `n` drawings could not be written: another format, a folder, a place without
    permission, a file that is no drawing.
    """
    if out.suffix.lower() not in SUFFIXES:
        found = repr(out.suffix) if out.suffix else "no ending"
        raise UserError(f"{out}: expected a name ending in .png or .dcm, found {found}; correct it")
    check_outputs(inputs, *((path, DRAWING) for path in _list_paths(out, n)))


def _list_paths(out: Path, n: int) -> list[Path]:
    """List where `n` drawings go, and where the row of several goes."""
    if n == 1:
        return [out]
    numbered = [out.with_name(f"{out.stem}-{number}{out.suffix}") for number in range(1, n + 1)]
    return [*numbered, out] if out.suffix.lower() == ".png" else numbered


def write(out: Path, drawn: Iterable[DrawResult], n: int) -> Iterator[Path]:
    """Write one drawing to `out`; several, each as it comes, to out-1, out-2, ... and, as PNG, all in a row
    to `out` itself. Yields each path when its file is there.
    """
    paths, kept = _list_paths(out, n), []
    for path, one in zip(paths, drawn, strict=False):
        yield _write_one(path, one)
        kept.append(one)
    if len(paths) > n:
        row = in_a_row([one.image for one in kept])
        yield images.write_png(out, row, _metadata([one.recipe for one in kept]))


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
    return {images.SYNTHETIC_KEY: SYNTHETIC, "recipe": to_json(recipe, ensure_ascii=False)}
