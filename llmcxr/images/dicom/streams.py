"""Read from a compressed picture's first bytes how large it is, before anything is unpacked: JPEG, JPEG-LS
and JPEG 2000. Knows no DICOM but its fragments.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from

FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # JPEG's 13 kinds of frames and JPEG-LS'
LONE_MARKERS = {0x01, *range(0xD0, 0xD9)}  # no length follows


ITEM = b"\xfe\xff\x00\xe0"  # the tag with which encapsulated pixel data begin
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
JPEG_KINDS = {  # marker of a frame: transfer syntax
    0xC0: "1.2.840.10008.1.2.4.50",
    0xC1: "1.2.840.10008.1.2.4.51",
    0xC3: "1.2.840.10008.1.2.4.57",
    0xF7: "1.2.840.10008.1.2.4.80",
}


@dataclass(frozen=True)
class StreamHeader:
    """Holds a compressed picture's size, components, bits by value and the transfer syntax that its bytes
    show; 0 or empty where it is of another kind.
    """

    rows: int = 0
    columns: int = 0
    components: int = 0
    bits: int = 0
    syntax: str = ""


def read_stream_header(data: bytes) -> StreamHeader:
    """Read it from encapsulated pixel data of one frame. Raises whatever pydicom and struct raise."""
    from pydicom.encaps import get_frame

    stream = get_frame(data, 0, number_of_frames=1)
    start = stream[:256].find(b"\xff\x4f\xff\x51")  # JPEG 2000, after any boxes of JP2
    if start >= 0:
        right, bottom, left, top = unpack_from(">4I", stream, start + 8)
        components, depth = unpack_from(">HB", stream, start + 40)
        return StreamHeader(bottom - top, right - left, components, (depth & 0x7F) + 1, JPEG_2000)
    if stream[:2] == b"\xff\xd8":
        return _read_jpeg_header(stream)
    is_rle = len(stream) > 64 and unpack_from("<2I", stream)[0] in range(1, 16) and stream[4:8] == b"@\0\0\0"
    return StreamHeader(syntax=RLE) if is_rle else StreamHeader()


def is_encapsulated(data: bytes) -> bool:
    """Return whether pixel data are compressed, by their own bytes."""
    try:
        return data[:4] == ITEM and read_stream_header(data).syntax != ""
    except Exception:  # of damaged fragments
        return False


def _read_jpeg_header(stream: bytes) -> StreamHeader:
    place = 2
    while place + 4 <= len(stream):
        prefix, marker, length = unpack_from(">BBH", stream, place)
        if prefix != 0xFF:
            break
        if marker in FRAME_MARKERS:
            bits, rows, columns, components = unpack_from(">BHHB", stream, place + 4)
            return StreamHeader(rows, columns, components, bits, JPEG_KINDS.get(marker, ""))
        if marker == 0xFF:  # a fill byte
            place += 1
        else:
            place += 2 if marker in LONE_MARKERS else 2 + length
    return StreamHeader()
