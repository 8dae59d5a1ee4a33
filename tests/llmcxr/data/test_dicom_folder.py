"""A folder of DICOM files, with what lies about in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.images import dicom

IMAGE = np.random.default_rng(0).random((40, 40), dtype=np.float32)


def _write(path: Path, **elements: object) -> None:
    dicom.write_synthetic(path, IMAGE, {"file": path.name})
    dataset = pydicom.dcmread(path)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def test_files_are_grouped_into_studies_and_bad_ones_left_out(tmp_path, caplog):
    _write(tmp_path / "a" / "1.dcm", StudyInstanceUID="1.2.3", PatientID="secret", ViewPosition="LL")
    _write(
        tmp_path / "a" / "2",
        StudyInstanceUID="1.2.3",
        PatientID="secret",
        ViewPosition="PA",
        PatientAge="040Y",
    )
    _write(tmp_path / "b" / "3.dcm", StudyInstanceUID="1.2.4", PatientID="secret")
    _write(tmp_path / "b" / "frames.dcm", NumberOfFrames=3)
    (tmp_path / "b" / "bad.dcm").write_bytes(b"no DICOM " * 100)
    (tmp_path / "readme.txt").write_text("hello")
    dataset = open_dataset(f"dicom:{tmp_path}")
    assert [len(study.radiographs) for study in dataset] == [2, 1]
    assert [study.split for study in dataset] == [dataset[0].split] * 2  # one patient
    assert dataset[0].radiographs[1].age_years == 40
    np.testing.assert_allclose(dataset.read(0), IMAGE, atol=1e-3)  # the frontal one
    assert [Path(name).name for name, _ in dataset.rejections] == ["bad.dcm", "frames.dcm"]
    assert "left out 2 " in caplog.text


def test_identifiers_do_not_reach_the_records(tmp_path):
    _write(
        tmp_path / "1.dcm", PatientID="4711-secret", PatientName="Secret^Name", StudyInstanceUID="1.2.4711"
    )
    records = repr(open_dataset(f"dicom:{tmp_path}")[0]).replace(str(tmp_path), "")
    assert "4711" not in records and "ecret" not in records


def test_a_repeated_file_gets_an_id_of_its_own(tmp_path):
    _write(tmp_path / "1.dcm", SOPInstanceUID="1.2.5", StudyInstanceUID="1.2.6")
    _write(tmp_path / "2.dcm", SOPInstanceUID="1.2.5", StudyInstanceUID="1.2.6")
    first, second = open_dataset(f"dicom:{tmp_path}")[0].radiographs
    assert second.image_id == f"{first.image_id}-2"


def test_a_folder_without_dicom_is_named(tmp_path):
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(UserError, match="found none"):
        open_dataset(f"dicom:{tmp_path}")


def test_the_real_files(shared_data):
    dataset = open_dataset(f"dicom:{shared_data / 'dicom'}")
    assert [radiograph.view_position for radiograph in dataset[0].radiographs] == ["PA", "PA"]
    assert dataset.read(0, 128).shape == (128, 128)
