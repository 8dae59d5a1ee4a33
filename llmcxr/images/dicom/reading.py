"""Open and decode a DICOM file. Knows no brightness; no error text holds a patient's data."""

from __future__ import annotations

import logging
import os
import warnings as python_warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.display import to_brightness
from llmcxr.images.dicom.header import build_header, get_number
from llmcxr.images.header import ImageHeader

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset
    from pydicom.uid import UID

EXPECTED = "expected a DICOM radiograph"
PREFERRED_PLUGINS = ("pylibjpeg", "pillow", "pydicom")


def is_dicom(path: Path) -> bool:
    """Whether a file is, or by its name claims to be, DICOM."""
    if path.suffix.lower() in (".dcm", ".dicom"):
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read(path: str | os.PathLike) -> tuple[np.ndarray, ImageHeader]:
    """Read one radiograph -> pixels (H, W) float32 in [0, 1], bright = dense, and its header.

    See `display.to_brightness` for how values are scaled. Raises UserError, naming the file, for what is not
    DICOM, holds no pixels or several frames, cannot be decoded, or is damaged.
    """
    path = Path(path)
    with quiet():
        dataset = _read_dataset(path)
        if "PixelData" not in dataset:
            raise UserError(f"{path}: {EXPECTED}, found DICOM without pixels; choose the file with the image")
        frames = get_number(dataset, "NumberOfFrames") or 1
        if frames > 1:
            raise UserError(f"{path}: {EXPECTED} of one frame, found {frames:.0f}; export one frame alone")
        stored = _decode(path, dataset)
        try:
            pixels, warnings = to_brightness(stored, dataset)
        except Exception as error:  # pydicom answers malformed tables with any kind of error
            raise UserError(
                f"{path}: {EXPECTED} with a complete rescale, window or VOI LUT, found a malformed one; "
                "export it again"
            ) from error
        header = _build_header(path, dataset)
    return pixels, replace(header, warnings=(*header.warnings, *warnings))


def read_header(path: str | os.PathLike) -> tuple[ImageHeader, DicomDataset]:
    """The header of a DICOM file, and pydicom's view of it (ask it under `quiet`), with no pixel read."""
    path = Path(path)
    with quiet():
        dataset = _read_dataset(path, stop_before_pixels=True)
        return _build_header(path, dataset), dataset


def _build_header(path: Path, dataset: DicomDataset) -> ImageHeader:
    try:
        return build_header(dataset)
    except Exception as error:  # elements are parsed when they are asked for
        raise _damaged(path) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings and log lines, which quote a file's values, off screen and log."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _read_dataset(path: Path, **options: bool) -> DicomDataset:
    pydicom = _import_pydicom()
    try:
        return pydicom.dcmread(path, **options)
    except pydicom.errors.InvalidDicomError:
        return _read_bare_dataset(path, **options)
    except FileNotFoundError as error:
        raise UserError(f"{path}: {EXPECTED}, found no such file; check the path") from error
    except Exception as error:  # pydicom answers damaged bytes with any kind of error
        raise _damaged(path) from error


def _read_bare_dataset(path: Path, **options: bool) -> DicomDataset:
    """Read a file without DICOM's preamble, as some archives write it; refuse what is not DICOM at all."""
    try:
        dataset = _import_pydicom().dcmread(path, force=True, **options)
        is_dataset = "SOPClassUID" in dataset or "Rows" in dataset
    except Exception as error:
        raise _not_dicom(path) from error
    if not is_dataset:
        raise _not_dicom(path)
    return dataset


def _import_pydicom():
    try:
        import pydicom
    except ImportError as error:
        raise UserError("reading DICOM needs pydicom: pip install 'llmcxr[dicom]'") from error
    return pydicom


def _not_dicom(path: Path) -> UserError:
    return UserError(f"{path}: {EXPECTED}, found a file that is not DICOM; give it the ending of what it is")


def _damaged(path: Path) -> UserError:
    return UserError(f"{path}: {EXPECTED}, found a file cut short or damaged; copy or export it again")


def _decode(path: Path, dataset: DicomDataset) -> np.ndarray:
    """The stored values: (H, W), or (H, W, 3) in colour. Compressed ones go through pydicom's plugins."""
    syntax = _find_transfer_syntax(dataset)
    if syntax is None or not syntax.is_transfer_syntax:
        raise UserError(
            f"{path}: {EXPECTED} in a transfer syntax of the standard, found an unknown one; "
            "export it again as Explicit VR Little Endian"
        )
    from pydicom.pixels import pixel_array

    try:
        return pixel_array(dataset, decoding_plugin=_choose_plugin(syntax))
    except Exception as error:  # every plugin answers bad bytes with errors of its own
        if not syntax.is_compressed or syntax.name.startswith("Deflated"):
            raise _damaged(path) from error
        raise UserError(
            f"{path}: {EXPECTED} that can be decoded, found {syntax.name} that is damaged or that no "
            "installed decoder reads; pip install 'llmcxr[dicom]' for more, or export it uncompressed"
        ) from error


def _choose_plugin(syntax: UID) -> str:
    """The decoder to use, or empty for pydicom's choice. GDCM aborts on some damaged files: only if alone."""
    from pydicom.pixels import get_decoder

    try:
        plugins = get_decoder(syntax).available_plugins
    except NotImplementedError:  # told by decoding
        return ""
    return next((plugin for plugin in PREFERRED_PLUGINS if plugin in plugins), "")


def _find_transfer_syntax(dataset: DicomDataset) -> UID | None:
    """The declared transfer syntax; where none is, the one the file's encoding shows, then declared."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little = dataset.original_encoding
        if is_implicit is None:
            return None
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    return dataset.file_meta.TransferSyntaxUID
