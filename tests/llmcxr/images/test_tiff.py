"""TIFFs that Pillow refuses or misreads, against values written byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmcxr import images
from tests.llmcxr.images.files import DEFLATE, make_tiff

RAMP = np.linspace(0, 1, 24 * 40).reshape(24, 40)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize(
    ("bits", "kind", "white"),
    [(16, 1, 65535), (16, 1, 4095), (32, 1, 65535), (32, 3, 1), (64, 3, 1)],
)
def test_grey_of_every_layout_reads_as_the_ramp(order, compression, white_is_zero, bits, kind, white):
    stored = (1 - RAMP if white_is_zero else RAMP) * white
    stored = stored if kind == 3 else np.rint(stored)
    content = make_tiff(stored, bits, kind, 1 - white_is_zero, order, compression=compression)
    np.testing.assert_allclose(images.read(content), RAMP, atol=1 / 4095)


@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_values_are_scaled_by_their_range_and_inverted(order):
    stored = np.rint((1 - RAMP) * 3000) - 1000
    np.testing.assert_allclose(images.read(make_tiff(stored, 16, 2, 0, order)), RAMP, atol=1e-3)


def _pack_12_bits(values: np.ndarray) -> np.ndarray:
    """Pack pairs of values into three bytes, the first bits first, as TIFF 6.0 has it."""
    first, second = values[:, ::2], values[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1)
    return packed.reshape(len(values), -1).astype(np.uint8)


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_packed_12_bits_are_scaled_as_declared(white_is_zero):
    dark = np.rint(RAMP * 900).astype(int)  # would be 10 bits by its largest
    content = make_tiff(_pack_12_bits(dark), 8, photometric=1 - white_is_zero)
    content = content.replace(
        b"\0\1\4\0\1\0\0\0\x3c\0\0\0", b"\0\1\4\0\1\0\0\0\x28\0\0\0"
    )  # 40 columns, not 60
    content = content.replace(b"\2\1\3\0\1\0\0\0\x08\0", b"\2\1\3\0\1\0\0\0\x0c\0")  # of 12 bits
    expected = RAMP * 900 / 4095
    np.testing.assert_allclose(images.read(content), 1 - expected if white_is_zero else expected, atol=3e-4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("white", [65535, 4095, 255])
def test_16_bit_colours_are_luminance_whatever_their_order_and_bits(order, planar, compression, white):
    if planar and compression == DEFLATE and white < 65535:
        pytest.skip("Pillow gives only the high bytes of compressed planes")
    colours = np.stack([RAMP, RAMP / 2, 1 - RAMP], -1)
    content = make_tiff(
        np.rint(colours * white), photometric=2, order=order, planar=planar, compression=compression
    )
    pixels, header = images.read_with_header(content)
    np.testing.assert_allclose(pixels, colours @ [0.299, 0.587, 0.114], atol=1 / 250)
    assert any(f"scaled by {white}" in warning for warning in header.warnings) == (white < 65535)


def test_of_several_pages_the_first_is_read(tmp_path):
    from PIL import Image

    pages = [Image.fromarray(np.rint(RAMP * white).astype(np.uint16)) for white in (65535, 4000)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pixels, header = images.read_with_header(tmp_path / "a.tif")
    np.testing.assert_allclose(pixels, RAMP, atol=1e-4)
    assert any("2 pictures" in warning for warning in header.warnings)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (2, RAMP[:, ::-1]),
        (3, RAMP[::-1, ::-1]),
        (4, RAMP[::-1]),
        (5, RAMP.T),
        (6, np.rot90(RAMP, -1)),
        (7, np.rot90(RAMP.T, 2)),
        (8, np.rot90(RAMP)),
    ],
)
def test_files_that_lie_otherwise_are_turned(tmp_path: Path, orientation, upright, dtype, compression):
    """From a file with a name, since Pillow reads that in another way than bytes."""
    stored = np.rint(RAMP * np.iinfo(dtype).max).astype(dtype)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "a.tif", exif=exif, compression=compression)
    np.testing.assert_allclose(images.read(tmp_path / "a.tif"), upright, atol=1 / 255)
