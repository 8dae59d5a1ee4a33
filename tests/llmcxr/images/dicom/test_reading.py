"""Whole DICOM files: pydicom's own, real ones, and broken ones."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.images import dicom
from tests.llmcxr.images.dicom.built import build, fill

# file of pydicom's: (H, W), decodable by pydicom and pillow alone
READABLE = {
    "CT_small.dcm": (128, 128),
    "MR_small.dcm": (64, 64),
    "MR_small_bigendian.dcm": (64, 64),
    "MR_small_implicit.dcm": (64, 64),
    "MR_small_RLE.dcm": (64, 64),
    "MR_small_jp2klossless.dcm": (64, 64),
    "693_J2KI.dcm": (512, 512),
    "image_dfl.dcm": (512, 512),
    "examples_overlay.dcm": (300, 484),
    "SC_rgb_jpeg_dcmtk.dcm": (100, 100),
    "SC_ybr_full_422_uncompressed.dcm": (100, 100),
    "SC_rgb_rle_16bit.dcm": (100, 100),
    "examples_palette.dcm": (350, 800),
    "liver_1frame.dcm": (512, 512),
    "badVR.dcm": (10, 10),
}
REFUSED = {
    "test-SR.dcm": "without pixels",
    "rtplan.dcm": "without pixels",
    "SC_rgb_rle_2frame.dcm": "found 2",
    "rtdose.dcm": "found 15",
    "MR_truncated.dcm": "cut short or damaged",
    "no_meta.dcm": "not DICOM",
}


def _find(name: str) -> Path:
    return Path(get_testdata_file(name, download=False))


@pytest.mark.parametrize(("name", "shape"), READABLE.items())
def test_pydicoms_files_read_as_brightness(name, shape):
    pixels, _ = dicom.read(_find(name))
    assert pixels.shape == shape and pixels.dtype == np.float32
    assert 0 <= pixels.min() < 0.5 < pixels.max() <= 1


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_jp2klossless.dcm"])
def test_lossless_syntaxes_give_the_same_picture(name):
    np.testing.assert_array_equal(dicom.read(_find(name))[0], dicom.read(_find("MR_small.dcm"))[0])


def test_jpeg_ls_through_the_extra():
    pytest.importorskip("gdcm", reason="needs the extra: pip install llmcxr[dicom]")
    pixels = dicom.read(_find("MR_small_jpeg_ls_lossless.dcm"))[0]
    np.testing.assert_array_equal(pixels, dicom.read(_find("MR_small.dcm"))[0])


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_what_cannot_be_read_is_named_and_explained(name, reason):
    path = _find(name)
    with pytest.raises(UserError, match=reason) as raised:
        images.read(path)
    assert str(raised.value).startswith(f"{path}: expected a DICOM radiograph")


def test_a_file_without_preamble_is_read(tmp_path):
    dataset = pydicom.dcmread(_find("MR_small_implicit.dcm"))
    del dataset.file_meta
    dataset.save_as(tmp_path / "bare.dcm", implicit_vr=True, little_endian=True)
    pixels, _ = images.read_with_header(tmp_path / "bare.dcm")
    np.testing.assert_array_equal(pixels, dicom.read(_find("MR_small.dcm"))[0])


def test_dicom_is_known_by_its_content_whatever_its_name(tmp_path):
    shutil.copy(_find("CT_small.dcm"), tmp_path / "IM-0001")
    assert images.read(tmp_path / "IM-0001").shape == (128, 128)


def _edited(path: Path, **elements: object) -> Path:
    dataset = pydicom.dcmread(_find("MR_small.dcm"))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def test_unknown_transfer_syntax(tmp_path):
    path = _edited(tmp_path / "a.dcm")
    syntax = str(ExplicitVRLittleEndian).encode()
    unknown = b"1.2.840.10008.9.9.9"  # as long, so that the file stays whole
    path.write_bytes(
        path.read_bytes().replace(b"UI\x14\x00" + syntax + b"\0", b"UI\x14\x00" + unknown + b"\0", 1)
    )
    with pytest.raises(UserError, match="transfer syntax of the standard, found an unknown one"):
        images.read(path)


def test_an_overflow_names_the_file(tmp_path):
    path = _edited(tmp_path / "a.dcm", RescaleSlope="1e308", RescaleIntercept="-1e308")
    with pytest.raises(UserError, match="infinite") as raised:
        images.read(path)
    assert str(raised.value).startswith(f"{path}: expected a DICOM radiograph")


def test_pixels_come_square_and_in_the_usual_view_and_the_header_fits_them():
    values = fill(range(0, 40000, 100))
    window = {"WindowCenter": 20000, "WindowWidth": 40000, "ViewPosition": "PA"}
    usual, _ = dicom.read(build(values, **window))
    mirrored, header = dicom.read(build(values[:, ::-1], PatientOrientation=["R", "F"], **window))
    np.testing.assert_array_equal(mirrored, usual)
    assert [("mirrored" in warning) for warning in header.warnings] == [True]
    oblong, header = dicom.read(build(values[:, :18], PixelSpacing=[0.1, 0.2], **window))
    assert oblong.shape == (20, 36) and header.pixel_spacing_mm == (0.1, 0.1)
    assert "made square" in header.warnings[0]


def test_a_dataset_made_in_memory_needs_no_transfer_syntax():
    dataset = build(fill([0, 65535]), WindowCenter=32768, WindowWidth=65536)
    del dataset.file_meta
    pixels, header = dicom.read(dataset)
    np.testing.assert_allclose(pixels[0, :2], [0, 1], atol=1e-6)
    assert header.warnings == ()


def test_every_warning_of_a_bare_header_is_passed_on():
    elements = {"PhotometricInterpretation": None, "PixelRepresentation": None, "Modality": "DX"}
    _, header = dicom.read(build(fill(range(400)), **elements))
    assert [warning.split(" in ")[0] for warning in header.warnings] == [
        "no photometric interpretation",
        "no pixel representation",
        "no window",
    ]


def test_errors_warnings_and_log_hold_no_patient_data(tmp_path, caplog):
    secret = {"PatientName": "Secret^Name", "PatientID": "4711-secret", "NumberOfFrames": 3}
    path = _edited(tmp_path / "a.dcm", **secret)
    with pytest.raises(UserError) as raised:
        images.read(path)
    assert "ecret" not in str(raised.value) and "4711" not in str(raised.value)
    with dicom.quiet():
        _edited(path, NumberOfFrames=1, PatientAge="4711-secret")
    caplog.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom's warnings and log lines quote values
        _, header = images.read_with_header(path)
    assert header.age_years is None and "4711" not in " ".join(header.warnings)
    assert caplog.text == ""


def test_header_is_read_without_pixels():
    header, dataset = dicom.read_header(_find("MR_small.dcm"))
    assert header.sex == "F" and "PixelData" not in dataset


def test_real_monochrome1_and_monochrome2_are_negatives(shared_data):
    """Two files of one radiograph: the values stored are alike, what they mean is not."""
    paths = [next((shared_data / "dicom").glob(name)) for name in ("1.2.276.*.dcm", "Fake_MONO*.dcm")]
    (first, header), (second, _) = (images.read_with_header(path) for path in paths)
    np.testing.assert_allclose(first, 1 - second, atol=1e-6)
    assert (header.view_position, header.sex, header.age_years) == ("PA", "M", 62)
    assert header.pixel_spacing_mm == (0.168, 0.168)
