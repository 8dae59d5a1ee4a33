"""A user's own CSV of images and texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.records import Question

RNG = np.random.default_rng(0)


def _make(folder: Path, *lines: str, pictures: tuple[str, ...] = ("a.png", "b.png", "c.png")) -> str:
    for name in pictures:
        images.write_png(folder / name, np.full((40, 40), 0.5, np.float32))
    (folder / "mine.csv").write_text("\n".join(lines) + "\n")
    return f"csv:{folder / 'mine.csv'}"


def test_image_and_text_are_enough(tmp_path):
    dataset = open_dataset(
        _make(tmp_path, "image,text", 'a.png,"FINDINGS: Clear. IMPRESSION: Normal."', "b.png,Effusion.")
    )
    assert len(dataset) == 2
    assert dataset[0].report.impression == "Normal." and dataset[1].report.findings == "Effusion."
    assert dataset[0].patient_id != dataset[1].patient_id
    assert dataset.texts(1, RNG).request == "Effusion."
    assert dataset.read(0, 20).shape == (20, 20)


def test_rows_of_one_study_are_joined_and_optional_columns_read(tmp_path):
    dataset = open_dataset(
        _make(
            tmp_path,
            "image,text,patient_id,study_id,split,view_position,sex,age",
            "a.png,,p,s,val,lateral,F,61",
            "b.png,Clear.,p,s,val,PA,F,61",
            ",A text alone.,q,t,train,,,",
        )
    )
    study, text = dataset
    assert (study.study_id, study.patient_id, study.split) == ("s", "p", "validate")
    assert [radiograph.view_position for radiograph in study.radiographs] == ["lateral", "PA"]
    assert (study.radiographs[1].sex, study.radiographs[1].age_years) == ("F", 61)
    assert study.report.findings == "Clear." and text.radiographs == ()


def test_a_patients_studies_share_a_split_without_a_split_column(tmp_path):
    rows = [f",Text {index}.,p{index % 40},s{index}" for index in range(200)]
    dataset = open_dataset(_make(tmp_path, "image,text,patient_id,study_id", *rows))
    splits: dict[str, set[str]] = {}
    for study in dataset:
        splits.setdefault(study.patient_id, set()).add(study.split)
    assert len(splits) == 40 and all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "validate", "test"}


def test_missing_images_are_left_out_and_their_texts_kept(tmp_path):
    name = _make(tmp_path, "image,text", "a.png,One.", "none.png,Two.", "gone.png,")
    dataset = open_dataset(name)
    assert [name for name, _ in dataset.rejections] == ["none.png", "gone.png"]
    assert [(study.report.findings, len(study.radiographs)) for study in dataset] == [
        ("One.", 1),
        ("Two.", 0),
    ]
    assert dataset[1].study_id == "none.png/none.png"


def test_a_table_of_texts_needs_no_column_of_images(tmp_path):
    dataset = open_dataset(_make(tmp_path, "study_id,text", "s1,One.", "s2,"))
    assert [(study.study_id, study.report.findings) for study in dataset] == [("s1", "One."), ("s2", "")]
    with pytest.raises(UserError, match="expected images beside the table"):
        open_dataset(_make(tmp_path, "image,text", "none.png,"))


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (
            ("image,caption", "a.png,x"),
            "expected the column text or question in the first line, found image, caption",
        ),
        (("image,text", "none.png,"), "found none of 1"),
        (("path,text", "a.png,x"), "expected the column image in the first line, found path; rename it"),
        (("image,text,split", "a.png,x,holdout"), r"in row 1 \(line 2\), found another word"),
        (("image,text,patient_id,split", "a.png,x,p,train", "b.png,x,p,test"), "1 patients in more than one"),
        (("image,text,patient_id,study_id", "a.png,x,p,s", "b.png,x,q,s"), r"row 2 \(line 3\) unlike"),
    ],
)
def test_a_bad_table_is_explained(tmp_path, lines, found):
    with pytest.raises(UserError, match=found):
        open_dataset(_make(tmp_path, *lines))


def test_columns_are_known_in_any_capitals(tmp_path):
    dataset = open_dataset(
        _make(
            tmp_path,
            "Image,Text,Patient ID,View Position,Split",
            "a.png,One.,p,PA,val",
            "b.png,Two.,p,AP,val",
        )
    )
    assert [study.patient_id for study in dataset] == ["p", "p"]
    assert [study.radiographs[0].view_position for study in dataset] == ["PA", "AP"]
    assert dataset[0].split == "validate"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators(tmp_path, separator):
    lines = ("image,text,split", 'a.png,"One, and two.",val', "b.png,Three.,train")
    dataset = open_dataset(_make(tmp_path, *(line.replace(",", separator) for line in lines)))
    assert [study.split for study in dataset] == ["validate", "train"]
    assert dataset[0].report.findings.startswith("One") and len(dataset[0].radiographs) == 1


def test_questions_of_ones_own(tmp_path):
    dataset = open_dataset(
        _make(
            tmp_path,
            "image,question,answer,kind",
            "a.png,Is there an effusion?,Yes.,",
            "a.png,Where?,On the left.,location",
            'b.png,What is seen?,"No device, two clips.",',
            "b.png,How large?,Small.,",
            "b.png,How large?,Two centimetres.,",  # readers differ
            "b.png,How large?,Small.,",
        )
    )
    first, second = (dataset.texts(index, RNG).questions for index in range(2))
    assert len(dataset) == 2 and len(dataset[0].radiographs) == 1
    assert first == (
        Question("Is there an effusion?", "Yes.", "presence"),
        Question("Where?", "On the left.", "location"),
    )
    assert [one.kind for one in second] == ["presence", "other", "other"]


def test_questions_beside_texts_and_several_images(tmp_path):
    lines = (
        "image,text,study_id,question,answer",
        "a.png,Clear.,s,Effusion?,No.",
        "b.png,,s,Effusion?,No.",
        "b.png,,s,,",
    )
    (study,) = open_dataset(_make(tmp_path, *lines))
    assert [one.image_id for one in study.radiographs] == ["a.png", "b.png"]
    assert study.report.findings == "Clear." and [one.answer for one in study.questions] == ["No."]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (("image,question", "a.png,Effusion?"), "question and answer together, found one"),
        (("image,question,answer", "a.png,Effusion?,"), r"row 1 \(line 2\), found a question alone"),
        (("image,question,answer", "a.png,,Yes."), r"row 1 \(line 2\), found an answer alone"),
    ],
)
def test_half_a_question_is_named(tmp_path, lines, found):
    with pytest.raises(UserError, match=found):
        open_dataset(_make(tmp_path, *lines))


def test_malformed_rows_are_left_out_and_listed_where_that_is_asked_for(tmp_path):
    lines = (
        "image,text,patient_id,split",
        "a.png,Clear, no effusion.,p1,train",
        "b.png,Small effusion.,p2,train",
        "c.png,Clear.,p3,SECRET WARD",
        ",,,",
        "c.png,Large heart.,p4,val",
    )
    name = _make(tmp_path, *lines)
    with pytest.raises(UserError, match=r"4 cells in row 1 \(line 2\)"):
        open_dataset(name)
    dataset = open_dataset(f"{name},skip_bad=yes")
    assert [study.patient_id for study in dataset] == ["p2", "p4"]
    places = [place for place, _ in dataset.rejections]
    assert places == ["row 1 (line 2)", "row 4 (line 5)", "row 3 (line 4)"]
    assert "SECRET" not in str(list(dataset.rejections))


def test_a_row_that_says_nothing_is_left_out_and_a_name_that_no_system_takes_is_no_file(tmp_path):
    dataset = open_dataset(_make(tmp_path, "image,text,patient_id", "a.png,One.,p", ",,q", f"{'x' * 400},,r"))
    assert len(dataset) == 1 and [name[:14] for name, _ in dataset.rejections] == ["row 2 (line 3)", "x" * 14]


@pytest.mark.parametrize("word", ["val", "valid", "dev", "validation", "validate", "VAL"])
def test_every_word_for_validate_is_understood_in_tables_and_in_opening_strings(tmp_path, word):
    name = _make(tmp_path, "image,text,split", f"a.png,One.,{word}", "b.png,Two.,train")
    for asked in (word, "validate", "val"):
        assert [study.report.findings for study in open_dataset(f"{name},split={asked}")] == ["One."]
    assert open_dataset(f"phantom:n=1,split={word}")[0].split == "validate"


def test_a_folder_instead_of_the_table(tmp_path):
    with pytest.raises(UserError, match="found a folder"):
        open_dataset(f"csv:{tmp_path}")


def test_a_table_without_a_text_in_any_row_says_so(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("study_id,text\n1,\n2,\n")
    with pytest.raises(UserError, match="expected an image, a text or a question in a row, found none in 2"):
        open_dataset(f"csv:{table}")
