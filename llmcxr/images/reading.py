"""Read radiographs, whatever they come as -> (H, W) float32 in [0, 1], bright = dense. Knows no models."""

from __future__ import annotations

import os
import warnings as python_warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from llmcxr.common.errors import UserError
from llmcxr.images import dicom
from llmcxr.images.checks import warn_unlike_chest
from llmcxr.images.header import ImageHeader, measure_colour, to_luminance
from llmcxr.images.writing import SYNTHETIC_KEY

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

Source: TypeAlias = "str | os.PathLike | bytes | Image.Image | np.ndarray | DicomDataset"
SMALLEST_SIDE = 16  # below this there is nothing to see
FORMATS = ("PNG", "JPEG", "JPEG2000", "TIFF", "BMP", "PPM", "WEBP", "GIF")  # none that starts a program
EXPECTED = "expected a PNG, JPEG or DICOM radiograph"


def read(source: Source) -> np.ndarray:
    """Read a radiograph as (H, W) float32 in [0, 1], bright = dense. See `read_with_header`."""
    return read_with_header(source)[0]


def read_with_header(source: Source) -> tuple[np.ndarray, ImageHeader]:
    """Read a radiograph -> (H, W) float32 in [0, 1], bright = dense, and its header.

    `source` is the path or the bytes of a PNG (8 or 16 bit), JPEG or DICOM file, a Pillow image, a pydicom
    dataset, or an array in [0, 1], (H, W) or in colour.

    Colour becomes luminance, transparency black, and a photograph is turned as its EXIF says. A 16-bit file
    whose values all fit 12 bits is scaled by 4095. What is odd but readable (colour, a lateral view, an even
    grey) is a sentence in `header.warnings`; what cannot be read is a UserError that names the file.
    """
    if isinstance(source, np.ndarray):
        return _read_array(source)
    if isinstance(source, Image.Image):
        return _read_picture(source, "the picture")
    if dicom.is_dataset(source):
        return _check_picture("the DICOM dataset", *dicom.read(source, "the DICOM dataset"))
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_file(bytes(source), "the bytes")
    if isinstance(source, str | os.PathLike):
        return _read_file(_check_file(Path(source)), Path(source))
    raise UserError(
        f"{EXPECTED} as a path, bytes, a Pillow image, an array or a pydicom dataset, found "
        f"{type(source).__name__}"
    )


def _read_file(source: Path | bytes, name: str | os.PathLike) -> tuple[np.ndarray, ImageHeader]:
    if dicom.is_dicom(source):
        return _check_picture(name, *dicom.read(source, name))
    if not source:
        raise UserError(f"{name}: {EXPECTED}, found none at all; send the whole file")
    file = BytesIO(source) if isinstance(source, bytes) else source
    with _explain(name), Image.open(file, formats=FORMATS) as picture:
        picture.load()
        return _read_picture(picture, name)


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """Read the rows and columns of a PNG, JPEG or similar file from its first bytes: no pixel is decoded."""
    path = Path(path)
    _check_file(path)
    with _explain(path), Image.open(path, formats=FORMATS) as picture:
        return picture.height, picture.width


def is_colour(pixels: np.ndarray) -> bool:
    """Return whether an array is one picture in colour, (H, W, 3) or with transparency (H, W, 4)."""
    return pixels.ndim == 3 and pixels.shape[-1] in (3, 4)


def _read_array(pixels: np.ndarray) -> tuple[np.ndarray, ImageHeader]:
    """Read an array in [0, 1] by the rules of a file.

    Raises UserError for another shape, for values outside [0, 1] or not finite, and for too small a picture.
    """
    in_colour = is_colour(pixels)
    if not (in_colour or pixels.ndim == 2) or not np.isfinite(pixels).all():
        raise UserError(
            "an image array must be (H, W), or (H, W, 3) in colour, with finite values in [0, 1], "
            f"got shape {pixels.shape}"
        )
    if pixels.size and (pixels.min() < 0 or pixels.max() > 1):
        raise UserError(f"an image array must lie in [0, 1], got {pixels.min():g}..{pixels.max():g}")
    grey, warnings = pixels.astype(np.float32), []
    if in_colour:
        transparent = grey.shape[-1] == 4
        colours = grey[..., :3] * grey[..., 3:] if transparent else grey  # on black, as a file's
        grey = to_luminance(colours)
        warnings = _warn_colour(colours, "transparent" if transparent else "colour")
    return _check_picture("the image array", grey, ImageHeader(warnings=tuple(warnings)))


