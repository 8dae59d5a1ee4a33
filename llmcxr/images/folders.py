"""List the radiographs in a folder. Decodes none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.images import dicom

PICTURES = (".png", ".jpg", ".jpeg", ".jp2", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".webp", ".gif")
SUFFIXES = (*PICTURES, ".dcm", ".dicom", ".dic")
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*")  # of PNG, JPEG and TIFF, whatever the name


def find_radiographs(folder: Path) -> list[Path]:
    """List the files of a folder and its subfolders that are pictures by name or DICOM by content, in the
    order of their names.

    Other files and hidden ones (.name) are passed over. Raises UserError where there is none.
    """
    found = [file for file in _walk(folder) if _is_radiograph(file)]
    if not found:
        raise UserError(
            f"{folder}: expected PNG, JPEG or DICOM files in it or its folders, found none; check the path"
        )
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _is_radiograph(file: Path) -> bool:
    if file.suffix.lower() in SUFFIXES:
        return True
    if not os.path.isfile(file):  # to open a pipe would wait for its writer
        return False
    try:
        with file.open("rb") as opened:
            begins = opened.read(4)
        return begins.startswith(SIGNATURES) or dicom.is_dicom(file)
    except OSError:
        return False
