"""Bring a decoded radiograph to square pixels and the usual view, by what its header says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from llmcxr.images.dicom.elements import get_numbers, get_values
from llmcxr.images.dicom.layout import MOST_PIXELS

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
PLAUSIBLE_MM = (0.01, 10.0)  # a pixel's side: film scanners reach 0.02, screens at a workstation 0.5
MOST_OBLONG = 5.0  # a pixel's longer side by its shorter; beyond it the header is wrong
EVEN = 0.01  # sides that differ by less count as equal: 20 pixels of 2,000
OPPOSITE = {"L": "R", "R": "L", "H": "F", "F": "H"}
USUAL = ("L", "F")  # of a frontal view, rows run to the patient's left and columns to the feet


def find_spacing(dataset: DicomDataset) -> tuple[float, float] | None:
    """Find (row, column) spacing in mm of the picture as `make_square` leaves it.

    Spacing in the patient goes before that at the detector, some 5-10% wider. Values that cannot be are
    passed over.
    """
    stored = _find_stored_spacing(dataset)
    if stored is None or _is_even(stored):
        return stored
    return min(stored), min(stored)


def make_square(pixels: np.ndarray, dataset: DicomDataset) -> tuple[np.ndarray, list[str]]:
    """Enlarge (H, W) along the pixels' longer side until they are square, and say so.

    Their shape is that of the spacing, else of the aspect ratio (vertical, horizontal). Raises ValueError
    where they would be too many.
    """
    sides = _find_stored_spacing(dataset) or _find_aspect(dataset)
    if sides is None or _is_even(sides):
        return pixels, []
    rows, columns = (
        max(1, round(size * side / min(sides))) for size, side in zip(pixels.shape, sides, strict=True)
    )
    if rows * columns > MOST_PIXELS:
        raise ValueError(f"pixels that are not square, {rows} x {columns} if they were")
    picture = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    square = np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR))
    found = f"{pixels.shape[0]} x {pixels.shape[1]} pixels that are not square"
    return square, [f"{found}: made square, {rows} x {columns}"]


def orient(pixels: np.ndarray, dataset: DicomDataset) -> tuple[np.ndarray, list[str]]:
    """Turn or mirror a frontal view (H, W) that the header says to lie otherwise than usual, and say so.

    The header's patient orientation tells where rows and columns run: usually to the patient's left and to
    the feet. Where it is missing, of another view or no such pair, the picture stays.
    """
    letters = [str(value).strip().upper()[:1] for value in get_values(dataset, "PatientOrientation")]
    if len(letters) != 2 or {axis(letter) for letter in letters} != {"LR", "HF"}:
        return pixels, []
    if tuple(letters) == USUAL:
        return pixels, []
    if axis(letters[0]) == "HF":  # rows run along the body
        pixels, letters = pixels.T, letters[::-1]
        said = "turned"
    else:
        said = "mirrored" if letters[1] == USUAL[1] else "turned"
    if letters[1] != USUAL[1]:
        pixels = pixels[::-1]
    if letters[0] != USUAL[0]:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels), [
        f"the header says that the picture is {said} (patient orientation): brought to the usual view, the "
        "patient's left on the right; check its marker of the side"
    ]


def axis(letter: str) -> str:
    """Name the axis of a direction: LR, HF, or empty for another."""
    return next((name for name in ("LR", "HF") if letter and letter in name), "")


def _find_stored_spacing(dataset: DicomDataset) -> tuple[float, float] | None:
    for keyword in SPACINGS:
        sides = _read_sides(dataset, keyword)
        if sides is not None and PLAUSIBLE_MM[0] <= min(sides) <= max(sides) <= PLAUSIBLE_MM[1]:
            return sides
    return None


def _find_aspect(dataset: DicomDataset) -> tuple[float, float] | None:
    return _read_sides(dataset, "PixelAspectRatio")


def _read_sides(dataset: DicomDataset, keyword: str) -> tuple[float, float] | None:
    """Read a pixel's height and width; None where they are missing or of no real pixel."""
    sides = get_numbers(dataset, keyword)
    if len(sides) != 2 or None in sides or min(sides) <= 0 or max(sides) > MOST_OBLONG * min(sides):
        return None
    return sides[0], sides[1]


def _is_even(sides: tuple[float, float]) -> bool:
    return max(sides) <= (1 + EVEN) * min(sides)
