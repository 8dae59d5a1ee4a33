"""ChestX-ray14 in the publisher's layout: made small here, and the real sample where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.data.nih import read_boxes
from llmcxr.records import Label, LesionBox

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
ROWS = (
    "00000001_000.png,Cardiomegaly|Effusion,0,1,058Y,M,PA,2682,2749,0.143,0.143",
    "00000001_001.png,No Finding,1,1,58,M,AP,2000,1000,0.2,0.1",
    "00000002_000.png,Pleural_Thickening,0,2,414,F,PA,2500,2048,0.168,0.168",
)
RNG = np.random.default_rng(0)


def _make(
    folder: Path, rows: tuple[str, ...] = ROWS, header: str = HEADER, table: str = "Data_Entry.csv"
) -> str:
    (folder / "images_001" / "images").mkdir(parents=True)
    (folder / table).write_text("\n".join([header, *rows]) + "\n")
    for name in ("00000001_000", "00000001_001", "00000002_000"):
        images.write_png(
            folder / "images_001" / "images" / f"{name}.png", np.full((50, 100), 0.5, np.float32)
        )
    return f"nih:{folder}"


def test_rows_become_studies(tmp_path):
    dataset = open_dataset(_make(tmp_path, table="Data_Entry_2017_v2020.csv"))
    assert len(dataset) == 3
    study = dataset[0]
    (radiograph,) = study.radiographs
    assert (study.study_id, study.patient_id, radiograph.image_id) == (
        "00000001_000",
        "1",
        "00000001_000.png",
    )
    assert (radiograph.view_position, radiograph.sex, radiograph.age_years) == ("PA", "M", 58)
    assert study.labels == {"cardiomegaly": Label.PRESENT, "pleural effusion": Label.PRESENT}
    assert not study.report
    assert set(dataset[1].labels.values()) == {Label.ABSENT} and len(dataset[1].labels) == 14
    assert dataset[2].radiographs[0].age_years is None  # 414 years: a known error of the table
    assert dataset.read(0, 32).shape == (32, 32)


def test_spacing_is_the_originals_scaled_to_the_file(tmp_path):
    spacing = open_dataset(_make(tmp_path))[1].radiographs[0].pixel_spacing_mm
    assert spacing == pytest.approx((1000 * 0.1 / 50, 2000 * 0.2 / 100))


def test_words_come_from_the_labels(tmp_path):
    dataset = open_dataset(_make(tmp_path))
    texts = dataset.texts(0, RNG)
    assert texts.request.startswith("Cardiomegaly and pleural effusion.")
    assert "man" in texts.report.indication and "PA" in texts.report.technique
    assert {question.kind for question in texts.questions} == {"view", "sex", "presence"}
    assert [question.answer for question in texts.questions] == ["PA.", "Male.", "Yes."]
    assert dataset.texts(1, RNG).questions[2].answer == "No."


def test_one_request_in_four_names_view_and_sex(tmp_path):
    dataset = open_dataset(_make(tmp_path))
    requests = [dataset.texts(0, np.random.default_rng(seed)).request for seed in range(200)]
    added = [text.removeprefix("Cardiomegaly and pleural effusion.").strip() for text in requests]
    assert set(added) == {"", "PA view.", "PA view, male.", "Male."}
    assert 0.15 < np.mean([bool(text) for text in added]) < 0.35


def test_split_column(tmp_path):
    rows = tuple(f"{row},{split}" for row, split in zip(ROWS, ("train", "train", "val"), strict=True))
    name = _make(tmp_path, rows, f"{HEADER},split")
    assert [study.split for study in open_dataset(name)] == ["train", "train", "validate"]
    assert len(open_dataset(f"{name},split=validate")) == 1


def test_publishers_lists_decide_where_there_is_no_column(tmp_path):
    name = _make(tmp_path)
    (tmp_path / "test_list.txt").write_text("00000002_000.png\n")
    splits = [study.split for study in open_dataset(name)]
    assert splits[2] == "test" and splits[0] == splits[1] != "test"
    (tmp_path / "test_list.txt").write_text("00000002_000.jpg\r\n")  # as those who converted them
    assert [study.split for study in open_dataset(name)] == splits
    (tmp_path / "test_list.txt").write_bytes(b"00000001_000.png\n\xe9\n")
    with pytest.raises(UserError, match=r"test_list\.txt: .* bytes in line 2"):
        open_dataset(name)


def test_missing_images_are_left_out_and_counted(tmp_path, caplog):
    name = _make(tmp_path)
    (tmp_path / "images_001" / "images" / "00000002_000.png").unlink()
    dataset = open_dataset(name)
    assert len(dataset) == 2 and dataset.rejections[0][0] == "00000002_000.png"
    assert "left out 1 " in caplog.text


def test_what_is_missing_is_named(tmp_path):
    name = _make(tmp_path / "a", header=HEADER.replace("Finding Labels", "Labels"))
    with pytest.raises(UserError, match=r"Data_Entry\.csv: expected the column Finding Labels"):
        open_dataset(name)
    name = _make(tmp_path / "b", header=HEADER.replace("Patient Gender", "G"))
    with pytest.raises(UserError, match="column Patient Gender"):
        open_dataset(name)
    name = _make(tmp_path / "c")
    for path in (tmp_path / "c").rglob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match="found none of 3"):
        open_dataset(name)


def test_a_patient_in_two_splits_is_refused(tmp_path):
    rows = tuple(f"{row},{split}" for row, split in zip(ROWS, ("train", "test", "val"), strict=True))
    with pytest.raises(UserError, match="1 patients in more than one"):
        open_dataset(_make(tmp_path, rows, f"{HEADER},split"))


def test_the_real_sample(shared_data):
    parts = {
        split: open_dataset(f"nih:{shared_data / 'nih'},split={split}") for split in ("train", "validate")
    }
    assert {split: len(part) for split, part in parts.items()} == {"train": 671, "validate": 118}
    patients = {split: {study.patient_id for study in part} for split, part in parts.items()}
    assert patients["train"].isdisjoint(patients["validate"])
    pixels = parts["validate"].read(0, 128)
    assert pixels.shape == (128, 128) and pixels.std() > 0.05
    assert all(study.radiographs[0].is_frontal for study in parts["validate"])


def test_boxes_are_shares_of_the_radiograph(tmp_path):
    table = tmp_path / "BBox_List.csv"
    header = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"  # the publisher's, with its empty columns
    table.write_text(header + "a.png,Infiltrate,256,512,128,64,,,\na.png,Effusion,0,0,1024,1024,,,\n")
    boxes = read_boxes(table)["a.png"]
    assert boxes[0] == LesionBox("infiltration", top=0.5, left=0.25, bottom=0.5625, right=0.375)
    assert boxes[1] == LesionBox("pleural effusion", 0, 0, 1, 1)
    assert read_boxes(tmp_path / "none.csv") == {}
    table.write_text(header + "a.png,Mass,1,2,three,4,,,\n")
    with pytest.raises(UserError, match="four numbers in row 1"):
        read_boxes(table)
    for cells in (
        "Mass,nan,2,3,4",
        "Mass,1,2,0,4",
        "Mass,1000,2,300,4",
        "Mass,-99,2,300,4",
        "Mass,inf,2,3,4",
    ):
        table.write_text(f"{header}a.png,{cells},,,\n")
        with pytest.raises(UserError, match=r"a box within 1024 x 1024 pixels in row 1 \(line 2\)"):
            read_boxes(table)
    table.write_text(header + "a.png,SECRET,1,2,3,4,,,\n")
    with pytest.raises(UserError, match=r"column Finding Label of row 1 \(line 2\)") as raised:
        read_boxes(table)
    assert "SECRET" not in str(raised.value)


LABELS = (
    ("Effusion | Mass", {"pleural effusion", "mass"}),
    (" effusion|Pleural Thickening|", {"pleural effusion", "pleural thickening"}),
    ("", set()),
    ("Efusion|Mass", None),
    ("SECRET^PATIENT", None),
    ("No Finding|Mass", None),
    ("Effusion,Mass", None),
)


@pytest.mark.parametrize(("cell", "present"), LABELS)
def test_labels_are_the_publishers_whatever_the_blanks(tmp_path, cell, present):
    name = _make(tmp_path, (ROWS[1], f'00000001_000.png,"{cell}",0,1,058Y,M,PA,2682,2749,0.1,0.1'))
    if present is None:
        place = r"column Finding Labels of row 2 \(line 3\), found another"
        with pytest.raises(UserError, match=place) as raised:
            open_dataset(name)
        assert "SECRET" not in str(raised.value) and "Efusion" not in str(raised.value)
        assert [reason[0] for reason in open_dataset(f"{name},skip_bad=yes").rejections] == ["row 2 (line 3)"]
    else:
        assert set(open_dataset(name)[1].labels) == present


def test_a_row_without_a_patient_is_named(tmp_path):
    with pytest.raises(UserError, match=r"Patient ID in row 1 \(line 2\)"):
        open_dataset(_make(tmp_path, (ROWS[0].replace(",0,1,", ",0,,"),)))
