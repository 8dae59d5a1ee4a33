"""Which files are DICOM, and how much one may unpack to."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path
from struct import pack

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.images import dicom
from llmcxr.images.dicom.opening import read_dataset
from tests.llmcxr.images.dicom.built import build, fill, write
from tests.memory import peak_bytes

VALUES = fill(np.linspace(0, 65535, 400))
WINDOW = {"WindowCenter": 32768, "WindowWidth": 65536}  # LINEAR: 0 to 65535
SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]


def _write(path: Path, syntax: str) -> Path:
    dataset = build(VALUES, **WINDOW)
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = VALUES.astype(">u2").tobytes()
    return write(path, dataset, syntax)


@pytest.mark.parametrize("syntax", [*SYNTAXES, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("name", ["a.dcm", "IM0001", "1.2.840.4"])
def test_files_are_read_whatever_their_names(tmp_path, syntax, name):
    path = _write(tmp_path / name, syntax)
    for source in (path, path.read_bytes()):
        np.testing.assert_allclose(images.read(source), VALUES / 65535, atol=1e-6)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
@pytest.mark.parametrize("kept", ["the dataset alone", "meta information without preamble"])
def test_files_without_preamble_are_read(tmp_path, syntax, name, kept):
    content = _write(tmp_path / "whole", syntax).read_bytes()[132:]
    meta_length = 12 + int.from_bytes(content[8:12], "little")  # the first element says how long the rest is
    path = tmp_path / name
    path.write_bytes(content if kept.startswith("meta") else content[meta_length:])
    for source in (path, path.read_bytes()):
        assert dicom.is_dicom(source)
        np.testing.assert_allclose(images.read(source), VALUES / 65535, atol=1e-6)


@pytest.mark.parametrize("group", [0x0010, 0x0018, 0x0028])
def test_a_bare_dataset_may_begin_with_a_later_group(tmp_path, group):
    dataset = build(VALUES, PatientSex="F", KVP=120, **WINDOW)
    for element in list(dataset):
        if element.tag.group < group:
            del dataset[element.tag]
    del dataset.file_meta
    dataset.save_as(tmp_path / "bare", implicit_vr=True, little_endian=True)
    np.testing.assert_allclose(images.read(tmp_path / "bare"), VALUES / 65535, atol=1e-6)


def test_other_files_are_not_taken_for_dicom(tmp_path):
    for kind in ("png", "jpg", "tif", "bmp", "webp", "gif", "ppm"):
        Image.fromarray(fill(range(256), np.uint8)).save(tmp_path / f"a.{kind}")
    (tmp_path / "a.csv").write_text("image,report\n" * 100)
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(500))
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY" + bytes(500))
    (tmp_path / "zeros").write_bytes(bytes(5000))
    (tmp_path / "short").write_bytes(b"\x08\0")
    assert [path.name for path in tmp_path.iterdir() if dicom.is_dicom(path)] == []


def test_a_file_named_dcm_that_is_none_is_said_to_be_none(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"no DICOM " * 100)
    with pytest.raises(UserError, match="not DICOM"):
        images.read(tmp_path / "a.dcm")


def _deflate(path: Path, unpacked: bytes) -> Path:
    """A deflated file whose dataset unpacks to these bytes."""
    write(path, build(VALUES), DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    meta_length = 12 + int.from_bytes(content[140:144], "little")
    squeezer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    path.write_bytes(content[: 132 + meta_length] + squeezer.compress(unpacked) + squeezer.flush())
    return path


@pytest.mark.parametrize("has_preamble", [True, False])
def test_a_deflated_bomb_is_refused_in_little_memory(tmp_path, repository, has_preamble):
    path = _deflate(tmp_path / "bomb.dcm", bytes(300_000_000))
    if not has_preamble:
        path.write_bytes(path.read_bytes()[132:])
    assert path.stat().st_size < 2**20
    script = (
        "import sys; from llmcxr.images import dicom; from tests.memory import peak_bytes\n"
        "try: dicom.read(sys.argv[1])\n"
        "except ValueError as error: print(error)\n"
        "print(peak_bytes())"
    )
    command = [sys.executable, "-c", script, path]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    message, peak = run.stdout.splitlines()
    assert "of at most 268 MB, found one that unpacks to more" in message
    assert int(peak) < 800_000_000


EMPTY_ITEM = b"\xfe\xff\x00\xe0\0\0\0\0"
PIXELS = b"\xe0\x7f\x10\0OW\0\0" + pack("<I", 800) + bytes(800)


@pytest.mark.parametrize(
    "header",
    [
        b"\x28\0\x10\x30SQ\0\0" + pack("<I", 17_000_000) + EMPTY_ITEM * 2_125_000,
        b"".join(pack("<HH2sH", 0x28, number, b"LO", 0) for number in range(0x3000, 0x3010))  # few, then many
        + b"\x28\0\x11\x30SQ\0\0\xff\xff\xff\xff"
        + EMPTY_ITEM * 200_000,
        b"".join(
            pack("<HH2sH", 0x29 + 2 * (number >> 16), number & 0xFFFF, b"LO", 0) for number in range(120_000)
        ),
        b"\x29\0\x10\0OB\0\0" + pack("<I", 20_000_000) + bytes(20_000_000),
    ],
    ids=["a long sequence", "many items", "many elements", "a long element"],
)
def test_a_header_of_too_many_elements_is_refused_soon(tmp_path, header):
    path = _deflate(tmp_path / "a.dcm", header + PIXELS)
    with pytest.raises(UserError, match="header of at most 16 MB"):
        images.read(path)


def test_an_element_too_long_to_be_one_is_passed_over(tmp_path):
    """131,072 items that nobody could mean; parsed, they would take a gigabyte."""
    described = build(VALUES, **WINDOW)
    length = 2**20 + 8
    described.add_new(0x00283010, "UN", EMPTY_ITEM * (length // 8))
    path = write(tmp_path / "a.dcm", described)
    path.write_bytes(path.read_bytes().replace(b"\x28\0\x10\x30UN", b"\x28\0\x10\x30SQ"))
    np.testing.assert_allclose(images.read(path), VALUES / 65535, atol=1e-6)


def test_what_follows_the_pixels_is_not_read(tmp_path):
    path = _write(tmp_path / "a.dcm", ExplicitVRLittleEndian)
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x20\0SQ\0\0\xff\xff\xff\xff" + EMPTY_ITEM * 1000)  # without an end
    np.testing.assert_allclose(images.read(path), VALUES / 65535, atol=1e-6)


def test_a_deflated_file_cut_short_is_damaged(tmp_path):
    path = _write(tmp_path / "a.dcm", DeflatedExplicitVRLittleEndian)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="cut short or damaged"):
        images.read(path)


def test_a_file_larger_than_any_radiograph_is_refused_unread(tmp_path):
    path = _write(tmp_path / "a.dcm", ExplicitVRLittleEndian)
    with path.open("r+b") as file:
        file.truncate(3 * 2**30)  # sparse: no bytes on the disk
    before = peak_bytes()
    with pytest.raises(UserError, match="found one of 3221 MB"):
        images.read(path)
    assert peak_bytes() - before < 200_000_000


def test_the_users_dataset_stays_as_it_is():
    dataset = build(VALUES, **WINDOW)
    before = dataset.to_json(), dataset.file_meta.to_json()
    images.read(dataset)
    assert (dataset.to_json(), dataset.file_meta.to_json()) == before


def test_pixels_are_left_unread_where_only_the_header_is_asked_for(tmp_path):
    path = _write(tmp_path / "a.dcm", DeflatedExplicitVRLittleEndian)
    assert "PixelData" not in read_dataset(path, path, stop_before_pixels=True)
    assert isinstance(read_dataset(path, path), pydicom.Dataset)
