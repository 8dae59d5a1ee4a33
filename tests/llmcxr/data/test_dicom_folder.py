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


def test_files_without_preamble_or_ending_are_found(tmp_path):
    _write(tmp_path / "whole", StudyInstanceUID="1.2.3")
    dataset = pydicom.dcmread(tmp_path / "whole")
    dataset.SOPInstanceUID = "1.2.3.4"
    del dataset.file_meta
    dataset.preamble = None
    for name, implicit in (("IM0001", True), ("IM0002", False)):
        dataset.save_as(tmp_path / name, implicit_vr=implicit, little_endian=True)
    opened = open_dataset(f"dicom:{tmp_path}")
    assert len(opened[0].radiographs) == 3 and not opened.rejections


def test_other_modalities_are_left_out_and_counted(tmp_path, caplog):
    _write(tmp_path / "a", Modality="DX", StudyInstanceUID="1.2.3")
    for number, modality in enumerate(("CT", "CT", "SR", "US", "Miller^Ann")):
        _write(tmp_path / f"b{number}", Modality=modality, StudyInstanceUID="1.2.3")
    caplog.clear()  # of what pydicom says while these are written
    dataset = open_dataset(f"dicom:{tmp_path}")
    assert [len(study.radiographs) for study in dataset] == [1]
    assert [name for name, _ in dataset.rejections] == ["b0", "b1", "b2", "b3", "b4"]
    assert "left out 5 of other modalities: CT 2, SR 1, US 1, unknown 1" in caplog.text
    assert "Miller" not in caplog.text + str(list(dataset.rejections))


def test_a_dicomdir_is_passed_over(tmp_path):
    _write(tmp_path / "a", Modality="DX")
    directory = pydicom.dcmread(tmp_path / "a")
    directory.SOPClassUID = directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    for keyword in ("PixelData", "Rows", "Modality"):
        delattr(directory, keyword)
    directory.DirectoryRecordSequence = []
    directory.save_as(tmp_path / "DICOMDIR")
    directory.save_as(tmp_path / "index.dcm")
    dataset = open_dataset(f"dicom:{tmp_path}")
    assert len(dataset) == 1 and not dataset.rejections


def _intents(folder: Path, *files: tuple[str, str, str]) -> list[list[str]]:
    """File name, presentation intent and view of one study's files -> names of its radiographs."""
    for name, intent, view in files:
        _write(folder / name, PresentationIntentType=intent, ViewPosition=view, StudyInstanceUID="1.2.3")
    dataset = open_dataset(f"dicom:{folder}")
    return [[Path(radiograph.path).name for radiograph in study.radiographs] for study in dataset]


RAW, READY = "FOR PROCESSING", "FOR PRESENTATION"


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ([("1", RAW, "PA"), ("2", READY, "PA")], ["2"]),
        ([("1", READY, "PA"), ("2", RAW, "PA")], ["1"]),
        ([("1", RAW, "PA"), ("2", READY, "")], ["2"]),  # of unknown view
        ([("1", RAW, "PA"), ("2", "", "PA")], ["2"]),  # of unknown intent
        ([("1", RAW, "PA"), ("2", READY, "LL")], ["2", "1"]),  # the raw one alone shows the front
        ([("1", RAW, "PA"), ("2", RAW, "LL"), ("3", READY, "PA"), ("4", READY, "LL")], ["3", "4"]),
        ([("1", RAW, "PA")], ["1"]),
    ],
)
def test_of_one_study_images_for_presentation_are_taken(tmp_path, files, kept):
    assert _intents(tmp_path, *files) == [kept]


def test_a_study_of_special_views_alone_has_no_frontal_radiograph(tmp_path):
    _write(tmp_path / "1", ViewPosition="AP LLD", StudyInstanceUID="1.2.3")
    _write(tmp_path / "2", ViewPosition="XTABLE", StudyInstanceUID="1.2.3")
    with pytest.raises(UserError, match="lateral or other views"):
        open_dataset(f"dicom:{tmp_path}").read(0)
    _write(tmp_path / "3", ViewPosition="AP", StudyInstanceUID="1.2.3")
    assert open_dataset(f"dicom:{tmp_path}").read(0).shape == (40, 40)


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
