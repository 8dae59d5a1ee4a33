"""Stored values: the bits that count, padding, compressed pictures, limits before anything is unpacked."""

from __future__ import annotations

from io import BytesIO
from struct import pack

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.layout import Layout
from llmcxr.images.dicom.pixels import DecodedPixels, decode, extract_bits
from tests.llmcxr.images.dicom.built import build, fill

VALUES = fill([0, 1, 100, 2047, 2048, 4095])  # of 12 bits


def _decode(values: np.ndarray, **elements: object) -> DecodedPixels:
    return decode("a.dcm", build(values, **elements))


@pytest.mark.parametrize("high_bit", [11, 12, 14, 15])
@pytest.mark.parametrize("rubbish", ["zeros", "ones"])
def test_bits_are_taken_from_below_the_high_bit(high_bit, rubbish):
    shift = high_bit - 11
    stored = (VALUES.astype(np.uint32) << shift).astype(np.uint16)
    if rubbish == "ones":  # an overlay, say, in every bit that is not stored
        stored |= np.uint16(0xFFFF & ~(0xFFF << shift))
    decoded = _decode(stored, BitsStored=12, HighBit=high_bit)
    np.testing.assert_array_equal(decoded.values, VALUES)


@pytest.mark.parametrize("high_bit", [11, 15])
def test_signed_bits_keep_their_sign(high_bit):
    signed = fill([-2048, -1, 0, 5, 2047], np.int16)
    stored = ((signed.astype(np.int32) & 0xFFF) << (high_bit - 11)).astype(np.uint16).view(np.int16)
    decoded = _decode(stored, BitsStored=12, HighBit=high_bit)
    np.testing.assert_array_equal(decoded.values, signed)


def test_8_bits_of_which_7_are_stored():
    layout = Layout("PixelData", 1, 2, 1, "MONOCHROME2", 8, 7, 6, False, False)
    assert extract_bits(np.array([0xFF, 0x81], np.uint8), layout).tolist() == [0x7F, 0x01]


