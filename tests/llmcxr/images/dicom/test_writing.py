"""Drawn pictures as DICOM: exact, repeatable, and marked as synthetic wherever the standard lets it."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.images import dicom

IMAGE = np.random.default_rng(0).random((65, 63), dtype=np.float32)
DESCRIPTION = {"text": "Großer Erguss 右", "model": "phantom"}


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_what_is_written_reads_back(tmp_path, bits):
    path = dicom.write_synthetic(tmp_path / "a.dcm", IMAGE, DESCRIPTION, bits_stored=bits)
    pixels, header = images.read_with_header(path)
    assert np.abs(pixels - IMAGE).max() <= 0.51 / (2**bits - 1) + 1e-6
    assert any("synthetic" in warning for warning in header.warnings)


def test_every_place_says_synthetic(tmp_path):
    dataset = pydicom.dcmread(dicom.write_synthetic(tmp_path / "a.dcm", IMAGE, DESCRIPTION, seed=7))
    assert dataset.SOPClassUID.name == "Secondary Capture Image Storage"
    assert list(dataset.ImageType) == ["DERIVED", "SECONDARY", "SYNTHETIC"]
    assert (dataset.SyntheticData, dataset.ConversionType, dataset.Modality) == ("YES", "SYN", "OT")
    assert (dataset.PatientName, dataset.BurnedInAnnotation) == ("SYNTHETIC", "NO")
    for text in (dataset.SeriesDescription, dataset.DerivationDescription, dataset.ImageComments):
        assert "synthetic" in text.lower() and "patient" in text
    assert "Großer Erguss 右" in dataset.ImageComments and "seed: 7" in dataset.ImageComments


def test_the_same_picture_gives_the_same_bytes_and_another_seed_other_uids(tmp_path):
    write = lambda name, seed: dicom.write_synthetic(tmp_path / name, IMAGE, DESCRIPTION, seed)  # noqa: E731
    assert write("a.dcm", 1).read_bytes() == write("b.dcm", 1).read_bytes()
    first, other = pydicom.dcmread(tmp_path / "a.dcm"), pydicom.dcmread(write("c.dcm", 2))
    keywords = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
    uids = {dataset[keyword].value for dataset in (first, other) for keyword in keywords}
    assert len(uids) == 6 and all(uid.is_valid and uid.startswith("2.25.") for uid in uids)


def test_a_long_prompt_is_cut_to_what_the_standard_allows(tmp_path):
    path = dicom.write_synthetic(tmp_path / "a.dcm", IMAGE, {"text": "word " * 10_000})
    assert len(pydicom.dcmread(path).ImageComments) <= 10240


def test_bad_arguments_and_places(tmp_path):
    with pytest.raises(ValueError, match="8, 12 or 16, got 10"):
        dicom.write_synthetic(tmp_path / "a.dcm", IMAGE, {}, bits_stored=10)
    with pytest.raises(ValueError, match="shape"):
        dicom.write_synthetic(tmp_path / "a.dcm", IMAGE[None], {})
    with pytest.raises(UserError, match="found a folder"):
        dicom.write_synthetic(tmp_path, IMAGE, {})
    assert list(tmp_path.iterdir()) == []
