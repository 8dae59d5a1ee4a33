"""How values lie in the pixel data, where the header does not say so or says it wrongly."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.layout import Layout, read_layout
from tests.llmcxr.images.dicom.built import build

GREY = np.zeros((20, 30), np.uint16)
COLOUR = np.zeros((20, 30, 3), np.uint8)


def _read(values: np.ndarray, **elements: object) -> tuple[Layout, list[str]]:
    dataset = build(values, **elements)
    return read_layout("a.dcm", dataset, len(dataset.PixelData))


def test_a_whole_header_has_no_warning():
    layout, warnings = _read(GREY, BitsStored=12)
    assert warnings == []
    assert layout == Layout("PixelData", 20, 30, 1, "MONOCHROME2", 16, 12, 11, False, False)
    assert layout.num_bytes == 20 * 30 * 2


@pytest.mark.parametrize(
    ("said", "read", "num_warnings"),
    [
        ("monochrome1", "MONOCHROME1", 0),
        ("Monochrome 2", "MONOCHROME2", 0),
        ("palette_color", "PALETTE COLOR", 0),
        (None, "MONOCHROME2", 1),
        ("", "MONOCHROME2", 1),
        ("MONOCHROME", "MONOCHROME2", 1),
        ("RGB", "MONOCHROME2", 1),  # of one sample
    ],
)
def test_photometric_of_one_sample(said, read, num_warnings):
    layout, warnings = _read(GREY, PhotometricInterpretation=said)
    assert layout.photometric == read
    assert len(warnings) == num_warnings and all("photometric interpretation" in text for text in warnings)


@pytest.mark.parametrize(
    ("said", "read"), [("rgb", "RGB"), ("ybr full", "YBR_FULL"), (None, "RGB"), ("MONOCHROME2", "RGB")]
)
def test_photometric_of_three_samples(said, read):
    assert _read(COLOUR, PhotometricInterpretation=said)[0].photometric == read


def test_samples_follow_from_the_photometric_interpretation():
    assert _read(COLOUR, SamplesPerPixel=None)[0].samples == 3
    layout, warnings = _read(GREY, SamplesPerPixel=None)
    assert layout.samples == 1 and "samples per pixel" in warnings[0]


@pytest.mark.parametrize(
    ("elements", "bits", "named"),
    [
        ({"BitsStored": None}, (16, 16, 15), "bits stored"),
        ({"BitsStored": 0}, (16, 16, 15), "bits stored"),
        ({"BitsStored": 40}, (16, 16, 15), "bits allocated"),
        ({"BitsAllocated": None, "BitsStored": 12}, (16, 12, 11), "bits allocated"),
        ({"BitsAllocated": 8, "BitsStored": 12}, (16, 12, 11), "bits allocated"),
        ({"BitsAllocated": 12, "BitsStored": 12}, (16, 12, 11), "bits allocated"),
        ({"HighBit": None, "BitsStored": 10}, (16, 10, 9), None),
        ({"HighBit": 3, "BitsStored": 10}, (16, 10, 9), None),  # fewer bits than are stored
        ({"HighBit": 99, "BitsStored": 10}, (16, 10, 9), None),  # more than are allocated
        ({"HighBit": 15, "BitsStored": 12}, (16, 12, 15), None),
    ],
)
def test_bits(elements, bits, named):
    layout, warnings = _read(GREY, **elements)
    assert (layout.bits_allocated, layout.bits_stored, layout.high_bit) == bits
    assert any(named in text for text in warnings) if named else warnings == []


def test_8_bits_follow_from_the_length_of_the_data():
    layout, _ = _read(GREY.astype(np.uint8), BitsAllocated=None, BitsStored=None)
    assert (layout.bits_allocated, layout.bits_stored) == (8, 8)


def test_no_pixel_representation_is_unsigned_and_said():
    layout, warnings = _read(GREY, PixelRepresentation=None)
    assert not layout.is_signed and "pixel representation" in warnings[0]


@pytest.mark.parametrize(
    ("elements", "found"),
    [
        ({"Rows": None}, "none in Rows"),
        ({"Rows": 0, "Columns": None}, "none in Rows and Columns"),
        ({"PixelData": None}, "without pixels"),
        ({"NumberOfFrames": 3}, "found 3"),
        ({"SamplesPerPixel": 4}, "found 4"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "HSV"}, "found HSV"),
        ({"Rows": 60000, "Columns": 60000}, "60000 x 60000"),
        ({"Rows": 65535, "Columns": 1025}, "65535 x 1025"),
    ],
)
def test_what_cannot_be_read_is_named(elements, found):
    dataset = build(GREY, **elements)
    with pytest.raises(UserError, match=found) as raised:
        read_layout("a.dcm", dataset, None)
    assert str(raised.value).startswith("a.dcm: expected a DICOM radiograph")


def test_pixels_of_a_kind_that_does_not_exist_are_none():
    dataset = build(GREY)
    tag = Tag("PixelData")
    dataset[tag] = RawDataElement(tag, "O\xab", 4, bytes(4), 0, False, True)
    with pytest.raises(UserError, match="without pixels"):
        read_layout("a.dcm", dataset, None)


def test_bits_that_are_packed_across_bytes_are_refused():
    packed = np.zeros((20, 30 * 3 // 2), np.uint8)  # 12 bits, 1.5 bytes each
    with pytest.raises(UserError, match="found 12"):
        _read(packed, Columns=30, BitsAllocated=12, BitsStored=12)
