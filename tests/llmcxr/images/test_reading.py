"""Pictures in and out: what each kind of file reads as, what a bad one is answered, fit and its inverse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.images import dicom

RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (60, 1))  # 60 rows, 64 columns: 0, 4, ... 252


def _save(picture: Image.Image | np.ndarray, path: Path, **options: object) -> Path:
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **options)
    return path


def test_8_bit_png_is_scaled_by_255(tmp_path):
    pixels = images.read(_save(RAMP, tmp_path / "a.png"))
    assert pixels.dtype == np.float32 and pixels.shape == (60, 64)
    np.testing.assert_allclose(pixels[0], RAMP[0] / 255, atol=1e-6)


def test_16_bit_png_keeps_its_depth(tmp_path):
    values = (RAMP.astype(np.uint16) << 8) + 3
    pixels, header = images.read_with_header(_save(values, tmp_path / "a.png"))
    np.testing.assert_allclose(pixels[0], values[0] / 65535, atol=1e-7)
    assert not any("bit" in warning for warning in header.warnings)


def test_16_bit_png_that_holds_12_bits_is_scaled_by_4095_and_says_so(tmp_path):
    pixels, header = images.read_with_header(_save(RAMP.astype(np.uint16) * 16, tmp_path / "a.png"))
    np.testing.assert_allclose(pixels[0, -1], 252 * 16 / 4095, atol=1e-6)
    assert any("12-bit" in warning for warning in header.warnings)


def test_negative_values_are_scaled_by_their_range(tmp_path):
    values = np.linspace(-1000, 3000, 32 * 32).reshape(32, 32).astype(np.int32)
    Image.fromarray(values, "I").save(tmp_path / "a.tif")
    pixels, header = images.read_with_header(tmp_path / "a.tif")
    assert pixels.min() == 0 and pixels.max() == 1
    assert any("negative" in warning for warning in header.warnings)


def test_jpeg_and_upper_case_names(tmp_path):
    pixels = images.read(_save(RAMP, tmp_path / "A.JPG", format="JPEG", quality=95))
    np.testing.assert_allclose(pixels, RAMP / 255, atol=0.03)


def test_exif_turns_a_photograph(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to show
    path = _save(Image.fromarray(RAMP), tmp_path / "a.jpg", exif=exif, quality=95)
    assert images.read(path).shape == (64, 60)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGB", (255, 0, 0), 0.299),
        ("RGBA", (0, 255, 0, 255), 0.587),
        ("RGBA", (255, 255, 255, 0), 0.0),  # what is transparent is not bright
        ("LA", (102, 255), 0.4),
        ("CMYK", (0, 0, 0, 0), 1.0),
        ("1", 1, 1.0),
    ],
)
def test_colour_becomes_luminance(tmp_path, mode, colour, expected):
    name = "a.jpg" if mode == "CMYK" else "a.png"
    pixels = images.read(_save(Image.new(mode, (60, 60), colour), tmp_path / name))
    np.testing.assert_allclose(pixels, expected, atol=0.005)


def test_palette_colours_become_luminance(tmp_path):
    picture = Image.new("RGB", (60, 60), (0, 0, 255)).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_allclose(images.read(_save(picture, tmp_path / "a.png")), 0.114, atol=0.005)


def test_a_colour_photo_is_warned_more_than_a_grey_picture_stored_as_colour(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    grey = np.repeat(RAMP[..., None], 3, axis=-1)
    warn = lambda picture: " ".join(images.read_with_header(_save(picture, tmp_path / "a.png"))[1].warnings)  # noqa: E731
    assert "does not look like a radiograph" in warn(photo)
    assert "only its brightness is read" in warn(grey)
    assert "does not look like a radiograph" not in warn(grey)


def test_a_large_picture_is_read(tmp_path):
    path = _save(np.zeros((8000, 1000), np.uint8), tmp_path / "a.png")
    assert images.read(path).shape == (8000, 1000)
    assert images.read_size(path) == (8000, 1000)


def test_pil_and_file_read_alike(tmp_path):
    picture = Image.fromarray(RAMP)
    np.testing.assert_array_equal(
        images.from_pil(picture)[0], images.read(_save(picture, tmp_path / "a.png"))
    )


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _jpeg_bytes(folder: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    return _save(noise, folder / "whole.jpg").read_bytes()


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.png", "no such file"),
    "missing DICOM": (lambda folder: folder / "none.dcm", "no such file"),
    "a NUL in the name": (lambda folder: folder / "a\0.png", "no such file"),
    "a folder": (lambda folder: folder, "found a folder"),
    "empty": (lambda folder: _write(folder / "a.png", b""), "empty file"),
    "text named png": (lambda folder: _write(folder / "a.png", b"no picture " * 50), "none of these"),
    "text named dcm": (lambda folder: _write(folder / "a.dcm", b"no picture " * 50), "not DICOM"),
    "truncated JPEG": (lambda folder: _write(folder / "a.jpg", _jpeg_bytes(folder)[:3000]), "cut short"),
    "JPEG head alone": (lambda folder: _write(folder / "a.jpg", _jpeg_bytes(folder)[:10]), "cut short"),
    "truncated PNG": (
        lambda folder: _write(folder / "a.png", _save(RAMP, folder / "b.png").read_bytes()[:80]),
        "cut short",
    ),
    "DICOM preamble alone": (
        lambda folder: _write(folder / "a.dcm", b"\0" * 128 + b"DICM"),
        "expected a DICOM radiograph",
    ),
    "one pixel": (lambda folder: _save(np.zeros((1, 1), np.uint8), folder / "a.png"), "found 1 x 1"),
    "one row": (lambda folder: _save(np.zeros((1, 500), np.uint8), folder / "a.png"), "found 1 x 500"),
    "a program": (lambda folder: _write(folder / "a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n"), "none of these"),
}


@pytest.mark.parametrize(("make", "found"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_input_is_named_and_explained(tmp_path, make, found):
    path = make(tmp_path)
    with pytest.raises(UserError) as raised:
        images.read(path)
    assert str(raised.value).startswith(f"{path}: expected ")
    assert found in str(raised.value)


def _damage(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, mostly in the head, and sometimes the end cut off."""
    damaged = bytearray(content)
    for position in rng.integers(0, min(len(damaged), 900), int(rng.integers(1, 12))):
        damaged[position] = int(rng.integers(256))
    return bytes(damaged[: int(rng.integers(1, len(damaged)))] if rng.random() < 0.3 else damaged)


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff", "bmp", "dcm"])
def test_damaged_bytes_are_a_picture_or_a_user_error(tmp_path, kind):
    if kind == "dcm":
        whole = dicom.write_synthetic(tmp_path / "whole.dcm", RAMP / np.float32(255), {}).read_bytes()
    else:
        whole = _save(RAMP, tmp_path / f"whole.{kind}").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        path = _write(tmp_path / f"damaged.{kind}", _damage(whole, rng))
        try:
            pixels = images.read(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: expected ")
        else:
            assert pixels.ndim == 2 and np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1


ODD: dict[str, tuple[np.ndarray, str]] = {
    "small": (np.tile(RAMP[:40, :40], 1), "too few"),
    "narrow": (np.tile(RAMP, (3, 1)), "closer to a square"),
    "even": (np.full((60, 60), 90, np.uint8), "one even grey"),
}


@pytest.mark.parametrize(("picture", "warning"), ODD.values(), ids=ODD.keys())
def test_odd_pictures_are_read_with_a_warning(tmp_path, picture, warning):
    header = images.read_with_header(_save(picture, tmp_path / "a.png"))[1]
    assert any(warning in sentence for sentence in header.warnings)


def test_fit_averages_the_area_of_each_new_pixel():
    image = np.array([[0, 1, 0.5, 0.5], [1, 0, 0.5, 0.1]], np.float32)
    fitted, padding = images.fit(image, 2)
    np.testing.assert_allclose(fitted, [[0.5, 0.4], [0, 0]], atol=1e-6)
    assert (padding.top, padding.left, padding.height, padding.width) == (0, 0, 1, 2)


def test_fit_divides_a_pixel_between_two_where_the_size_is_no_multiple():
    fitted, _ = images.fit(np.array([[0, 1, 0]] * 3, np.float32), 2)
    np.testing.assert_allclose(fitted, 1 / 3, atol=1e-6)  # (0 * 1 + 1 * 0.5) / 1.5


def test_fit_does_not_alias():
    stripes = np.tile(np.array([0, 1], np.float32), (500, 250))  # finer than the new pixels
    assert np.ptp(images.fit(stripes, 97)[0]) < 0.2  # 1.0 where pixels are picked, not averaged


def test_fit_pads_the_short_side_with_black_in_the_middle():
    fitted, padding = images.fit(np.ones((10, 20), np.float32), (20, 20))
    assert padding.content == (slice(5, 15), slice(0, 20))
    assert fitted[5:15].min() == 1 and fitted[:5].max() == 0 and fitted[15:].max() == 0


sides = st.integers(1, 90)


@settings(max_examples=80, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 2**31))
def test_fit_keeps_the_picture_inside_its_padding(height, width, rows, columns, seed):
    image = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    fitted, padding = images.fit(image, (rows, columns))
    assert fitted.shape == (rows, columns) and fitted.dtype == np.float32
    content = fitted[padding.content]
    assert content.shape == (padding.height, padding.width)
    assert np.count_nonzero(fitted) <= content.size
    assert image.min() - 1e-5 <= content.min() and content.max() <= image.max() + 1e-5
    if (rows, columns) == (height, width):
        np.testing.assert_array_equal(fitted, image)


