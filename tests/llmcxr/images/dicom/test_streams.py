"""How large a compressed picture is, told from its first bytes."""

from __future__ import annotations

from io import BytesIO
from struct import pack

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate

from llmcxr.images.dicom.streams import StreamHeader, is_encapsulated, read_stream_header


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("JPEG2000", {}), ("JPEG2000", {"no_jp2": True})]
)
@pytest.mark.parametrize("components", [1, 3])
def test_pictures_that_pillow_writes(kind, options, components):
    values = np.zeros((40, 52, components), np.uint8).squeeze()
    file = BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    syntax = "1.2.840.10008.1.2.4.50" if kind == "JPEG" else "1.2.840.10008.1.2.4.90"
    data = encapsulate([file.getvalue()])
    assert read_stream_header(data) == StreamHeader(40, 52, components, 8, syntax)
    assert is_encapsulated(data)


def test_jpeg_of_12_bits_after_other_segments_and_fill_bytes():
    comment = b"\xff\xfe" + pack(">H", 2 + 4) + b"\xff\xc0ab"
    frame = b"\xff\xff\xff\xc1" + pack(">HBHHB", 11, 12, 1000, 2000, 1) + b"\x01\x11\x00"
    header = read_stream_header(encapsulate([b"\xff\xd8" + comment + frame]))
    assert header == StreamHeader(1000, 2000, 1, 12, "1.2.840.10008.1.2.4.51")


def test_other_kinds_have_no_header():
    assert read_stream_header(encapsulate([b"\x02\0\0\0" * 16])) == StreamHeader()
    assert read_stream_header(encapsulate([b"\xff\xd8\xff\xd9"])) == StreamHeader()


@pytest.mark.parametrize("data", [b"", bytes(100), b"\xfe\xff\x00\xe0", b"\xfe\xff\x00\xe0" + bytes(200)])
def test_other_bytes_are_not_taken_for_compressed_ones(data):
    assert not is_encapsulated(data)
