"""Turn stored DICOM values into brightness in [0, 1], in the order of PS3.4 N.2. Reads no file.

Modality LUT or rescale first, then VOI LUT or window, then the inversion that MONOCHROME1 asks for. All of it
is done once for each value that occurs, `levels` (L,), and then looked up for the pixels: exact in 64 bits,
whatever the slope, and in little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.images.dicom.colour import iterate_rows, to_grey
from llmcxr.images.dicom.elements import get_code, get_number, get_numbers, get_values
from llmcxr.images.dicom.layout import FLOAT_BITS, Layout
from llmcxr.images.dicom.lookup import read_lookup_table
from llmcxr.images.dicom.pixels import DecodedPixels

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

STRETCH = (0.1, 99.9)  # percentiles that become black and white where a file gives no window
MOST_LEVELS = 2**22  # values from the lowest to the highest that are listed; others are sorted
MOST_WIDE = 2**23  # pixels that are sorted: each takes a hundred bytes
WINDOW_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def to_brightness(decoded: DecodedPixels, dataset: DicomDataset) -> tuple[np.ndarray, list[str]]:
    """Turn decoded pixels -> (H, W) float32 in [0, 1], bright = dense, and warnings.

    0 and 1 are the ends of the window or of the VOI LUT's output. A file with neither is scaled by its bits
    if it stores 8, else between the 0.1 and 99.9 percentiles of its values without padding. Padding is black.
    Colour becomes luminance. Raises ValueError for values that are not finite or overflow when rescaled.
    """
    if decoded.layout.samples == 3 or decoded.layout.photometric == "PALETTE COLOR":
        return to_grey(decoded, dataset)
    levels, places, counts = _find_levels(decoded)
    if not np.isfinite(levels[counts > 0]).all():
        raise ValueError("values that are not finite numbers")
    warnings: list[str] = []
    with np.errstate(over="ignore", invalid="ignore"):
        values = _apply_modality(levels, counts > 0, dataset, warnings)
        if not np.isfinite(values).all():
            raise ValueError("a rescale slope and intercept that turn values into infinite ones")
        shown = _apply_voi(values, levels, counts, decoded.layout, dataset, warnings)
    if decoded.layout.photometric == "MONOCHROME1":
        shown = 1 - shown
    shown = np.clip(shown, 0, 1).astype(np.float32)
    pixels = np.empty(places.shape, np.float32)
    for rows in iterate_rows(places):
        pixels[rows] = shown[places[rows]]
    if decoded.is_padding is not None:
        pixels[decoded.is_padding] = 0
    return pixels, warnings


def apply_window(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Apply a window to values of any shape, giving [0, 1] by PS3.3 C.11.2.1.2 and C.11.2.1.3; function
    LINEAR, LINEAR_EXACT or SIGMOID, width above 0.

    LINEAR counts whole values and is not defined below width 1: there, and at width 1 over values finer than
    1, it is LINEAR_EXACT.
    """
    values = np.asarray(values, dtype=np.float64)  # stored values are often unsigned
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -80, 80)))
    if function == "LINEAR" and width == 1 and _is_whole(values):
        return (values > centre - 0.5).astype(np.float64)
    if function == "LINEAR_EXACT" or width <= 1:
        return np.clip((values - centre) / width + 0.5, 0, 1)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _is_whole(values: np.ndarray) -> bool:
    return bool((values == np.rint(values)).all())


