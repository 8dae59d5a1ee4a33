"""Write pictures as Pillow does not: byte by byte, after the PNG and TIFF 6.0 standards."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, RGB = 0, 2  # PNG's colour types of 16 bits
NAMES = {
    (16, 1): "u2",
    (16, 2): "i2",
    (32, 1): "u4",
    (32, 2): "i4",
    (32, 3): "f4",
    (64, 3): "f8",
    (8, 1): "u1",
}
DEFLATE = 8


def make_png(values: np.ndarray) -> bytes:
    """Make a PNG of 16 bits of (H, W) or (H, W, 3) integers."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, RGB if values.ndim == 3 else GREY, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def make_tiff(
    values: np.ndarray,
    bits: int = 16,
    sample_format: int = 1,
    photometric: int = 1,
    order: str = "<",
    planar: bool = False,
    compression: int = 1,
) -> bytes:
    """Make a TIFF of (H, W), or (H, W, C) with `photometric` 2, in one strip, or one of each plane."""
    channels = values.shape[2] if values.ndim == 3 else 1
    planes = np.moveaxis(values, -1, 0) if planar else [values]
    strips = [plane.astype(order + NAMES[bits, sample_format]).tobytes() for plane in planes]
    strips = [zlib.compress(strip) for strip in strips] if compression == DEFLATE else strips
    lengths = [len(strip) for strip in strips]
    body = b"".join(strips) + b"\0" * (sum(lengths) % 2)
    starts = [8 + sum(lengths[:place]) for place in range(len(lengths))]
    entries = [
        (256, "I", [values.shape[1]]),
        (257, "I", [values.shape[0]]),
        (258, "H", [bits] * channels),
        (259, "H", [compression]),
        (262, "H", [photometric]),
        (273, "I", starts),
        (277, "H", [channels]),
        (278, "I", [values.shape[0]]),
        (279, "I", lengths),
        (284, "H", [2 if planar else 1]),
        (339, "H", [sample_format] * channels),
    ]
    return _join(entries, body, order)


def _join(entries: list[tuple[int, str, list[int]]], body: bytes, order: str) -> bytes:
    """Put the header, the pixels and the directory one after the other; long values follow it."""
    start = 8 + len(body)
    outside, directory = b"", struct.pack(f"{order}H", len(entries))
    for tag, kind, numbers in entries:
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(data) > 4:
            place = start + 2 + 12 * len(entries) + 4 + len(outside)
            outside, data = outside + data, struct.pack(f"{order}I", place)
        directory += struct.pack(f"{order}HHI", tag, 3 if kind == "H" else 4, len(numbers)) + data.ljust(
            4, b"\0"
        )
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", start) + body + directory + b"\0\0\0\0" + outside