@settings(max_examples=30, deadline=None)
@given(sides, sides, st.integers(1, 90), st.floats(0, 1, width=32))
def test_an_even_picture_stays_even(height, width, size, value):
    image = np.full((height, width), value, np.float32)
    fitted, padding = images.fit(image, size)
    np.testing.assert_allclose(fitted[padding.content], value, atol=1e-5)


@pytest.mark.parametrize("size", [0, -1, (3, 0)])
def test_fit_refuses_an_impossible_size(size):
    with pytest.raises(ValueError, match="at least 1 x 1"):
        images.fit(np.zeros((4, 4), np.float32), size)


def test_written_png_reads_back_with_its_metadata_and_its_warning(tmp_path):
    image = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    metadata = {"synthetic": "drawn by a model", "prompt": "Großer Erguss 右"}
    path = images.write_png(tmp_path / "new" / "drawn.png", image, metadata)
    pixels, header = images.read_with_header(path)
    assert np.abs(pixels - image).max() <= 0.5 / 255 + 1e-6
    with Image.open(path) as picture:
        assert picture.text == metadata
    assert any("synthetic" in warning for warning in header.warnings)


def test_write_png_leaves_nothing_half_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file"):
        images.write_png(tmp_path / "file" / "drawn.png", np.zeros((20, 20), np.float32))
    with pytest.raises(UserError, match="found a folder"):
        images.write_png(tmp_path, np.zeros((20, 20), np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_write_png_refuses_what_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        images.write_png(tmp_path / "a.png", np.zeros((3, 20, 20)))
    with pytest.raises(ValueError, match="finite"):
        images.write_png(tmp_path / "a.png", np.full((20, 20), np.nan))


def test_real_radiographs_read_in_range_and_mostly_without_a_warning(shared_data):
    paths = sorted((shared_data / "nih" / "images").glob("*.jpg"))[:40]
    read = [images.read_with_header(path) for path in paths]
    assert all(pixels.min() >= 0 and pixels.max() <= 1 and pixels.std() > 0.05 for pixels, _ in read)
    assert sum(bool(header.warnings) for _, header in read) <= 2
