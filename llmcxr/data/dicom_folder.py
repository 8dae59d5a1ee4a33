"""Read a folder of DICOM radiographs, as an archive exports it. No count, no terms but your hospital's.

DIR is searched through all its folders for DICOM files, whatever their names; their headers are read, their
pixels only when asked for. Studies, series and patients are known by a hash of the identifiers in the
headers, so that none of those reaches a record, a log or a file name. There are no reports and no labels:
such a dataset is read, not trained on. Left out and listed in `rejections` are files that are damaged, hold
no image or several frames, those of other modalities (CT, SR, ...), and images FOR PROCESSING of which the
study has one FOR PRESENTATION. A DICOMDIR is passed over.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import StudyDataset, keep_split
from llmcxr.images import ImageHeader, dicom
from llmcxr.images.dicom.elements import get_count, get_text
from llmcxr.images.dicom.header import RADIOGRAPHS, find_modality, is_raw
from llmcxr.records import Radiograph, Study, split_by_patient

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _File:
    """Holds a radiograph's record, its file's name within the folder, and whether it is FOR PROCESSING."""

    radiograph: Radiograph
    name: str
    is_raw: bool


def open_dicom_folder(path: str, split: str | None = None) -> StudyDataset:
    """Open DIR: a study per StudyInstanceUID, its radiographs in the order of the files' names."""
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"{folder}: expected a folder of DICOM files, found no such folder; check the path")
    unread, others = Rejections(), Counter()
    left_out: list[tuple[str, str]] = []
    files: dict[str, _File] = {}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = str(file.relative_to(folder))
        with unread.skip(name), dicom.quiet():
            if file.name.upper() == "DICOMDIR" or not dicom.is_dicom(file):
                continue
            header, dataset = dicom.read_header(file)
            modality = find_modality(dataset)
            if modality not in RADIOGRAPHS:
                others[modality] += 1
                left_out.append((name, f"modality {modality}: not a plain radiograph"))
            elif not _is_directory(dataset):
                radiograph = _build_radiograph(file, header, dataset)
                image_id = _make_unique(radiograph.image_id, files)
                files[image_id] = _File(replace(radiograph, image_id=image_id), name, is_raw(dataset))
    unread.write()
    if others:
        counts = ", ".join(f"{modality} {count}" for modality, count in sorted(others.items()))
        logger.warning("left out %d of other modalities: %s", others.total(), counts)
    if not files:
        raise UserError(
            f"{folder}: expected DICOM radiographs in it or its folders, found none; check the path"
        )
    studies = [_build_study(group, left_out) for group in _group(files.values())]
    rejections = Rejections(entries=[*unread, *left_out])
    return StudyDataset(keep_split(studies, split, f"dicom:{path}"), rejections=rejections)


def _is_directory(dataset: DicomDataset) -> bool:
    return "DirectoryRecordSequence" in dataset


def _build_radiograph(file: Path, header: ImageHeader, dataset: DicomDataset) -> Radiograph:
    if "Rows" not in dataset:
        raise UserError(f"{file.name}: expected a DICOM radiograph, found DICOM without an image")
    if (get_count(dataset, "NumberOfFrames") or 1) > 1:
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


def _make_unique(image_id: str, known: dict[str, _File]) -> str:
    """Number ids that repeat, as copies in an export do: the second becomes ID-2."""
    names = (image_id if number == 1 else f"{image_id}-{number}" for number in range(1, len(known) + 2))
    return next(name for name in names if name not in known)


def _group(files: Iterable[_File]) -> list[list[_File]]:
    by_study: dict[str, list[_File]] = {}
    for file in files:
        by_study.setdefault(file.radiograph.study_id, []).append(file)
    return list(by_study.values())


def _build_study(files: list[_File], left_out: list[tuple[str, str]]) -> Study:
    """Build a study of its images to be looked at, and of the raw ones whose view they do not show."""
    ready = [file.radiograph for file in files if not file.is_raw]
    kept = list(ready)
    for file in files:
        if not file.is_raw:
            continue
        if any(_may_be_one(file.radiograph, other) for other in ready):
            left_out.append((file.name, "FOR PROCESSING; the study has the image FOR PRESENTATION"))
        else:
            kept.append(file.radiograph)
    first = kept[0]
    split = split_by_patient(first.patient_id)
    return Study(first.study_id, first.patient_id, tuple(kept), split=split)


def _may_be_one(raw: Radiograph, ready: Radiograph) -> bool:
    views = {raw.view_position, ready.view_position}
    return len(views) == 1 or "unknown" in views
