"""Read radiographs, whatever they come as -> (H, W) float32 in [0, 1], bright = dense. Knows no models."""

from __future__ import annotations

import os
import stat
import warnings as python_warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from llmcxr.common.errors import UserError
from llmcxr.images import dicom, picture
from llmcxr.images.arrays import is_tensor, read_array, to_array
from llmcxr.images.checks import warn_unlike_chest
from llmcxr.images.header import ImageHeader
from llmcxr.images.scaling import check_brightness
from llmcxr.images.writing import SYNTHETIC_KEY

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset
    from torch import Tensor

Source: TypeAlias = "str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray | Tensor | DicomDataset"
SMALLEST_SIDE = 16  # below this there is nothing to see
FORMATS = ("PNG", "JPEG", "JPEG2000", "TIFF", "BMP", "PPM", "WEBP", "GIF")  # none that starts a program
EXPECTED = "expected a PNG, JPEG or DICOM radiograph"
MOST_BYTES = 2**30  # of a file object, which may have no end


def read(source: Source) -> np.ndarray:
    """Read a radiograph as (H, W) float32 in [0, 1], bright = dense. See `read_with_header`."""
    return read_with_header(source)[0]


def read_with_header(source: Source) -> tuple[np.ndarray, ImageHeader]:
    """Read a radiograph -> (H, W) float32 in [0, 1], bright = dense, and its header.

    `source` is the path or the bytes of a PNG (8 or 16 bit), JPEG, TIFF or DICOM file, a file object of it, a
    Pillow image, a pydicom dataset, or an array or tensor: floats in [0, 1] or integers, (H, W) or in colour.

    Colour becomes luminance, transparency black, and a photograph is turned as its EXIF says. Integers of 8,
    10, 12 or 14 bits in 16 are scaled as `scaling` says. What is odd but readable (colour, a lateral view, an
    even grey) is a sentence in `header.warnings`; what cannot be read, is not finite or would take gigabytes
    is a UserError that names the file.
    """
    if isinstance(source, str | os.PathLike):
        return _read_file(_check_file(Path(source)), Path(source))
    if isinstance(source, np.ndarray) or is_tensor(source):
        return _read_array(source)
    if isinstance(source, Image.Image):
        with _explain("the picture"):
            return _read_picture(source, "the picture")
    if dicom.is_dataset(source):
        return _check_picture("the DICOM dataset", *dicom.read(source, "the DICOM dataset"))
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_file(bytes(source), "the bytes")
    if hasattr(source, "read"):
        return _read_file(_read_bytes(source), "the file object")
    raise UserError(
        f"{EXPECTED} as a path, bytes, a file object, a Pillow image, an array, a tensor or a pydicom "
        f"dataset, found {type(source).__name__}"
    )


def _read_bytes(file: BinaryIO) -> bytes:
    try:
        content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError, TypeError) as error:  # closed, opened for writing, or no file at all
        raise UserError(f"the file object: {EXPECTED}, found one that cannot be read ({error})") from error
    if not isinstance(content, bytes):
        raise UserError(f"the file object: {EXPECTED}, found one that gives text; open it with mode 'rb'")
    if len(content) > MOST_BYTES:
        raise UserError(f"the file object: {EXPECTED}, found more than {MOST_BYTES / 1e9:.0f} GB")
    return content


def _read_file(source: Path | bytes, name: str | os.PathLike) -> tuple[np.ndarray, ImageHeader]:
    if dicom.is_dicom(source):
        return _check_picture(name, *dicom.read(source, name))
    if not source:
        raise UserError(f"{name}: {EXPECTED}, found none at all; send the whole file")

    def reopen() -> Image.Image:
        return Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)

    with _explain(name), reopen() as opened:
        return _read_picture(opened, name, reopen)


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """Read the rows and columns of a PNG, JPEG or similar file from its first bytes: no pixel is decoded."""
    path = Path(path)
    _check_file(path)
    with _explain(path), Image.open(path, formats=FORMATS) as opened:
        return opened.height, opened.width


def _read_array(source: np.ndarray | Tensor) -> tuple[np.ndarray, ImageHeader]:
    """Read an array or tensor by the rules of a file."""
    name = "the image tensor" if is_tensor(source) else "the image array"
    with _naming(name):
        grey, warnings = read_array(to_array(source) if is_tensor(source) else source)
    return _check_picture(name, grey, ImageHeader(warnings=tuple(warnings)))


def _check_file(path: Path) -> Path:
    """Refuse what is no file that can be read, without opening what would wait for a writer."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"{path}: {EXPECTED}, found a folder; name a file in it")
        if not stat.S_ISREG(mode):
            raise UserError(f"{path}: {EXPECTED}, found a pipe or a device; copy it into a file first")
        with path.open("rb") as file:
            empty = not file.read(1)
    except PermissionError as error:
        raise UserError(
            f"{path}: {EXPECTED}, found a file that may not be read; change its permissions"
        ) from error
    except UserError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(f"{path}: {EXPECTED}, found no such file; check the path") from error
    if empty:
        raise UserError(f"{path}: {EXPECTED}, found an empty file; copy or export it again")
    return path


@contextmanager
def _naming(name: str | os.PathLike) -> Iterator[None]:
    """Put the picture's name before what a UserError says of its pixels."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


@contextmanager
def _explain(name: str | os.PathLike) -> Iterator[None]:
    """Turn what Pillow raises on a bad file into a UserError, and keep its warnings off the screen."""
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(
            f"{name}: {EXPECTED}, found a file that is none of these; convert it to one of them"
        ) from error
    except Image.DecompressionBombError as error:
        most = picture.MOST_PIXELS // 10**6
        raise UserError(f"{name}: expected at most {most} megapixels, found more; shrink it first") from error
    except Exception as error:  # Pillow answers damaged bytes with any kind of error
        raise UserError(
            f"{name}: {EXPECTED}, found a picture that is cut short or damaged; copy or export it again"
        ) from error


def _read_picture(
    opened: Image.Image, name: str | os.PathLike, reopen: Callable[[], Image.Image] | None = None
) -> tuple[np.ndarray, ImageHeader]:
    with _naming(name):
        picture.load(opened)
        pixels, warnings = picture.to_grey(opened, reopen)
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
        warnings.insert(0, f"the file holds {opened.n_frames} pictures; only the first is read")
    if SYNTHETIC_KEY in {str(key).lower() for key in opened.info}:
        warnings.insert(0, "the file says that it is a synthetic image, not a radiograph of a patient")
    return _check_picture(name, pixels, ImageHeader(warnings=tuple(warnings)))


def _check_picture(
    name: str | os.PathLike, pixels: np.ndarray, header: ImageHeader
) -> tuple[np.ndarray, ImageHeader]:
    """Refuse what is too small to hold a chest, and add to the header's warnings what its pixels show."""
    if min(pixels.shape) < SMALLEST_SIDE:
        raise UserError(
            f"{name}: expected a radiograph of at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, "
            f"found {pixels.shape[0]} x {pixels.shape[1]}; use the full picture"
        )
    with _naming(name):
        check_brightness(pixels)
    return pixels, replace(header, warnings=(*header.warnings, *warn_unlike_chest(pixels)))
