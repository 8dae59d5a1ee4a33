"""Pictures in: what each kind of source reads as, and what a bad one is answered."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

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


def _as_sources(path: Path) -> dict[str, object]:
    sources = {"path": path, "name": str(path), "bytes": path.read_bytes()}
    if path.suffix == ".dcm":
        from_bytes = pydicom.dcmread(BytesIO(path.read_bytes()))
        return {**sources, "dataset": pydicom.dcmread(path), "dataset of bytes": from_bytes}
    return {**sources, "picture": Image.open(path)}


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff", "dcm"])
def test_every_source_of_a_picture_gives_the_same_pixels(tmp_path, kind):
    if kind == "dcm":
        path = dicom.write_synthetic(tmp_path / "a.dcm", RAMP / np.float32(255), {"seed": 0})
    else:
        path = _save(RAMP, tmp_path / f"a.{kind}")
    expected, header = images.read_with_header(path)
    assert expected.shape == RAMP.shape
    for name, source in _as_sources(path).items():
        pixels, other = images.read_with_header(source)
        np.testing.assert_array_equal(pixels, expected, err_msg=name)
        assert other == header
    array, other = images.read_with_header(expected)
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_implicit.dcm", "examples_palette.dcm"])
def test_a_dicom_dataset_reads_as_its_file_and_stays_as_it_is(name):
    path = get_testdata_file(name, download=False)
    dataset = pydicom.dcmread(path)
    before = str(dataset.file_meta), str(dataset)
    np.testing.assert_array_equal(images.read(dataset), images.read(path))
    np.testing.assert_array_equal(images.read(Path(path).read_bytes()), images.read(path))
    assert (str(dataset.file_meta), str(dataset)) == before


def test_a_file_object_reads_as_its_file(tmp_path):
    path = _save(RAMP, tmp_path / "a.png")
    with path.open("rb") as file:
        np.testing.assert_array_equal(images.read(file), images.read(path))
    with pytest.raises(UserError, match=r"the file object: .* cannot be read"):
        images.read(file)
    with path.open(encoding="latin-1") as file, pytest.raises(UserError, match="open it with mode 'rb'"):
        images.read(file)


def test_a_pillow_picture_of_a_file_cut_short_is_explained(tmp_path):
    whole = _save(np.random.default_rng(0).integers(0, 256, (90, 90), np.uint8), tmp_path / "a.png")
    with (
        Image.open(BytesIO(whole.read_bytes()[:2000])) as picture,
        pytest.raises(UserError, match="cut short"),
    ):
        images.read(picture)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"", "the bytes: expected a PNG, JPEG or DICOM radiograph, found none at all"),
        (b"no picture " * 50, "the bytes: .* none of these"),
        (b"\0" * 128 + b"DICM", "the bytes: expected a DICOM radiograph"),
        (None, "as a path, bytes, a file object, .*, a tensor or a pydicom dataset, found NoneType"),
        (np.full((20, 20), 2.0), r"must lie in \[0, 1\]"),
        (np.zeros((2, 20, 20)), r"must be \(H, W\)"),
    ],
)
def test_what_is_no_picture_is_explained(source, says):
    with pytest.raises(UserError, match=says):
        images.read(source)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _link(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def _make_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _jpeg_bytes(folder: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    return _save(noise, folder / "whole.jpg").read_bytes()


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.png", "no such file"),
    "missing DICOM": (lambda folder: folder / "none.dcm", "no such file"),
    "a NUL in the name": (lambda folder: folder / "a\0.png", "no such file"),
    "a folder": (lambda folder: folder, "found a folder"),
    "a name too long": (lambda folder: folder / f"{'a' * 300}.png", "no such file"),
    "a path too long": (lambda folder: folder / ("a/" * 3000) / "a.png", "no such file"),
    "not UTF-8": (lambda folder: folder / "a\udcff.png", "no such file"),
    "a file as a folder": (lambda folder: _write(folder / "a", b"a") / "b.png", "no such file"),
    "a broken link": (lambda folder: _link(folder / "a.png", folder / "none.png"), "no such file"),
    "a link to itself": (lambda folder: _link(folder / "a.png", folder / "a.png"), "no such file"),
    "a pipe": (lambda folder: _make_pipe(folder / "a.png"), "found a pipe or a device"),
    "a DICOM pipe": (lambda folder: _make_pipe(folder / "a.dcm"), "found a pipe or a device"),
    "a device": (lambda folder: _link(folder / "a.png", Path(os.devnull)), "found a pipe or a device"),
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


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3.3e38])
def test_pixels_that_are_not_finite_are_refused_by_name(tmp_path, bad):
    values = np.linspace(-1, 1, 900, dtype=np.float32).reshape(30, 30)
    values[3, 4] = bad
    path = _save(Image.fromarray(values), tmp_path / "a.tif")
    with pytest.raises(UserError, match=f"^{path}: expected"):
        images.read(path)


def test_a_rescale_that_overflows_is_refused_by_name(tmp_path):
    path = dicom.write_synthetic(tmp_path / "a.dcm", RAMP / np.float32(255), {})
    dataset = pydicom.dcmread(path)
    dataset.RescaleSlope, dataset.RescaleIntercept = "1e308", "-1e308"
    for name in ("WindowCenter", "WindowWidth"):
        if name in dataset:
            del dataset[name]
    dataset.BitsStored, dataset.HighBit, dataset.BitsAllocated = 8, 7, 8
    dataset.save_as(path)
    with pytest.raises(UserError, match=f"^{path}: "):
        images.read(path)


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


def test_real_radiographs_read_in_range_and_mostly_without_a_warning(shared_data):
    paths = sorted((shared_data / "nih" / "images").glob("*.jpg"))[:40]
    read = [images.read_with_header(path) for path in paths]
    assert all(pixels.min() >= 0 and pixels.max() <= 1 and pixels.std() > 0.05 for pixels, _ in read)
    assert sum(bool(header.warnings) for _, header in read) <= 2
