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
squeezed every radiograph to 1024 x 1024 pixels, so that a pixel is seldom square.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import StudyDataset, Texts, keep_split
from llmcxr.data.tables import find_files, parse_sex, parse_split, parse_view, parse_years, read_table
from llmcxr.findings import FINDING_OF_NIH_LABEL, with_article
from llmcxr.records import Label, LesionBox, Question, Radiograph, Study, split_by_patient
from llmcxr.reports import SEXES, capitalise, describe_circumstances, describe_labels

COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position")
SEX_COLUMNS = ("Patient Gender", "Patient Sex")  # the publisher renamed it
BOX_COLUMNS = ("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]")  # its header has commas of its own
BOX_GRID = 1024  # pixels a side
BOX_WORDS = {"Infiltrate": "Infiltration"}  # spelled otherwise than in Data_Entry
NO_FINDING = "No Finding"
SUFFIXES = (".png", ".jpg", ".jpeg")
PRESENCE_WORDS = ("Is there {}?", "Do you see {}?", "Does this radiograph show {}?")


def open_nih(path: str, split: str | None = None) -> StudyDataset:
    """Open DIR as studies of one radiograph each. Raises UserError naming the missing file or column."""
    folder = Path(path)
    table = _find_table(folder)
    rows = read_table(table, COLUMNS)
    if not any(column in rows[0] for column in SEX_COLUMNS):
        raise UserError(f"{table}: expected the column {SEX_COLUMNS[0]}, found none of that name; add it")
    files = find_files(_list_image_folders(folder), SUFFIXES)
    test_names = _read_test_list(folder)
    studies, rejections = [], Rejections()
    for number, row in enumerate(rows, 1):
        if Path(row["Image Index"]).stem not in files:
            rejections.add(row["Image Index"], "listed in the table, no such image in the folder")
            continue
        assigned = _find_split(row, test_names, table, number)
        studies.append(_build_study(row, files[Path(row["Image Index"]).stem], assigned))
    if not studies:
        raise UserError(
            f"{folder}: expected the images that {table.name} lists, in the folder or in images*/, "
            f"found none of {len(rows)}; download or unpack them there"
        )
    rejections.write()
    extents = {row["Image Index"]: extent for row in rows if (extent := _find_extent(row))}
    kept = keep_split(studies, split, f"nih:{path}")
    return StudyDataset(
        kept,
        write_texts=write_texts,
        rejections=rejections.entries,
        extents_mm=extents,
        marked=read_boxes(folder / "BBox_List.csv"),
    )


def read_boxes(table: Path) -> dict[str, list[LesionBox]]:
    """Read the boxes of `BBox_List.csv` by image: x, y, width, height on the publisher's 1024 x 1024 pixels.

    {} where there is no such file. Raises UserError naming the row whose numbers are none.
    """
    boxes: dict[str, list[LesionBox]] = {}
    for number, row in enumerate(read_table(table, BOX_COLUMNS) if table.is_file() else (), 1):
        try:
            left, top, width, height = (float(row[column]) / BOX_GRID for column in BOX_COLUMNS[2:])
        except ValueError as error:
            raise UserError(f"{table}: expected four numbers in row {number}; correct it") from error
        word = BOX_WORDS.get(row["Finding Label"], row["Finding Label"])
        box = LesionBox(FINDING_OF_NIH_LABEL.get(word, word.lower()), top, left, top + height, left + width)
        boxes.setdefault(row["Image Index"], []).append(box)
    return boxes


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
    """Read the names of the publisher's test images, or None where the list is not there."""
    path = folder / "test_list.txt"
    return frozenset(path.read_text().split()) if path.is_file() else None


def _find_split(row: Mapping[str, str], test_names: frozenset[str] | None, table: Path, number: int) -> str:
    if "split" in row:
        return parse_split(row["split"], table, number)
    if test_names is None:
        return split_by_patient(row["Patient ID"])
    return "test" if row["Image Index"] in test_names else split_by_patient(row["Patient ID"], test=0)


def _build_study(row: Mapping[str, str], path: Path, split: str) -> Study:
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
    labels = _parse_labels(row["Finding Labels"])
    return Study(study_id, row["Patient ID"], (radiograph,), labels=labels, split=split)


def _parse_labels(words: str) -> dict[str, Label]:
    """Parse `Effusion|Mass` -> both present, others not mentioned; `No Finding` -> all fourteen absent."""
    if words == NO_FINDING:
        return dict.fromkeys(FINDING_OF_NIH_LABEL.values(), Label.ABSENT)
    names = [word for word in words.split("|") if word]
    return {FINDING_OF_NIH_LABEL.get(name, name.replace("_", " ").lower()): Label.PRESENT for name in names}


def _find_extent(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Return height and width in mm; commas in the publisher's header split two columns in four."""
    try:
        width, height = float(row["OriginalImage[Width"]), float(row["Height]"])
        across, down = float(row["OriginalImagePixelSpacing[x"]), float(row["y]"])
    except (KeyError, ValueError):
        return None
    return height * down, width * across
