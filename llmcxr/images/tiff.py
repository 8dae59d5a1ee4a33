"""Let Pillow read the TIFF files that it refuses or misreads. Knows no brightness.

Pillow's table of pixel layouts, OPEN_INFO, lacks layouts of the baseline standard that scanners write; planes
of 16 bits it takes for planes of 8; and white where 0 is white stays 0 where there are more than 8 bits.
"""

from __future__ import annotations

from PIL import Image, TiffImagePlugin

LITTLE, BIG = b"II", b"MM"
PHOTOMETRIC, BITS_PER_SAMPLE, ORIENTATION, PLANES = 262, 258, 274, 284  # tags of TIFF 6.0
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # its sample formats

# (byte order, sample format, bits) -> Pillow's mode and raw mode of one grey sample
_GREY = {
    (LITTLE, UNSIGNED, 12): ("I;16", "I;12"),
    (BIG, UNSIGNED, 12): ("I;16", "I;12"),
    (LITTLE, UNSIGNED, 16): ("I;16", "I;16"),
    (BIG, UNSIGNED, 16): ("I;16B", "I;16B"),
    (LITTLE, SIGNED, 16): ("I", "I;16S"),
    (BIG, SIGNED, 16): ("I", "I;16BS"),
    (LITTLE, UNSIGNED, 32): ("I", "I;32N"),
    (BIG, UNSIGNED, 32): ("I", "I;32B"),
    (LITTLE, SIGNED, 32): ("I", "I;32S"),
    (BIG, SIGNED, 32): ("I", "I;32BS"),
    (LITTLE, FLOAT, 32): ("F", "F;32F"),
    (BIG, FLOAT, 32): ("F", "F;32BF"),
    (LITTLE, FLOAT, 64): ("F", "F;64F"),
    (BIG, FLOAT, 64): ("F", "F;64BF"),
}
for (_order, _format, _bits), _modes in _GREY.items():
    for _photometric in (0, 1):
        _layout = (_order, _photometric, (_format,), 1, (_bits,), ())
        TiffImagePlugin.OPEN_INFO.setdefault(_layout, _modes)

# what libtiff gives is in the machine's byte order, whatever the file's
_NATIVE = {"I;32B": "I;32N", "I;32BS": "I;32NS", "F;32BF": "F;32NF", "F;64BF": "F;64NF", "I;16BS": "I;16NS"}


def correct_tiles(picture: Image.Image) -> None:
    """Correct how the pixels of an opened TIFF are going to be unpacked."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return
    if picture.tag_v2.get(ORIENTATION, 1) > 4:
        picture.filename = ""  # Pillow maps files with a name into memory, these with rows for columns
    has_deep_planes = is_planar(picture) and picture.tag_v2.get(BITS_PER_SAMPLE, (8,))[0] == 16
    order = ";16L" if picture.tag_v2.prefix == LITTLE else ";16B"
    tiles = []
    for tile in picture.tile:
        raw_mode, *rest = tile.args
        if tile.codec_name == "libtiff":
            raw_mode = _NATIVE.get(raw_mode, raw_mode)
        elif has_deep_planes and raw_mode in ("R", "G", "B", "A"):
            raw_mode += order
        tiles.append(tile._replace(args=(raw_mode, *rest)))
    picture.tile = tiles


def is_planar(picture: Image.Image) -> bool:
    """Tell whether an opened picture is a TIFF that holds one colour after the other."""
    return isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.tag_v2.get(PLANES, 1) == 2


def is_white_zero(picture: Image.Image) -> bool:
    """Tell whether white is stored as 0 and Pillow left it so, as it does beyond 8 bits."""
    is_tiff = isinstance(picture, TiffImagePlugin.TiffImageFile)
    return is_tiff and picture.tag_v2.get(PHOTOMETRIC) == 0 and picture.mode not in ("1", "L", "P")


def find_declared_bits(picture: Image.Image) -> int | None:
    """Return the bits of a TIFF's one sample where they are packed to fewer than 16, else None."""
    is_tiff = isinstance(picture, TiffImagePlugin.TiffImageFile)
    bits = picture.tag_v2.get(BITS_PER_SAMPLE, (8,)) if is_tiff else (16,)
    return bits[0] if 8 < bits[0] < 16 else None
