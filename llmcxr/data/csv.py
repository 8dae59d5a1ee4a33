"""Read your own radiographs and texts from a CSV file with a row per image. No count, no terms but yours.

FILE.csv has the columns `image` (a path, taken from the CSV's folder unless absolute; empty for a text alone)
and `text` (a report: with headings such as FINDINGS: it is split into sections, else all of it is findings).
It may have `patient_id`, `study_id`, `split` (train, val, test), `view_position` (PA, AP, lateral), `sex` (F,
M), `age` (years). Rows with one study_id are one study with several images and the first text that is not
empty. Without patient_id every row is a patient of its own, so give it where you can: only then is the split
by patient. Without `split` a hash of the patient decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import StudyDataset, keep_split
from llmcxr.data.tables import parse_sex, parse_split, parse_view, parse_years, read_table
from llmcxr.records import Radiograph, Study, split_by_patient
from llmcxr.reports import parse_sections

COLUMNS = ("image", "text")


def open_csv(path: str, split: str | None = None) -> StudyDataset:
    """Open FILE.csv. Images that are not there are left out and listed in `rejections`."""
    table = Path(path)
    if table.is_dir():
        raise UserError(
            f"{table}: expected a CSV file with the columns image and text, found a folder; name the file"
        )
    studies: dict[str, Study] = {}
    rejections = Rejections()
    for number, row in enumerate(read_table(table, COLUMNS), 1):
        if row["image"] and not (table.parent / row["image"]).is_file():
            rejections.add(row["image"], f"named in row {number} of the table, no such file")
            continue
        study = _build_study(row, number, table)
        studies[study.study_id] = _merge(studies.get(study.study_id), study, number, table)
    rejections.write()
    if not studies:
        raise UserError(
            f"{table}: expected images beside the table, found none of {len(rejections)}; check the paths"
        )
    return StudyDataset(keep_split(studies.values(), split, f"csv:{path}"), rejections=rejections.entries)


def _build_study(row: Mapping[str, str], number: int, table: Path) -> Study:
    name = row["image"] or f"row {number}"
    patient_id = row.get("patient_id") or name
    study_id = row.get("study_id") or f"{patient_id}/{name}"
    radiograph = Radiograph(
        image_id=name,
        study_id=study_id,
        patient_id=patient_id,
        path=str(table.parent / row["image"]),
        view_position=parse_view(row.get("view_position", "")),
        sex=parse_sex(row.get("sex", "")),
        age_years=parse_years(row.get("age", "")),
    )
    return Study(
        study_id=study_id,
        patient_id=patient_id,
        radiographs=(radiograph,) if row["image"] else (),
        report=parse_sections(row["text"]),
        split=parse_split(row["split"], table, number) if "split" in row else split_by_patient(patient_id),
    )


def _merge(known: Study | None, study: Study, number: int, table: Path) -> Study:
    """Let a further row of a study add its image, and its text where none was."""
    if known is None:
        return study
    if (known.patient_id, known.split) != (study.patient_id, study.split):
        raise UserError(
            f"{table}: expected one patient and one split for every study_id, found row {number} unlike an "
            "earlier row of its study; correct it"
        )
    return replace(
        known,
        radiographs=(*known.radiographs, *study.radiographs),
        report=known.report or study.report,
    )
