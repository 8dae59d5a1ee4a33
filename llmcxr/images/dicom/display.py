"""Turn stored DICOM values into brightness in [0, 1], in the order of PS3.4 N.2. Reads no file.

Modality LUT or rescale first, then VOI LUT or window, then the inversion that MONOCHROME1 asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmcxr.images.dicom.header import get_number, get_text
from llmcxr.images.header import measure_colour, to_luminance

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

STRETCH = (0.1, 99.9)  # percentiles that become black and white where a file gives no window


def to_brightness(stored: np.ndarray, dataset: DicomDataset) -> tuple[np.ndarray, list[str]]:
    """Turn stored values (H, W), or (H, W, 3) in colour -> (H, W) float32 in [0, 1], bright = dense, and
    warnings.

    0 and 1 are the ends of the window or of the VOI LUT's output. A file with neither is scaled by its bits
    if it stores 8, else between the 0.1 and 99.9 percentiles of its values without padding. Colour becomes
    luminance. Raises whatever pydicom raises on malformed tables, ValueError on other shapes.
    """
    photometric = get_text(dataset, "PhotometricInterpretation")
    if photometric == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        stored = apply_color_lut(stored, dataset)
    if stored.ndim == 3 and stored.shape[-1] in (3, 4):
        return _to_grey(stored)
    if stored.ndim != 2:
        raise ValueError(f"expected rows and columns, got pixels of shape {stored.shape}")
    values, warnings = _apply_voi(_apply_modality(stored, dataset), stored, dataset)
    if photometric == "MONOCHROME1":
        values = 1 - values
    return np.clip(values, 0, 1).astype(np.float32), warnings


def apply_window(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Apply a window to values of any shape, giving [0, 1] by PS3.3 C.11.2.1; function LINEAR, LINEAR_EXACT
    or SIGMOID.
    """
    values = np.asarray(values, dtype=np.float32)  # stored values are often unsigned
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -80, 80)))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width <= 1:  # a threshold
        return (values > centre - 0.5).astype(np.float32)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


def _to_grey(stored: np.ndarray) -> tuple[np.ndarray, list[str]]:
    colours = stored.astype(np.float32) / np.iinfo(stored.dtype).max
    coloured = measure_colour(colours[::4, ::4])
    return to_luminance(colours), [f"a colour picture, {coloured:.0%} coloured; only its brightness is read"]


def _apply_modality(stored: np.ndarray, dataset: DicomDataset) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    return apply_modality_lut(stored, dataset)


def _apply_voi(values: np.ndarray, stored: np.ndarray, dataset: DicomDataset) -> tuple[np.ndarray, list[str]]:
    if dataset.get("VOILUTSequence"):
        return _apply_voi_lut(values, dataset), []
    centre, width = get_number(dataset, "WindowCenter"), get_number(dataset, "WindowWidth")
    if centre is not None and width is not None and width > 0:
        function = get_text(dataset, "VOILUTFunction").upper() or "LINEAR"
        return apply_window(values, centre, width, function), []
    return _stretch(values, stored, dataset)


def _apply_voi_lut(values: np.ndarray, dataset: DicomDataset) -> np.ndarray:
    """Return the first VOI LUT's output in [0, 1], by the bits that it fills where they are fewer."""
    from pydicom.pixels import apply_voi

    item = dataset.VOILUTSequence[0]
    if not np.issubdtype(values.dtype, np.integer):
        values = np.rint(values).astype(np.int64)
    looked_up = apply_voi(values, dataset).astype(np.float32)
    data = item.LUTData
    largest = int(np.frombuffer(data, np.uint16).max() if isinstance(data, bytes) else max(data))
    bits = min(int(item.LUTDescriptor[2]), max(1, largest.bit_length()))
    return looked_up / (2**bits - 1)


def _stretch(values: np.ndarray, stored: np.ndarray, dataset: DicomDataset) -> tuple[np.ndarray, list[str]]:
    """Scale the values of a file that gives no window: by its bits where it stores 8, else by their range."""
    bits = int(dataset.get("BitsStored") or 16)
    if bits <= 8 and not dataset.get("PixelRepresentation") and np.array_equal(values, stored):
        return values / (2**bits - 1), []
    padding = dataset.get("PixelPaddingValue")
    real = values[stored != padding] if padding is not None else values
    low, high = np.percentile(real if real.size else values, STRETCH)
    scaled = (values.astype(np.float32) - low) / max(float(high - low), 1e-6)
    return np.clip(scaled, 0, 1), ["no window in the file: scaled by the range of its values"]
