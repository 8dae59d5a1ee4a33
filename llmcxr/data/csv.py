"""Read your own radiographs, texts and questions from a table with a row per image. No count, no terms but
yours.

FILE.csv (or .tsv, gzipped, or .jsonl with an object a row) has the columns `image` (a path, taken from the
CSV's folder unless absolute; empty, or no such column, for a text alone) and `text` (a report: with headings
such as FINDINGS: it is split into sections, else all of it is findings), or in its place or besides
`question` and `answer`, a row for each question. It may have `patient_id`, `study_id`, `split` (train, val,
test), `view_position` (PA, AP, lateral), `sex` (F, M), `age` (years), and `kind` (of the question: answers
are scored by it; without it, presence where the answer is yes or no, else other). Rows with one study_id, or
else with one patient and image, are one study with all their images and questions and the first text that is
not empty. Without patient_id every image is of a patient of its own, so give it where you can: only then is
the split by patient. Without `split` a hash of the patient decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import StudyDataset, keep_split
from llmcxr.data.tables import (
    Row,
    parse_sex,
    parse_split,
    parse_years,
    read_table,
    skipping,
)
from llmcxr.images.dicom.views import parse_view
from llmcxr.records import Question, Radiograph, Study, split_by_patient
from llmcxr.reports import parse_sections

IMAGE_WORDS = {"image_path", "images", "img", "path", "file", "filename", "file_name"}  # image misnamed


def open_csv(path: str, split: str | None = None, skip_bad: bool = False) -> StudyDataset:
    """Open FILE.csv. Images that are not there are left out and listed in `rejections`, their texts are kept;
    with `skip_bad` malformed rows are left out too, which otherwise raise UserError.
    """
    table = Path(path)
    if table.is_dir():
        raise UserError(
            f"{table}: expected a CSV file with the columns image and text, found a folder; name the file"
        )
    studies: dict[str, Study] = {}
    rejections = Rejections()
    for row in _read_rows(table, rejections if skip_bad else None):
        image = _find_image(row, table, rejections)
        if not (image or row.get("text") or row.get("question") or row.get("study_id")):
            if not row.get("image"):
                rejections.add(row.place, "expected an image, a text or a question, found none")
            continue
        with skipping(rejections if skip_bad else None, row.place):
            study = _build_study(row, table, studies.get(row.get("study_id", "")), has_image=bool(image))
            studies[study.study_id] = _merge(studies.get(study.study_id), study, row, table)
    rejections.write()
    if not any(study.radiographs or study.report or study.questions for study in studies.values()):
        raise UserError(_tell_empty(table, studies, rejections))
    return StudyDataset(keep_split(studies.values(), split, f"csv:{path}"), rejections=rejections)


def _tell_empty(table: Path, studies: Mapping[str, Study], rejections: Rejections) -> str:
    if not rejections.entries:
        wanted = "an image, a text or a question in a row"
        return f"{table}: expected {wanted}, found none in {len(studies)}; add some"
    return f"{table}: expected images beside the table, found none of {len(rejections)}; check the paths"


def _find_image(row: Row, table: Path, rejections: Rejections) -> str:
    """Return the name of a row's image, "" for none; one that is not there is none, and listed."""
    name = row.get("image", "")
    if name and not os.path.isfile(table.parent / name):
        rejections.add(name, f"named in {row.place} of the table, no such file")
        return ""
    return name


def _read_rows(table: Path, rejections: Rejections | None) -> list[Row]:
    rows = read_table(table, (("text", "question"),), rejections)
    columns = rows[0].columns
    if "image" not in columns and (alike := IMAGE_WORDS.intersection(columns)):
        raise UserError(
            f"{table}: expected the column image in the first line, found {', '.join(sorted(alike))}; "
            "rename it"
        )
    if ("question" in columns) != ("answer" in columns):
        raise UserError(
            f"{table}: expected the columns question and answer together, found one; add the other"
        )
    return rows


def _build_study(row: Row, table: Path, known: Study | None, has_image: bool) -> Study:
    """Build the study of one row; `known` is what earlier rows say of it."""
    name = row.get("image") or f"row {row.number}"
    patient_id = row.get("patient_id") or (known.patient_id if known else name)
    study_id = row.get("study_id") or f"{patient_id}/{name}"
    radiograph = Radiograph(
        image_id=name,
        study_id=study_id,
        patient_id=patient_id,
        path=str(table.parent / row.get("image", "")),
        view_position=parse_view(row.get("view_position", "")),
        sex=parse_sex(row.get("sex", "")),
        age_years=parse_years(row.get("age", "")),
    )
    is_split = "split" in row
    return Study(
        study_id=study_id,
        patient_id=patient_id,
        radiographs=(radiograph,) if has_image else (),
        report=parse_sections(row.get("text", "")),
        split=parse_split(row["split"], table, row.place) if is_split else split_by_patient(patient_id),
        questions=_read_questions(row, table),
    )


def _read_questions(row: Row, table: Path) -> tuple[Question, ...]:
    """Read a row's question, where it has one. Raises UserError for one without an answer, or the reverse."""
    question, answer = row.get("question", ""), row.get("answer", "")
    if bool(question) != bool(answer):
        found = "a question" if question else "an answer"
        raise UserError(
            f"{table}: expected a question and its answer in {row.place}, found {found} alone; complete it"
        )
    if not question:
        return ()
    is_closed = re.match(r"(?:yes|no)\b", answer, re.IGNORECASE)
    return (Question(question, answer, row.get("kind") or ("presence" if is_closed else "other")),)


def _merge(known: Study | None, study: Study, row: Row, table: Path) -> Study:
    """Let a further row of a study add its image and question, and its text where none was."""
    if known is None:
        return study
    if (known.patient_id, known.split) != (study.patient_id, study.split):
        raise UserError(
            f"{table}: expected one patient and one split for every study_id, found {row.place} unlike an "
            "earlier row of its study; correct it"
        )
    known_images = {radiograph.image_id for radiograph in known.radiographs}
    return replace(
        known,
        radiographs=(
            *known.radiographs,
            *(one for one in study.radiographs if one.image_id not in known_images),
        ),
        report=known.report or study.report,
        questions=(*known.questions, *(one for one in study.questions if one not in known.questions)),
    )
