"""Read NIH ChestX-ray14: 112,120 frontal radiographs of 30,805 patients with 14 findings text-mined from
reports.

Access: free download from the NIH Clinical Center (https://nihcc.app.box.com/v/ChestXray-NIHCC), use
unrestricted with attribution to the NIH Clinical Center and a citation of Wang et al., "ChestX-ray8:
Hospital-scale Chest X-ray Database and Benchmarks", CVPR 2017. The reports are not public and the labels are
known to be noisy: the texts that `texts` gives are written from them by rule, and
`Study.report` stays empty.

DIR holds `Data_Entry.csv` or `Data_Entry_2017*.csv` with the publisher's columns, and the images in DIR,
`images/` or `images_001/images/` ..., as .png or .jpg; images that are not there are left out. A column
`split` (train, val, test) decides the split; else the publisher's `train_val_list.txt` and `test_list.txt`
do; else a hash of the patient. `BBox_List.csv`, where it is there, marks where findings are. The publisher
squeezed every radiograph to 1024 x 1024 pixels, so that a pixel is seldom square. A row with a label that is
none of the publisher's is an error, as it may be a misspelt one.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from pathlib import Path

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import StudyDataset, Texts, keep_split
from llmcxr.data.tables import (
    Row,
    find_files,
    parse_sex,
    parse_split,
    parse_years,
    read_table,
    skipping,
)
from llmcxr.data.text_files import read_lines
from llmcxr.findings import FINDING_OF_NIH_LABEL, with_article
from llmcxr.images.dicom.views import parse_view
from llmcxr.records import Label, LesionBox, Question, Radiograph, Study, split_by_patient
from llmcxr.reports import SEXES, capitalise, describe_circumstances, describe_labels

COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
SEX_COLUMNS = ("Patient Gender", "Patient Sex")  # the publisher renamed it
BOX_COLUMNS = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]")  # its header has commas of its own
BOX_GRID = 1024  # pixels a side
BOX_MARGIN = 0.02  # of the grid, by which a box may pass its edge
BOX_WORDS = {"Infiltrate": "Infiltration"}  # spelled otherwise than in Data_Entry
NO_FINDING = "No Finding"
FINDINGS_BY_WORD = {word.casefold(): finding for word, finding in FINDING_OF_NIH_LABEL.items()}
SUFFIXES = (".png", ".jpg", ".jpeg")
PRESENCE_WORDS = ("Is there {}?", "Do you see {}?", "Does this radiograph show {}?")


def open_nih(path: str, split: str | None = None, skip_bad: bool = False) -> StudyDataset:
    """Open DIR as studies of one radiograph each. Raises UserError naming the missing file or column.

    Images that are not there are left out and listed in `rejections`; with `skip_bad` malformed rows too,
    which otherwise raise UserError.
    """
    folder = Path(path)
    table = _find_table(folder)
    rejections = Rejections()
    skipped = rejections if skip_bad else None
    rows = read_table(table, COLUMNS, skipped)
    if not any(column in rows[0] for column in SEX_COLUMNS):
        raise UserError(f"{table}: expected the column {SEX_COLUMNS[0]}, found none of that name; add it")
    files = find_files(_list_image_folders(folder), SUFFIXES)
    test_names = _read_test_list(folder)
    studies = []
    for row in rows:
        image = files.get(Path(row["Image Index"]).stem)
        if image is None:
            rejections.add(row["Image Index"] or row.place, f"in {row.place} of the table, no such image")
            continue
        with skipping(skipped, row.place):
            studies.append(_build_study(row, image, _find_split(row, test_names, table), table))
    if not studies:
        raise UserError(
            f"{folder}: expected the images that {table.name} lists, in the folder or in images*/, "
            f"found none of {len(rows)}; download or unpack them there"
        )
    marked = read_boxes(folder / "BBox_List.csv", skipped)
    rejections.write()
    extents = {row["Image Index"]: extent for row in rows if (extent := _find_extent(row))}
    kept = keep_split(studies, split, f"nih:{path}")
    return StudyDataset(
        kept,
        write_texts=write_texts,
        rejections=rejections,
        extents_mm=extents,
        marked=marked,
    )


def read_boxes(table: Path, rejections: Rejections | None = None) -> dict[str, list[LesionBox]]:
    """Read the boxes of `BBox_List.csv` by image: x, y, width, height on the publisher's 1024 x 1024 pixels.

    {} where there is no such file. Raises UserError naming the row that marks no part of an image, or adds it
    to `rejections`.
    """
    boxes: dict[str, list[LesionBox]] = {}
    for row in read_table(table, BOX_COLUMNS, rejections) if table.is_file() else ():
        with skipping(rejections, f"{table.name} {row.place}"):
            boxes.setdefault(row["Image Index"], []).append(_read_box(row, table))
    return boxes


def _read_box(row: Row, table: Path) -> LesionBox:
    try:
        left, top, width, height = (float(row[column]) / BOX_GRID for column in BOX_COLUMNS[2:])
    except ValueError:
        raise UserError(f"{table}: expected four numbers in {row.place}; correct it") from None
    is_inside = min(left, top) >= -BOX_MARGIN and max(left + width, top + height) <= 1 + BOX_MARGIN
    if not (is_inside and width > 0 and height > 0):  # false of NaN too
        raise UserError(
            f"{table}: expected a box within {BOX_GRID} x {BOX_GRID} pixels in {row.place}, found another; "
            "correct it"
        )
    finding = _find_label(BOX_WORDS.get(row["Finding Label"], row["Finding Label"]))
    if finding is None:
        raise _unknown_label(table, "Finding Label", row)
    return LesionBox(finding, top, left, top + height, left + width)


def write_texts(study: Study, rng: np.random.Generator) -> Texts:
    """Write a report, a request and questions from the labels, view, sex and age: all that the publisher
    gives.

    The request is the impression, in one of four with the view, the sex or both; the age is in the report's
    indication alone.
    """
    radiograph = study.radiographs[0]
    present = [name for name, label in study.labels.items() if label is Label.PRESENT]
    report = describe_labels(present, radiograph.view_position, radiograph.sex, radiograph.age_years, rng=rng)
    questions = tuple(_ask_questions(study, rng))
    added = describe_circumstances(radiograph.view_position, radiograph.sex, rng)
    sentences = [report.impression, *(f"{capitalise(words)}." for words in added)]
    return Texts(report, " ".join(sentences), questions)


def _ask_questions(study: Study, rng: np.random.Generator) -> list[Question]:
    """Ask for the view, the sex where it is known, and one finding whose label is: present, or absent where
    nothing was found.
    """
    radiograph = study.radiographs[0]
    questions = [Question("What is the view position?", f"{radiograph.view_position}.", "view")]
    if radiograph.sex in SEXES:
        questions.append(
            Question("What is the sex of the patient?", f"{SEXES[radiograph.sex].capitalize()}.", "sex")
        )
    if study.labels:
        name = list(study.labels)[int(rng.integers(len(study.labels)))]
        words = PRESENCE_WORDS[int(rng.integers(len(PRESENCE_WORDS)))]
        answer = "Yes." if study.labels[name] is Label.PRESENT else "No."
        questions.append(Question(words.format(with_article(name)), answer, "presence"))
    return questions


def _find_table(folder: Path) -> Path:
    tables = [folder / "Data_Entry.csv", *sorted(folder.glob("Data_Entry_2017*.csv"))]
    table = next((table for table in tables if table.is_file()), None)
    if table is None:
        raise UserError(
            f"{folder}: expected a folder with Data_Entry.csv or Data_Entry_2017*.csv, found neither; "
            "name the folder of the NIH download"
        )
    return table


def _list_image_folders(folder: Path) -> list[Path]:
    """List DIR, DIR/images* and DIR/images*/images, as the twelve archives unpack."""
    inner = [path for path in sorted(folder.glob("images*")) if path.is_dir()]
    return [folder, *inner, *(path / "images" for path in inner if (path / "images").is_dir())]


def _read_test_list(folder: Path) -> frozenset[str] | None:
    """Read the publisher's test images, by name without suffix, or None where the list is not there."""
    path = folder / "test_list.txt"
    if not path.is_file():
        return None
    lines = read_lines(path, "a list of images as text")
    return frozenset(Path(name).stem for line in lines for name in line.split())


