"""Read from a compressed picture's first bytes how large it is, before anything is unpacked: JPEG, JPEG-LS
and JPEG 2000. Knows no DICOM but its fragments.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from

FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # JPEG's 13 kinds of frames and JPEG-LS'
LONE_MARKERS = {0x01, *range(0xD0, 0xD9)}  # no length follows


@dataclass(frozen=True)
class StreamHeader:
    """Holds a compressed picture's size, components and bits by value; all 0 where it is of another kind."""

    rows: int = 0
    columns: int = 0
    components: int = 0
    bits: int = 0


def read_stream_header(data: bytes) -> StreamHeader:
    """Read it from encapsulated pixel data of one frame. Raises whatever pydicom and struct raise."""
    from pydicom.encaps import get_frame

    stream = get_frame(data, 0, number_of_frames=1)
    start = stream[:256].find(b"\xff\x4f\xff\x51")  # JPEG 2000, after any boxes of JP2
    if start >= 0:
        right, bottom, left, top = unpack_from(">4I", stream, start + 8)
        components, depth = unpack_from(">HB", stream, start + 40)
        return StreamHeader(bottom - top, right - left, components, (depth & 0x7F) + 1)
    return _read_jpeg_header(stream) if stream[:2] == b"\xff\xd8" else StreamHeader()


def _read_jpeg_header(stream: bytes) -> StreamHeader:
    place = 2
    while place + 4 <= len(stream):
        prefix, marker, length = unpack_from(">BBH", stream, place)
        if prefix != 0xFF:
            break
        if marker in FRAME_MARKERS:
            bits, rows, columns, components = unpack_from(">BHHB", stream, place + 4)
            return StreamHeader(rows, columns, components, bits)
        if marker == 0xFF:  # a fill byte
            place += 1
        else:
            place += 2 if marker in LONE_MARKERS else 2 + length
    return StreamHeader()