def _check_file(path: Path) -> Path:
    if path.is_dir():
        raise UserError(f"{path}: {EXPECTED}, found a folder; name a file in it")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except PermissionError as error:
        raise UserError(
            f"{path}: {EXPECTED}, found a file that may not be read; change its permissions"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(f"{path}: {EXPECTED}, found no such file; check the path") from error
    if empty:
        raise UserError(f"{path}: {EXPECTED}, found an empty file; copy or export it again")
    return path


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
        most = 2 * Image.MAX_IMAGE_PIXELS // 10**6
        raise UserError(f"{name}: expected at most {most} megapixels, found more; shrink it first") from error
    except Exception as error:  # Pillow answers damaged bytes with any kind of error
        raise UserError(
            f"{name}: {EXPECTED}, found a picture that is cut short or damaged; copy or export it again"
        ) from error


def _read_picture(picture: Image.Image, name: str | os.PathLike) -> tuple[np.ndarray, ImageHeader]:
    warnings = []
    if SYNTHETIC_KEY in {str(key).lower() for key in picture.info}:
        warnings.append("the file says that it is a synthetic image, not a radiograph of a patient")
    if getattr(picture, "n_frames", 1) > 1 and picture.format != "MPO":
        warnings.append(f"the file holds {picture.n_frames} pictures; only the first is read")
    pixels, colour_warnings = _to_grey(ImageOps.exif_transpose(picture))
    return _check_picture(name, pixels, ImageHeader(warnings=(*warnings, *colour_warnings)))


def _check_picture(
    name: str | os.PathLike, pixels: np.ndarray, header: ImageHeader
) -> tuple[np.ndarray, ImageHeader]:
    """Refuse what is too small to hold a chest, and add to the header's warnings what its pixels show."""
    if min(pixels.shape) < SMALLEST_SIDE:
        raise UserError(
            f"{name}: expected a radiograph of at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, "
            f"found {pixels.shape[0]} x {pixels.shape[1]}; use the full picture"
        )
    return pixels, replace(header, warnings=(*header.warnings, *warn_unlike_chest(pixels)))


def _to_grey(picture: Image.Image) -> tuple[np.ndarray, list[str]]:
    if picture.mode in ("L", "1"):
        return np.asarray(picture.convert("L"), dtype=np.float32) / 255, []
    if picture.mode.startswith("I"):
        return _scale_integers(np.asarray(picture).astype(np.float32))
    if picture.mode == "F":
        return _scale_floats(np.asarray(picture))
    transparent = "A" in picture.mode or "transparency" in picture.info
    if transparent:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    colours = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    return to_luminance(colours), _warn_colour(colours, "transparent" if transparent else "colour")


def _warn_colour(colours: np.ndarray, kind: str) -> list[str]:
    coloured = measure_colour(colours[::4, ::4])
    if coloured > 0.02:
        return [
            f"{coloured:.0%} of the picture is coloured: it does not look like a radiograph; "
            "only its brightness is read"
        ]
    return [f"stored as a {kind} picture; only its brightness is read"]


def _scale_integers(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    if values.min(initial=0) < 0:
        return _scale_floats(values)[0], ["negative values: scaled by their range"]
    top = float(values.max(initial=0))
    if 255 < top <= 4095:
        return values / 4095, ["16-bit file with 12-bit values: scaled by 4095"]
    if top <= 65535:
        return values / 65535, []
    return values / top, ["32-bit values: scaled by the largest"]


def _scale_floats(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return values, []
    return (values - low) / max(high - low, 1e-12), [
        "floating-point values outside 0 to 1: scaled by their range"
    ]
