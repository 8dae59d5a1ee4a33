"""A user's own CSV of images and texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset

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


def test_missing_images_are_left_out(tmp_path):
    name = _make(tmp_path, "image,text", "a.png,One.", "none.png,Two.")
    dataset = open_dataset(name)
    assert len(dataset) == 1 and dataset.rejections[0][0] == "none.png"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (("image,caption", "a.png,x"), "expected the column text, found image, caption"),
        (("image,text", "none.png,x"), "found none of 1"),
        (("image,text,split", "a.png,x,holdout"), "row 1, found 'holdout'"),
        (("image,text,patient_id,split", "a.png,x,p,train", "b.png,x,p,test"), "1 patients in more than one"),
        (("image,text,patient_id,study_id", "a.png,x,p,s", "b.png,x,q,s"), "row 2 unlike"),
    ],
)
def test_a_bad_table_is_explained(tmp_path, lines, found):
    with pytest.raises(UserError, match=found):
        open_dataset(_make(tmp_path, *lines))


def test_a_folder_instead_of_the_table(tmp_path):
    with pytest.raises(UserError, match="found a folder"):
        open_dataset(f"csv:{tmp_path}")
