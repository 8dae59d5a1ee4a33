"""Colour as luminance, scaled by the bits that are stored."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from llmcxr.images.dicom.colour import to_grey
from llmcxr.images.dicom.pixels import decode
from tests.llmcxr.images.dicom.built import SIDE, build, fill


def _show(values: np.ndarray, **elements: object) -> tuple[np.ndarray, list[str]]:
    dataset = build(values, **elements)
    return to_grey(decode("a.dcm", dataset), dataset)


def _paint(red: int, green: int, blue: int, dtype: type = np.uint8) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), [red, green, blue], dtype)


@pytest.mark.parametrize(
    ("bits", "dtype"), [(8, np.uint8), (7, np.uint8), (8, np.uint16), (12, np.uint16), (16, np.uint16)]
)
@pytest.mark.parametrize("planar", [0, 1])
def test_rgb_is_scaled_by_the_bits_stored(bits, dtype, planar):
    top = 2**bits - 1
    colours = _paint(top, top // 2, 0, dtype)
    data = colours.transpose(2, 0, 1) if planar else colours
    pixels, warnings = _show(colours, BitsStored=bits, PlanarConfiguration=planar, PixelData=data.tobytes())
    np.testing.assert_allclose(pixels, 0.299 + 0.587 * (top // 2) / top, atol=1e-5)
    assert "100% coloured" in warnings[0]


def test_rgb_above_its_high_bit_is_cleared_or_shifted():
    colours = _paint(4095, 4095, 4095, np.uint16)
    np.testing.assert_allclose(_show(colours | 0xF000, BitsStored=12)[0], 1, atol=1e-6)
    np.testing.assert_allclose(_show(colours << 4, BitsStored=12, HighBit=15)[0], 1, atol=1e-6)


def test_no_planar_configuration_is_by_pixel():
    np.testing.assert_allclose(_show(_paint(255, 0, 0), PlanarConfiguration=None)[0], 0.299, atol=1e-5)


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (12, np.uint16)])
def test_ybr_full_is_its_luminance(bits, dtype):
    middle = 2 ** (bits - 1)
    grey = _paint(100, middle, middle, dtype)
    elements = {"PhotometricInterpretation": "YBR_FULL", "BitsStored": bits}
    pixels, warnings = _show(grey, **elements)
    np.testing.assert_allclose(pixels, 100 / (2**bits - 1), atol=1e-4)
    assert "0% coloured" in warnings[0]
    # pure red by JPEG: Y 0.299, Cb -0.168736, Cr 0.5 of the range
    top = 2**bits - 1
    red = _paint(round(0.299 * top), round(middle - 0.168736 * top), top, dtype)
    pixels, warnings = _show(red, **elements)
    np.testing.assert_allclose(pixels, 0.299, atol=0.005)
    assert "100% coloured" in warnings[0]


def test_ybr_full_422_shares_its_chroma():
    luma = fill(range(0, 200), np.uint8)
    data = np.full((SIDE, SIDE // 2, 4), 128, np.uint8)  # two of luma, then blue and red chroma
    data[..., :2] = luma.reshape(SIDE, SIDE // 2, 2)
    pixels, _ = _show(_paint(0, 0, 0), PhotometricInterpretation="YBR_FULL_422", PixelData=data.tobytes())
    np.testing.assert_allclose(pixels, luma / 255, atol=1e-5)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("packing", ["words", "bytes"])
def test_palette(bits, packing):
    top = 2**bits - 1
    entries = np.array([0, top // 2, top])
    places = fill([0, 1, 2, 9], np.uint8)
    dataset = build(places, PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        dataset.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [3, 0, bits])
        data = (
            entries.astype("<u2").tobytes() if bits == 16 or packing == "words" else bytes([0, 127, 255, 0])
        )
        dataset.add_new(f"{name}PaletteColorLookupTableData", "OW", data)
    pixels, _ = to_grey(decode("a.dcm", dataset), dataset)
    np.testing.assert_allclose(pixels[0, :4], [0, (top // 2) / top, 1, 1], atol=1e-5)


def test_a_palette_that_lacks_a_colour_is_refused():
    with pytest.raises(ValueError, match="palette"):
        _show(fill([0], np.uint8), PhotometricInterpretation="PALETTE COLOR")


def test_colours_that_are_floats_are_refused():
    floats = {"PixelData": None, "FloatPixelData": np.full(SIDE * SIDE, np.nan, "<f4").tobytes()}
    with pytest.raises(ValueError, match="whole numbers"):
        _show(fill([0], np.uint8), PhotometricInterpretation="PALETTE COLOR", **floats)


def test_a_damaged_segmented_palette_is_refused():
    dataset = build(fill([0, 1], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    dataset.add_new("SegmentedRedPaletteColorLookupTableData", "OW", b"\x07\0")
    with pytest.raises(ValueError, match="palette"):
        to_grey(decode("a.dcm", dataset), dataset)


def test_a_segmented_palette():
    """Segments (PS3.3 C.7.9.2.2): discrete of two entries, then linear over three up to 65535."""
    segments = np.array([0, 2, 0, 100, 1, 3, 65535], "<u2").tobytes()
    dataset = build(fill([0, 1, 4], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        dataset.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [5, 0, 16])
        dataset.add_new(f"Segmented{name}PaletteColorLookupTableData", "OW", segments)
    pixels, _ = to_grey(decode("a.dcm", dataset), dataset)
    np.testing.assert_allclose(pixels[0, :3], [0, 100 / 65535, 1], atol=1e-5)


@pytest.mark.parametrize("bits_declared", [8, 12, 16])
def test_compressed_colour_is_scaled_by_its_own_bits(bits_declared):
    stream = BytesIO()
    Image.fromarray(_paint(200, 200, 200)).save(stream, "JPEG", quality=95)
    allocated = 8 if bits_declared == 8 else 16
    dataset = build(_paint(0, 0, 0), PhotometricInterpretation="YBR_FULL_422", BitsAllocated=allocated)
    dataset.BitsStored, dataset.PixelData = bits_declared, encapsulate([stream.getvalue()])
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    pixels, _ = to_grey(decode("a.dcm", dataset), dataset)
    np.testing.assert_allclose(pixels, 200 / 255, atol=0.01)
