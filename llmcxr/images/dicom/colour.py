"""Turn a DICOM picture in colour into luminance. Knows no window: the standard gives colour none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.images.dicom.layout import Layout
from llmcxr.images.dicom.lookup import read_lookup_table
from llmcxr.images.dicom.pixels import DecodedPixels
from llmcxr.images.header import measure_colour, to_luminance

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

ROWS = 256  # at a time
PALETTES = ("Red", "Green", "Blue")
# YCbCr with chroma around 0 -> red, green, blue: ITU-R BT.601, as JPEG (PS3.3 C.7.6.3.1.2)
YBR_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], dtype=np.float32)


def to_grey(decoded: DecodedPixels, dataset: DicomDataset) -> tuple[np.ndarray, list[str]]:
    """Turn (H, W, 3) values, or (H, W) places in a palette -> (H, W) float32 luminance, and a warning.

    Values are scaled by their bits, or by those that a palette fills. Raises ValueError for a palette that
    cannot be used, and for values that are no whole numbers.
    """
    if not np.issubdtype(decoded.values.dtype, np.integer):
        raise ValueError("colours that are no whole numbers")
    values = decoded.values
    to_rgb = partial(_scale, decoded.layout)
    if decoded.layout.samples == 1:
        is_segmented = "SegmentedRedPaletteColorLookupTableData" in dataset
        to_rgb = (
            partial(_look_up_segments, dataset) if is_segmented else _read_palette(dataset, decoded.values)
        )
    values = decoded.values
    grey = np.empty(values.shape[:2], np.float32)
    for rows in iterate_rows(values):
        grey[rows] = to_luminance(to_rgb(values[rows]))
    coloured = measure_colour(to_rgb(values[::4, ::4]))
    return grey, [f"a colour picture, {coloured:.0%} coloured; only its brightness is read"]


def iterate_rows(values: np.ndarray) -> Iterator[slice]:
    """Go through a picture some rows at a time, since what is computed of all takes many times its memory."""
    return (slice(start, start + ROWS) for start in range(0, len(values), ROWS))


def _scale(layout: Layout, values: np.ndarray) -> np.ndarray:
    """Scale (H, W, 3) values by the bits that are stored -> RGB in [0, 1]."""
    top = 2**layout.bits_stored - 1
    colours = values.astype(np.float32)
    if layout.photometric.startswith("YBR_FULL"):
        colours[..., 1:] -= 2 ** (layout.bits_stored - 1)
        colours = colours @ YBR_TO_RGB.T
    return np.clip(colours / top, 0, 1)


def _look_up_segments(dataset: DicomDataset, places: np.ndarray) -> np.ndarray:
    """Look (H, W) places up in a palette that is compressed in segments (PS3.3 C.7.9.2) -> RGB in [0, 1]."""
    from pydicom.pixels import apply_color_lut

    try:
        colours = apply_color_lut(places, dataset)
    except Exception as error:  # pydicom answers malformed segments with any kind of error
        raise ValueError("a colour palette that cannot be used") from error
    return colours[..., :3] / np.float32(np.iinfo(colours.dtype).max)


def _read_palette(dataset: DicomDataset, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Read the palette for these values -> what turns (H, W) places in it into RGB in [0, 1]."""
    big = dataset.original_encoding[1] is False
    tables = [read_lookup_table(dataset, values, big, f"{name}PaletteColorLookupTable") for name in PALETTES]
    if None in tables:
        raise ValueError("a colour palette that cannot be used")
    top = 2 ** max(int(table.entries.max()) for table in tables).bit_length() - 1
    return lambda places: np.stack([table.look_up(places) for table in tables], axis=-1) / np.float32(top)
