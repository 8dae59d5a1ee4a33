"""Read a DICOM radiograph: open it, decode it, show it. No error text holds a patient's data."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.display import to_brightness
from llmcxr.images.dicom.geometry import make_square, orient
from llmcxr.images.dicom.header import build_header
from llmcxr.images.dicom.layout import EXPECTED
from llmcxr.images.dicom.opening import is_dataset, quiet, read_dataset
from llmcxr.images.dicom.pixels import decode
from llmcxr.images.header import ImageHeader

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset


def read(
    source: str | os.PathLike | bytes | DicomDataset, name: str | os.PathLike | None = None
) -> tuple[np.ndarray, ImageHeader]:
    """Read one radiograph -> pixels (H, W) float32 in [0, 1], bright = dense, square, and its header.

    See `display.to_brightness` for how values are scaled. Raises UserError, with `name` or the path, for what
    is not DICOM, holds no pixels or several frames, is too large, cannot be decoded, or is damaged.
    """
    name = source if name is None else name
    with quiet():
        dataset = source if is_dataset(source) else read_dataset(source, name)
        decoded = decode(name, dataset)
        try:
            pixels, shown = to_brightness(decoded, dataset)
            pixels, squared = make_square(pixels, dataset)
        except ValueError as error:
            raise UserError(
                f"{name}: {EXPECTED} that can be shown, found {error}; export it again"
            ) from error
        pixels, turned = orient(pixels, dataset)
        header = build_header(dataset)
    warnings = (*header.warnings, *decoded.warnings, *shown, *squared, *turned)
    return pixels, replace(header, warnings=warnings)


def read_header(path: str | os.PathLike) -> tuple[ImageHeader, DicomDataset]:
    """Read the header of a DICOM file, and pydicom's view of it (ask it under `quiet`), not its pixels."""
    with quiet():
        dataset = read_dataset(path, path, stop_before_pixels=True)
        return build_header(dataset), dataset