@pytest.mark.parametrize(
    ("dtype", "elements", "padding"),
    [
        (np.uint16, {"PixelPaddingValue": 0}, [0]),
        (np.uint16, {"PixelPaddingValue": 4095}, [4095]),
        (np.uint16, {"PixelPaddingValue": 3900, "PixelPaddingRangeLimit": 4095}, [3900, 4000, 4095]),
        (np.uint16, {"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 3900}, [3900, 4000, 4095]),
        (np.uint16, {"PixelPaddingRangeLimit": 4095}, []),  # without a value, no range
        (np.uint16, {"PixelPaddingValue": 77}, []),  # none has it
        (np.int16, {"PixelPaddingValue": -2000}, [-2000]),
        (np.int16, {"PixelPaddingValue": 2**16 - 2000}, [-2000]),  # written unsigned
        (np.int16, {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1000}, [-2000, -1024]),
    ],
)
def test_padding_and_its_range(dtype, elements, padding):
    levels = [0, 1, 3899, 3900, 4000, 4095] if dtype == np.uint16 else [-2000, -1024, -1, 0, 100]
    values = fill(levels, dtype)
    dataset = build(values, BitsStored=12 if dtype == np.uint16 else 16)
    for keyword, value in elements.items():
        dataset.add_new(keyword, "US" if value >= 0 else "SS", value)
    decoded = decode("a.dcm", dataset)
    expected = np.isin(values, padding)
    if padding:
        np.testing.assert_array_equal(decoded.is_padding, expected)
    else:
        assert decoded.is_padding is None


def test_padding_of_more_bits_than_are_stored_is_found_as_stored():
    """63536 has the low 12 bits of 2096, which is a value of the radiograph."""
    stored = fill([63536, 2096, 100])
    decoded = _decode(stored, BitsStored=12, PixelPaddingValue=63536)
    np.testing.assert_array_equal(decoded.is_padding, stored == 63536)


def test_a_picture_of_padding_alone_has_none():
    assert _decode(fill([7]), PixelPaddingValue=7).is_padding is None


def test_too_few_bytes_are_named():
    with pytest.raises(UserError, match="799 bytes of pixels where its size and bits need 800"):
        _decode(VALUES, PixelData=VALUES.tobytes()[:-1])


@pytest.mark.parametrize("extra", [1, 2, 800, 1600])
def test_more_bytes_than_needed_are_passed_over(extra):
    decoded = _decode(VALUES, PixelData=VALUES.tobytes() + b"\xff" * extra)
    np.testing.assert_array_equal(decoded.values, VALUES)


def test_an_odd_number_of_bytes_needs_no_padding_byte():
    values = np.arange(17 * 17, dtype=np.uint8).reshape(17, 17)
    np.testing.assert_array_equal(_decode(values).values, values)


@pytest.mark.parametrize("bits", [32, 64])
def test_pixels_that_are_floats(bits):
    keyword = "FloatPixelData" if bits == 32 else "DoubleFloatPixelData"
    values = fill([-1.5, 0.25, 3e6], f"f{bits // 8}")
    elements = {keyword: values.tobytes(), "BitsAllocated": bits}
    dataset = build(VALUES, PixelData=None, BitsStored=None, PixelRepresentation=None, **elements)
    setattr(dataset, keyword.replace("Data", "PaddingValue"), 3e6)
    decoded = decode("a.dcm", dataset)
    np.testing.assert_array_equal(decoded.values, values)
    np.testing.assert_array_equal(decoded.is_padding, values == 3e6)
    assert decoded.warnings == ()


def _compress(values: np.ndarray, syntax: str, stream: bytes, **elements: object) -> Dataset:
    dataset = build(values, PixelData=encapsulate([stream]), **elements)
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def test_rle_keeps_the_bits_where_they_lay():
    shifted = VALUES << 4
    dataset = build(shifted, BitsStored=12, HighBit=15)
    dataset.compress(RLELossless)
    np.testing.assert_array_equal(decode("a.dcm", dataset).values, VALUES)


# Written by DCMTK: 20 x 20, four rows each of -2048, -1, 0, 5 and 2047, or of these + 2048, in 12 bits.
JPEG_LS_SIGNED = """
ffd8fff7000b100014001401011100fff8000d01ffff0012004301140040ffda00080101000000000fff0010040100804020
101010101010101010204081003fff707fec0810204081020408102041041041041007f007fe410410410410410410410410
41041007810098010040100804020101010101010101010204081003c07f9c104104104210842108421084201effffd9
"""
JPEG_LS_HIGH = """
ffd8fff7000b100014001401011100fff8000d01ffff0012004301140040ffda0008010100000000ff7ff000000000001ffd
e8010040100804020101010101010101010204081003f02007e004010040201008040404040404040404081020400f0204fc
008020080402010080808080808080808102040801e00fe7f0204081020408102040810410410410401effd9
"""
JPEG_HIGH = """
ffd8ffe000104a46494600010100000100010000ffc3000b100014001401011100ffc4001800010003010000000000000000
000000000005070f10ffda0008010100010000e00000000000000000001bff00800000000000000000000900000000000000
00000016800000000000000000000dfe8000000000000000000007ffffd9
"""


@pytest.mark.parametrize(
    ("syntax", "stream", "high_bit", "first"),
    [
        (JPEGLSLossless, JPEG_LS_SIGNED, 11, -2048),
        (JPEGLSNearLossless, JPEG_LS_SIGNED, 11, -2048),
        (JPEGLSLossless, JPEG_LS_HIGH, 15, 0),
        (JPEGLSNearLossless, JPEG_LS_HIGH, 15, 0),
        (JPEGLosslessSV1, JPEG_HIGH, 15, 0),
    ],
)
def test_compressed_words_keep_their_sign_and_high_bit(syntax, stream, high_bit, first):
    pytest.importorskip("gdcm")
    expected = np.repeat(np.array([-2048, -1, 0, 5, 2047]) + 2048 + first, 4)[:, None] * np.ones((1, 20), int)
    values = expected.astype(np.int16 if first else np.uint16)
    dataset = _compress(values, syntax, bytes.fromhex(stream), BitsStored=12, HighBit=high_bit)
    np.testing.assert_array_equal(decode("a.dcm", dataset).values, expected)


def test_jpeg_2000_needs_no_bits_of_the_header():
    dataset = _compress(VALUES, JPEG2000Lossless, _write_jpeg_2000(), BitsAllocated=None, BitsStored=None)
    np.testing.assert_array_equal(decode("a.dcm", dataset).values, VALUES)


def test_jpeg_of_8_bits_in_16_allocated():
    stream = BytesIO()
    Image.fromarray(np.full((20, 20), 100, np.uint8)).save(stream, "JPEG", quality=95)
    dataset = _compress(VALUES, JPEGBaseline8Bit, stream.getvalue(), BitsStored=12)
    assert np.abs(decode("a.dcm", dataset).values.astype(int) - 100).max() <= 2


def test_jpeg_of_12_bits_through_the_extra(capfd):
    """The file's scan header breaks the standard besides, which decoders that know 12 bits forgive."""
    pytest.importorskip("gdcm", reason="needs the extra: pip install llmcxr[dicom]")
    decoded = decode("a.dcm", dcmread(get_testdata_file("JPEG-lossy.dcm", download=False)))
    assert decoded.values.shape == (1024, 256)
    # of DCMTK 3.6.7, dcmdjpeg
    assert (decoded.values.min(), decoded.values.max(), decoded.values.sum()) == (0, 264, 3767007)
    assert capfd.readouterr().err == ""


def _write_jpeg_2000() -> bytes:
    stream = BytesIO()
    Image.fromarray(VALUES).save(stream, "JPEG2000", no_jp2=True)
    return stream.getvalue()


@pytest.mark.parametrize("declared", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, "1.2.3.4", None])
@pytest.mark.parametrize("kind", ["JPEG 2000", "RLE"])
def test_compressed_pixels_are_known_by_their_bytes(declared, kind):
    dataset = build(VALUES, BitsStored=12)
    if kind == "RLE":
        dataset.compress(RLELossless)
    else:
        dataset.PixelData = encapsulate([_write_jpeg_2000()])
    if declared is None:
        del dataset.file_meta.TransferSyntaxUID
    else:
        dataset.file_meta.TransferSyntaxUID = declared
    decoded = decode("a.dcm", dataset)
    np.testing.assert_array_equal(decoded.values, VALUES)
    assert "read as it is" in decoded.warnings[0]


def test_uncompressed_pixels_are_known_by_their_bytes():
    dataset = build(VALUES, BitsStored=12)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    decoded = decode("a.dcm", dataset)
    np.testing.assert_array_equal(decoded.values, VALUES)
    assert "found uncompressed" in decoded.warnings[0]


def test_the_advice_is_not_to_install_what_is_there(monkeypatch):
    dataset = _compress(VALUES, JPEGBaseline8Bit, b"\xff\xd8" + bytes(60))
    monkeypatch.setattr("llmcxr.images.dicom.pixels.find_spec", lambda name: object())
    with pytest.raises(UserError, match="export it again, uncompressed"):
        decode("a.dcm", dataset)


def _jpeg_that_says(rows: int, columns: int) -> bytes:
    return b"\xff\xd8\xff\xc0" + pack(">HBHHB", 11, 8, rows, columns, 1) + b"\x01\x11\x00" + bytes(50)


def _jpeg_2000_that_says(rows: int, columns: int, components: int = 1) -> bytes:
    size = pack(">HH8IH", 38 + 3 * components, 0, columns, rows, 0, 0, columns, rows, 0, 0, components)
    return b"\xff\x4f\xff\x51" + size + b"\x07\x01\x01" * components + bytes(50)


@pytest.mark.parametrize(
    ("syntax", "stream"),
    [
        (JPEGBaseline8Bit, _jpeg_that_says(60000, 60000)),
        (JPEG2000Lossless, _jpeg_2000_that_says(60000, 60000)),
        (JPEG2000Lossless, _jpeg_2000_that_says(400, 400, components=10000)),
    ],
)
def test_compressed_pictures_larger_than_said_are_refused_before_decoding(syntax, stream):
    dataset = _compress(VALUES, syntax, stream)
    with pytest.raises(UserError, match="megapixels"):
        decode("a.dcm", dataset)


def test_a_damaged_stream_is_an_error_with_advice(monkeypatch):
    monkeypatch.setattr("llmcxr.images.dicom.pixels.find_spec", lambda name: None)
    dataset = _compress(VALUES, JPEGBaseline8Bit, b"\xff\xd8" + bytes(60))
    with pytest.raises(UserError, match=r"JPEG Baseline.*pip install 'llmcxr\[dicom\]'"):
        decode("a.dcm", dataset)


def test_12_bits_without_the_extra_are_an_error_whose_advice_helps(monkeypatch):
    monkeypatch.setattr("llmcxr.images.dicom.pixels.find_spec", lambda name: None)
    dataset = dcmread(get_testdata_file("JPEG-lossy.dcm", download=False))
    with pytest.raises(UserError, match=r"JPEG Extended.*pip install 'llmcxr\[dicom\]'"):
        decode("a.dcm", dataset)