def _find_levels(decoded: DecodedPixels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the levels (L,) float64, rising, which of them each pixel has (H, W), and how many pixels that are
    no padding have each (L,).
    """
    values = decoded.values
    lowest, highest = values.min(), values.max()
    is_whole = values.dtype.itemsize <= 4 and np.issubdtype(values.dtype, np.integer)
    if is_whole and int(highest) - int(lowest) < MOST_LEVELS:
        lowest, highest = int(lowest), int(highest)
        levels = np.arange(lowest, highest + 1, dtype=np.float64)
        unsigned = np.dtype(f"u{values.dtype.itemsize}")  # differences fit, whatever the sign
        places = values.astype(unsigned) - unsigned.type(lowest % 2 ** (8 * unsigned.itemsize))
    else:
        if values.size > MOST_WIDE:
            raise ValueError(f"more than {MOST_WIDE // 10**6} megapixels of floats or of more than 22 bits")
        levels, places = np.unique(values, return_inverse=True)
        levels, places = levels.astype(np.float64), places.reshape(values.shape)
    counts = np.zeros(len(levels), np.int64)
    for rows in iterate_rows(places):
        real = places[rows] if decoded.is_padding is None else places[rows][~decoded.is_padding[rows]]
        counts += np.bincount(real.ravel(), minlength=len(levels))
    return levels, places, counts


def _apply_modality(
    levels: np.ndarray, is_real: np.ndarray, dataset: DicomDataset, warnings: list[str]
) -> np.ndarray:
    """Apply the modality LUT, else the rescale. An element that is empty counts as not given."""
    items = get_values(dataset, "ModalityLUTSequence")
    for item in items:
        table = read_lookup_table(item, levels[is_real], _is_big_endian(dataset))
        if table is not None:
            return table.look_up(levels)
    if items:
        warnings.append("a modality LUT that cannot be used is left aside")
    slope, intercept = get_number(dataset, "RescaleSlope"), get_number(dataset, "RescaleIntercept")
    if slope == 0:
        warnings.append("a rescale slope of 0 is left aside")
    return levels * (slope or 1) + (intercept or 0)


def _apply_voi(
    values: np.ndarray,
    levels: np.ndarray,
    counts: np.ndarray,
    layout: Layout,
    dataset: DicomDataset,
    warnings: list[str],
) -> np.ndarray:
    """Apply the first VOI LUT that can be used, else the first window, else scale; say what is left aside.

    One that shows all values alike, though they are not, cannot be used.
    """
    is_real = counts > 0
    for kind, shown in _iterate_voi(values, is_real, dataset):
        if shown is not None and (is_real.sum() == 1 or np.ptp(np.clip(shown[is_real], 0, 1)) > 0):
            return shown
        warnings.append(f"a {kind} that cannot be used is left aside")
    return _stretch(values, levels, counts, layout, warnings)


def _iterate_voi(
    values: np.ndarray, is_real: np.ndarray, dataset: DicomDataset
) -> Iterator[tuple[str, np.ndarray | None]]:
    """Go through VOI LUTs, then windows: what each is, and the brightness it gives to values (L,), None if
    broken. `is_real` (L,) says which values are those of the radiograph.
    """
    for item in get_values(dataset, "VOILUTSequence"):
        table = read_lookup_table(item, values[is_real], _is_big_endian(dataset))
        yield "VOI LUT", None if table is None else table.to_brightness(values)
    function = get_code(dataset, "VOILUTFunction")
    function = function if function in WINDOW_FUNCTIONS else "LINEAR"
    ends = (get_numbers(dataset, "WindowCenter"), get_numbers(dataset, "WindowWidth"))
    for centre, width in zip_longest(*ends):
        is_whole = centre is not None and width is not None and width > 0
        yield "window", apply_window(values, centre, width, function) if is_whole else None


def _stretch(
    values: np.ndarray, levels: np.ndarray, counts: np.ndarray, layout: Layout, warnings: list[str]
) -> np.ndarray:
    """Scale the values of a file that gives no window: by its bits where it stores 8, else by their range."""
    is_plain = not layout.is_signed and np.array_equal(values, levels) and layout.keyword not in FLOAT_BITS
    if layout.bits_stored <= 8 and is_plain:
        return values / (2**layout.bits_stored - 1)
    low, high = sorted(np.percentile(values, STRETCH, weights=counts, method="inverted_cdf"))
    warnings.append("no window in the file: scaled by the range of its values")
    return (values - low) / max(high - low, np.finfo(np.float64).tiny)


def _is_big_endian(dataset: DicomDataset) -> bool:
    return dataset.original_encoding[1] is False
