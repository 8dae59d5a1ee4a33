"""DICOM radiographs <-> pixels. For now: tells a DICOM file from any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from llmcxr.errors import UserError
from llmcxr.pixels import ImageHeader


def is_dicom(path: Path) -> bool:
    """Whether a file is, or by its name claims to be, DICOM."""
    if path.suffix.lower() in (".dcm", ".dicom"):
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read(path: Path) -> tuple[np.ndarray, ImageHeader]:
    raise UserError(f"{path}: DICOM is not read yet")
