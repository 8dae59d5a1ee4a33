"""Read a folder of DICOM radiographs, as an archive exports it. No count, no terms but your hospital's.

DIR is searched through all its folders for DICOM files, whatever their names; their headers are read, their
pixels only when asked for. Studies, series and patients are known by a hash of the identifiers in the
headers, so that none of those reaches a record, a log or a file name. There are no reports and no labels:
such a dataset is read, not trained on. Files that are damaged, hold no image or several frames are left out
and listed in `rejections`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import StudyDataset, keep_split
from llmcxr.images import dicom
from llmcxr.images.dicom.header import get_number, get_text
from llmcxr.records import Radiograph, Study, split_by_patient


def open_dicom_folder(path: str, split: str | None = None) -> StudyDataset:
    """Open DIR: a study per StudyInstanceUID, its radiographs in the order of the files' names."""
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder of DICOM files, found no such folder; check the path")
    rejections = Rejections()
    radiographs: dict[str, Radiograph] = {}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        with rejections.skip(str(file.relative_to(folder))), dicom.quiet():
            if dicom.is_dicom(file):
                radiograph = _read_radiograph(file)
                image_id = _make_unique(radiograph.image_id, radiographs)
                radiographs[image_id] = replace(radiograph, image_id=image_id)
    rejections.write()
    if not radiographs:
        raise UserError(
            f"{folder}: expected DICOM radiographs in it or its folders, found none; check the path"
        )
    studies = _group(list(radiographs.values()))
    return StudyDataset(keep_split(studies, split, f"dicom:{path}"), rejections=rejections.entries)


def _read_radiograph(file: Path) -> Radiograph:
    header, dataset = dicom.read_header(file)
    if "Rows" not in dataset:
        raise UserError(f"{file.name}: expected a DICOM radiograph, found DICOM without an image")
    if (get_number(dataset, "NumberOfFrames") or 1) > 1:
        raise UserError(f"{file.name}: expected a DICOM radiograph of one frame, found several")
    image_uid = get_text(dataset, "SOPInstanceUID") or file.name
    study_uid = get_text(dataset, "StudyInstanceUID") or image_uid
    return Radiograph(
        image_id=_hide(image_uid),
        study_id=_hide(study_uid),
        patient_id=_hide(get_text(dataset, "PatientID") or study_uid),
        path=str(file),
        view_position=header.view_position,
        pixel_spacing_mm=header.pixel_spacing_mm,
        sex=header.sex,
        age_years=header.age_years,
    )


def _hide(identifier: str) -> str:
    """Return a stable name that does not reveal the identifier it stands for."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:16]


def _make_unique(image_id: str, known: dict[str, Radiograph]) -> str:
    """Number ids that repeat, as copies in an export do: the second becomes ID-2."""
    names = (image_id if number == 1 else f"{image_id}-{number}" for number in range(1, len(known) + 2))
    return next(name for name in names if name not in known)


def _group(radiographs: list[Radiograph]) -> list[Study]:
    by_study: dict[str, list[Radiograph]] = {}
    for radiograph in radiographs:
        by_study.setdefault(radiograph.study_id, []).append(radiograph)
    return [
        Study(study_id, first.patient_id, (first, *rest), split=split_by_patient(first.patient_id))
        for study_id, (first, *rest) in by_study.items()
    ]
