"""Read, fit and write radiographs: files <-> (H, W) float32 in [0, 1], bright = dense. Knows no models.

H, W are a picture's own rows and columns; a fitted picture has the size that a model wants.
"""

from __future__ import annotations

import os
import warnings as python_warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing
from llmcxr.images import dicom
from llmcxr.images.checks import warn_unlike_chest
from llmcxr.images.header import ImageHeader, measure_colour, to_luminance

__all__ = [
    "ImageHeader",
    "Padding",
    "fit",
    "from_pil",
    "place",
    "read",
    "read_size",
    "read_with_header",
    "unfit",
    "write_png",
]

SMALLEST_SIDE = 16  # below this there is nothing to see
FORMATS = (
    "PNG",
    "JPEG",
    "JPEG2000",
    "TIFF",
    "BMP",
    "PPM",
    "WEBP",
    "GIF",
)  # none that starts a program
EXPECTED = "expected a PNG, JPEG or DICOM radiograph"
SYNTHETIC_KEY = "synthetic"  # the PNG text chunk that marks a drawn image


@dataclass(frozen=True)
class Padding:
    """How `fit` placed a picture: enough to take a fitted picture, or a point on it, back to its own size."""

    own_size: tuple[int, int]  # rows, columns of the picture before fitting
    size: tuple[int, int]  # rows, columns after fitting
    top: int
    left: int
    height: int  # rows and columns of the fitted picture that hold picture, the rest is 0
    width: int

    @property
    def content(self) -> tuple[slice, slice]:
        """The part of the fitted picture that holds picture: `fitted[padding.content]`."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def read(path: str | os.PathLike) -> np.ndarray:
    """Read a radiograph as (H, W) float32 in [0, 1], bright = dense. See `read_with_header`."""
    return read_with_header(path)[0]


def read_with_header(path: str | os.PathLike) -> tuple[np.ndarray, ImageHeader]:
    """Read PNG (8 or 16 bit), JPEG or DICOM -> (H, W) float32 in [0, 1], bright = dense, and the header.

    Colour becomes luminance, transparency black, and a photograph is turned as its EXIF says. A 16-bit file
    whose values all fit 12 bits is scaled by 4095. What is odd but readable (colour, a lateral view, an even
    grey) is a sentence in `header.warnings`; what cannot be read is a UserError that names the file.
    """
    path = Path(path)
    if dicom.is_dicom(_check_file(path)):
        return _check_picture(path, *dicom.read(path))
    with _explain(path), Image.open(path, formats=FORMATS) as picture:
        picture.load()
        return _read_picture(picture, path)


def read_size(path: str | os.PathLike) -> tuple[int, int]:
    """The rows and columns of a PNG, JPEG or similar file, from its first bytes: no pixel is decoded."""
    path = Path(path)
    _check_file(path)
    with _explain(path), Image.open(path, formats=FORMATS) as picture:
        return picture.height, picture.width


def from_pil(picture: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    """A Pillow image -> pixels (H, W) float32 in [0, 1] and warnings, by the same rules as a file."""
    pixels, header = _read_picture(picture, "the picture")
    return pixels, header.warnings


def is_colour(pixels: np.ndarray) -> bool:
    """Whether an array is one picture in colour, (H, W, 3) or with transparency (H, W, 4)."""
    return pixels.ndim == 3 and pixels.shape[-1] in (3, 4)


def from_array(pixels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """An array in [0, 1], (H, W) or in colour, -> pixels (H, W) float32 and warnings, as of a file.

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
        grey, warnings = (
            to_luminance(colours),
            _warn_colour(colours, "transparent" if transparent else "colour"),
        )
    grey, header = _check_picture("the image array", grey, ImageHeader(warnings=tuple(warnings)))
    return grey, header.warnings


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
def _explain(path: Path) -> Iterator[None]:
    """Turn what Pillow raises on a bad file into a UserError, and keep its warnings off the screen."""
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except UnidentifiedImageError as error:
        raise UserError(
            f"{path}: {EXPECTED}, found a file that is none of these; convert it to one of them"
        ) from error
    except Image.DecompressionBombError as error:
        most = 2 * Image.MAX_IMAGE_PIXELS // 10**6
        raise UserError(f"{path}: expected at most {most} megapixels, found more; shrink it first") from error
    except Exception as error:  # Pillow answers damaged bytes with any kind of error
        raise UserError(
            f"{path}: {EXPECTED}, found a picture that is cut short or damaged; copy or export it again"
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


def fit(image: np.ndarray, size: int | tuple[int, int]) -> tuple[np.ndarray, Padding]:
    """Letterbox a picture (H, W) to `size` (a side, or rows and columns): aspect kept, centred, 0 around it.

    Shrinking averages exactly over each new pixel's area (antialiased); enlarging is bilinear. Returns
    float32 and the Padding that `unfit` needs. Raises ValueError for a size below 1 or pixels not (H, W).
    """
    if image.ndim != 2 or 0 in image.shape:
        raise ValueError(f"expected pixels of shape (H, W), got {image.shape}")
    padding = place(image.shape, size)
    fitted = np.zeros(padding.size, dtype=np.float32)
    fitted[padding.content] = _resize(image, padding.height, padding.width)
    return fitted, padding


def place(own_size: tuple[int, int], size: int | tuple[int, int]) -> Padding:
    """Where `fit` puts a picture of `own_size` rows and columns, without its pixels."""
    rows, columns = (size, size) if isinstance(size, int | np.integer) else size
    if rows < 1 or columns < 1:
        raise ValueError(f"expected a size of at least 1 x 1, got {rows} x {columns}")
    own_rows, own_columns = own_size
    scale = min(rows / own_rows, columns / own_columns)
    height = min(rows, max(1, round(own_rows * scale)))
    width = min(columns, max(1, round(own_columns * scale)))
    return Padding(
        (own_rows, own_columns), (rows, columns), (rows - height) // 2, (columns - width) // 2, height, width
    )


def unfit(fitted: np.ndarray, padding: Padding) -> np.ndarray:
    """Undo `fit`: cut the padding off and resize to the picture's own (H, W). Returns float32."""
    if fitted.shape != padding.size:
        raise ValueError(f"expected a fitted picture of shape {padding.size}, got {fitted.shape}")
    return _resize(fitted[padding.content], *padding.own_size)


def _resize(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    image = np.asarray(image, dtype=np.float32)
    shrunk = _average_rows(image, min(rows, image.shape[0]))
    shrunk = _average_rows(shrunk.T, min(columns, image.shape[1])).T
    if shrunk.shape == (rows, columns):
        return np.ascontiguousarray(shrunk)
    picture = Image.fromarray(np.ascontiguousarray(shrunk))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR), dtype=np.float32)


