"""Open and decode a DICOM file, its bytes or a pydicom dataset. No error text holds a patient's data."""

from __future__ import annotations

import logging
import os
import sys
import warnings as python_warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from io import BytesIO
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


def is_dicom(source: Path | bytes) -> bool:
    """Return whether a file or its bytes are DICOM; a file also where its name claims so."""
    if isinstance(source, bytes):
        return source[128:132] == b"DICM"
    if source.suffix.lower() in (".dcm", ".dicom"):
        return True
    with source.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def is_dataset(source: object) -> bool:
    """Return whether it is a dataset of pydicom, which is imported where there is one."""
    return "pydicom" in sys.modules and isinstance(source, sys.modules["pydicom"].Dataset)


def read(
    source: str | os.PathLike | bytes | DicomDataset, name: str | os.PathLike | None = None
) -> tuple[np.ndarray, ImageHeader]:
    """Read one radiograph -> pixels (H, W) float32 in [0, 1], bright = dense, and its header.

    See `display.to_brightness` for how values are scaled. Raises UserError, with `name` or the path, for what
    is not DICOM, holds no pixels or several frames, cannot be decoded, or is damaged.
    """
    name = source if name is None else name
    with quiet():
        dataset = copy(source) if is_dataset(source) else _read_dataset(source, name)
        if "PixelData" not in dataset:
            raise UserError(f"{name}: {EXPECTED}, found DICOM without pixels; choose the file with the image")
        frames = get_number(dataset, "NumberOfFrames") or 1
        if frames > 1:
            raise UserError(f"{name}: {EXPECTED} of one frame, found {frames:.0f}; export one frame alone")
        stored = _decode(name, dataset)
        try:
            pixels, warnings = to_brightness(stored, dataset)
        except Exception as error:  # pydicom answers malformed tables with any kind of error
            raise UserError(
                f"{name}: {EXPECTED} with a complete rescale, window or VOI LUT, found a malformed one; "
                "export it again"
            ) from error
        header = _build_header(name, dataset)
    return pixels, replace(header, warnings=(*header.warnings, *warnings))


def read_header(path: str | os.PathLike) -> tuple[ImageHeader, DicomDataset]:
    """Read the header of a DICOM file, and pydicom's view of it (ask it under `quiet`), not its pixels."""
    with quiet():
        dataset = _read_dataset(path, path, stop_before_pixels=True)
        return _build_header(path, dataset), dataset


def _build_header(name: str | os.PathLike, dataset: DicomDataset) -> ImageHeader:
    try:
        return build_header(dataset)
    except Exception as error:  # elements are parsed when they are asked for
        raise _damaged(name) from error


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


def _read_dataset(
    source: str | os.PathLike | bytes, name: str | os.PathLike, **options: bool
) -> DicomDataset:
    pydicom = _import_pydicom()
    open_source = lambda: BytesIO(source) if isinstance(source, bytes) else source  # noqa: E731
    try:
        return pydicom.dcmread(open_source(), **options)
    except pydicom.errors.InvalidDicomError:
        return _read_bare_dataset(open_source(), name, **options)
    except FileNotFoundError as error:
        raise UserError(f"{name}: {EXPECTED}, found no such file; check the path") from error
    except Exception as error:  # pydicom answers damaged bytes with any kind of error
        raise _damaged(name) from error


def _read_bare_dataset(
    source: str | os.PathLike | BytesIO, name: str | os.PathLike, **options: bool
) -> DicomDataset:
    """Read a file without DICOM's preamble, as some archives write it; refuse what is not DICOM at all."""
    try:
        dataset = _import_pydicom().dcmread(source, force=True, **options)
        is_dataset = "SOPClassUID" in dataset or "Rows" in dataset
    except Exception as error:
        raise _not_dicom(name) from error
    if not is_dataset:
        raise _not_dicom(name)
    return dataset


def _import_pydicom():
    try:
        import pydicom
    except ImportError as error:
        raise UserError("reading DICOM needs pydicom: pip install 'llmcxr[dicom]'") from error
    return pydicom


def _not_dicom(name: str | os.PathLike) -> UserError:
    return UserError(f"{name}: {EXPECTED}, found a file that is not DICOM; give it the ending of what it is")


def _damaged(name: str | os.PathLike) -> UserError:
    return UserError(f"{name}: {EXPECTED}, found a file cut short or damaged; copy or export it again")


def _decode(name: str | os.PathLike, dataset: DicomDataset) -> np.ndarray:
    """Return the stored values, (H, W) or (H, W, 3); pydicom's plugins decode compressed ones."""
    syntax = _find_transfer_syntax(dataset)
    if syntax is None or not syntax.is_transfer_syntax:
        raise UserError(
            f"{name}: {EXPECTED} in a transfer syntax of the standard, found an unknown one; "
            "export it again as Explicit VR Little Endian"
        )
    from pydicom.pixels import pixel_array

    try:
        return pixel_array(dataset, decoding_plugin=_choose_plugin(syntax))
    except Exception as error:  # every plugin answers bad bytes with errors of its own
        if not syntax.is_compressed or syntax.name.startswith("Deflated"):
            raise _damaged(name) from error
        raise UserError(
            f"{name}: {EXPECTED} that can be decoded, found {syntax.name} that is damaged or that no "
            "installed decoder reads; pip install 'llmcxr[dicom]' for more, or export it uncompressed"
        ) from error


def _choose_plugin(syntax: UID) -> str:
    """Choose the decoder, or empty for pydicom's choice. GDCM aborts on some damaged files: only if alone."""
    from pydicom.pixels import get_decoder

    try:
        plugins = get_decoder(syntax).available_plugins
    except NotImplementedError:  # decoding says so
        return ""
    return next((plugin for plugin in PREFERRED_PLUGINS if plugin in plugins), "")


def _find_transfer_syntax(dataset: DicomDataset) -> UID | None:
    """Find the declared transfer syntax; where none is, the one the file's encoding shows, then declared."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    dataset.file_meta = copy(getattr(dataset, "file_meta", FileMetaDataset()))  # the user's stays as it is
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little = dataset.original_encoding
        if is_implicit is None:
            return None
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    return dataset.file_meta.TransferSyntaxUID