def _find_split(row: Row, test_names: frozenset[str] | None, table: Path) -> str:
    if "split" in row:
        return parse_split(row["split"], table, row.place)
    if test_names is None:
        return split_by_patient(row["Patient ID"])
    is_test = Path(row["Image Index"]).stem in test_names
    return "test" if is_test else split_by_patient(row["Patient ID"], test=0)


def _build_study(row: Row, path: Path, split: str, table: Path) -> Study:
    if not row["Patient ID"]:
        raise UserError(f"{table}: expected a Patient ID in {row.place}, found none; add it")
    image_id = row["Image Index"]
    study_id = Path(image_id).stem  # patient and follow-up number: every study has one image
    sex = row.get(SEX_COLUMNS[0]) or row.get(SEX_COLUMNS[1]) or ""
    radiograph = Radiograph(
        image_id=image_id,
        study_id=study_id,
        patient_id=row["Patient ID"],
        path=str(path),
        view_position=parse_view(row["View Position"]),
        sex=parse_sex(sex),
        age_years=parse_years(row["Patient Age"]),
    )
    labels = _parse_labels(row, table)
    return Study(study_id, row["Patient ID"], (radiograph,), labels=labels, split=split)


def _parse_labels(row: Row, table: Path) -> dict[str, Label]:
    """Parse `Effusion|Mass` -> both present, others not mentioned; `No Finding` -> all fourteen absent."""
    words = [word.strip() for word in row["Finding Labels"].split("|") if word.strip()]
    if [word.casefold() for word in words] == [NO_FINDING.casefold()]:
        return dict.fromkeys(FINDING_OF_NIH_LABEL.values(), Label.ABSENT)
    findings = [_find_label(word) for word in words]
    if None in findings:
        raise _unknown_label(table, "Finding Labels", row)
    return dict.fromkeys(findings, Label.PRESENT)


def _find_label(word: str) -> str | None:
    """Find the finding of a publisher's label, whatever its capitals and blanks: `Pleural Thickening`."""
    return FINDINGS_BY_WORD.get(word.replace(" ", "_").casefold())


def _unknown_label(table: Path, column: str, row: Row) -> UserError:
    known = ", ".join((*FINDING_OF_NIH_LABEL, f"or {NO_FINDING} alone"))
    return UserError(
        f"{table}: expected labels of ChestX-ray14 ({known}), separated by |, in column {column} of "
        f"{row.place}, found another; correct it"
    )


def _find_extent(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Return height and width in mm; commas in the publisher's header split two columns in four."""
    try:
        width, height = float(row["OriginalImage[Width"]), float(row["Height]"])
        across, down = float(row["OriginalImagePixelSpacing[x"]), float(row["y]"])
    except (KeyError, ValueError):
        return None
    extent = height * down, width * across
    return extent if all(0 < side < inf for side in extent) else None