def _average_rows(image: np.ndarray, rows: int) -> np.ndarray:
    """(H, W) -> (rows, W), rows <= H: the mean over each new row's exact share of the old ones."""
    own_rows = image.shape[0]
    if rows == own_rows:
        return image
    if own_rows % rows == 0:
        return image.reshape(rows, own_rows // rows, -1).mean(axis=1, dtype=np.float32)
    edges = np.arange(rows + 1) * (own_rows / rows)
    first = np.minimum(edges.astype(int), own_rows - 1)  # the old row that each edge cuts
    cut_off = (edges - first).astype(np.float32)[:, None]  # and the part of it before the edge
    cut_off[-1] = 0  # the last edge cuts none
    sums = np.add.reduceat(image, first[:-1], axis=0)
    sums += cut_off[1:] * image[first[1:]] - cut_off[:-1] * image[first[:-1]]
    return sums * np.float32(rows / own_rows)


def write_png(path: str | os.PathLike, image: np.ndarray, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a picture (H, W) in [0, 1] as 8-bit grey PNG with `metadata` text chunks, whole or not at all."""
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"expected finite pixels of shape (H, W), got shape {image.shape}")
    chunks = PngImagePlugin.PngInfo()
    for key, value in (metadata or {}).items():
        chunks.add_text(str(key), str(value))
    with replacing(path) as beside:
        values = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
        Image.fromarray(values).save(beside, format="PNG", pnginfo=chunks)
    return Path(path)
