"""Turn a picture that Pillow opened into brightness, (H, W) float32 in [0, 1]. Knows no DICOM.

What can be known before the pixels are decoded is asked first: a small file may hold gigabytes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import ExifTags, Image, ImageOps

from llmcxr.common.errors import UserError
from llmcxr.images import tiff
from llmcxr.images.header import to_luminance, warn_colour
from llmcxr.images.scaling import scale_floats, scale_integers

# A chest radiograph of 43 x 43 cm at 0.1 mm is 18 megapixels. What is within these limits is decoded within
# half a gigabyte, a model beside it within one.
MOST_PIXELS = 64 * 10**6
MOST_SAMPLES = 80 * 10**6  # pixels times channels, those of 32 bits twice: 20 megapixels with transparency
BLOCK_PIXELS = 2**20  # colours turned to luminance at a time
# raw modes of 16-bit colours, of which Pillow keeps the high bytes, and those that give the low bytes
LOW_BYTES = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B"}
SHALLOW = 64  # high bytes below it: colours of at most 14 bits


def check_size(width: int, height: int, channels: int = 1, is_deep: bool = False) -> None:
    """Raise UserError for a picture that would take gigabytes; `is_deep` has 32 bits a channel."""
    most = min(MOST_PIXELS, MOST_SAMPLES // channels // (1 + is_deep))
    if width * height > most:
        raise UserError(
            f"expected at most {most // 10**6} megapixels, found {width} x {height} pixels of "
            f"{channels} channels; shrink it first"
        )


def load(picture: Image.Image) -> None:
    """Decode a picture that was opened. Raises UserError for too large a one, and what Pillow raises."""
    check_size(*picture.size, len(picture.getbands()), picture.mode in ("I", "F"))
    tiff.correct_tiles(picture)
    picture.load()


def to_grey(
    picture: Image.Image, reopen: Callable[[], Image.Image] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Turn a loaded picture into brightness, upright as its EXIF says, and warnings.

    Colour becomes luminance, what is transparent black. `reopen` opens its file again, for the low bytes of
    16-bit colours where their high bytes hold little. Raises UserError for pixels that are no numbers.
    """
    upright = _turn(picture)
    if upright.mode in ("L", "1"):
        return scale_integers(np.asarray(upright.convert("L")))
    if upright.mode.startswith("I") or upright.mode == "F":
        pixels, warnings = _scale(upright, tiff.find_declared_bits(picture))
        if tiff.is_white_zero(picture):
            np.subtract(1, pixels, out=pixels)
        return pixels, warnings
    if reopen and upright.mode == "RGB" and max(high for _, high in upright.getextrema()) < SHALLOW:
        with reopen() as low:
            if choose_low_bytes(low):
                return _join_bytes(upright, _turn(low))
    return _to_luminance(upright)


def _turn(picture: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF says; one that stands upright is not copied."""
    is_upright = picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
    return picture if is_upright else ImageOps.exif_transpose(picture)


def _scale(picture: Image.Image, bits: int | None) -> tuple[np.ndarray, list[str]]:
    values = np.asarray(picture)
    return scale_floats(values) if picture.mode == "F" else scale_integers(values, bits)


def choose_low_bytes(picture: Image.Image) -> bool:
    """Let an opened picture of 16-bit colours give their low bytes. Returns whether it is one."""
    tiff.correct_tiles(picture)
    if tiff.is_planar(picture) and any(tile.codec_name == "libtiff" for tile in picture.tile):
        return False  # Pillow chooses the raw modes of compressed planes itself
    tiles = [tile._replace(args=_take_low_bytes(tile.args)) for tile in picture.tile]
    is_deep = tiles != picture.tile
    picture.tile = tiles
    return is_deep


def _take_low_bytes(arguments: object) -> object:
    """Change the raw mode in a tile's arguments, which are it alone or start with it."""
    if not isinstance(arguments, str):
        raw_mode, *rest = arguments or ("",)
        return (_take_low_bytes(raw_mode), *rest) if isinstance(raw_mode, str) else arguments
    order = arguments[-4:]
    return arguments[:-4] + LOW_BYTES[order] if order in LOW_BYTES else arguments


def _join_bytes(high: Image.Image, low: Image.Image) -> tuple[np.ndarray, list[str]]:
    colours, warnings = scale_integers(np.asarray(high).astype(np.uint16) * 256 + np.asarray(low))
    return to_luminance(colours), [*warnings, *warn_colour(colours[::4, ::4], "colour")]


def _to_luminance(picture: Image.Image) -> tuple[np.ndarray, list[str]]:
    """Turn colours into luminance, some rows at a time: their floats are twelve times a grey byte."""
    is_transparent = "A" in picture.mode or "transparency" in picture.info
    pixels = np.empty((picture.height, picture.width), np.float32)
    seen = []
    for top, block in _blocks(picture):
        if is_transparent:
            rgba = block.convert("RGBA")
            block = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
        colours = np.asarray(block.convert("RGB"), dtype=np.float32) / 255
        pixels[top : top + block.height] = to_luminance(colours)
        seen.append(colours[::4, ::4].copy())
    return pixels, warn_colour(np.concatenate(seen), "transparent" if is_transparent else "colour")


def _blocks(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield some rows after the other, each with the number of its first."""
    rows = max(4, BLOCK_PIXELS // picture.width // 4 * 4)
    for top in range(0, picture.height, rows):
        block = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        block.info = picture.info  # which palette entries are transparent
        yield top, block
