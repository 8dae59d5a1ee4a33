"""What every source has in common: splits by patient, the frontal image, the words."""

from __future__ import annotations

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, StudyDataset, find_frontal
from llmcxr.data.dataset import keep_split
from llmcxr.records import Radiograph, Report, Study

RNG = np.random.default_rng(0)


def _study(
    patient: str, *views: str, split: str = "train", path: str = "", report: Report | None = None
) -> Study:
    radiographs = tuple(
        Radiograph(f"{patient}{i}", patient, patient, path, view) for i, view in enumerate(views)
    )
    return Study(patient, patient, radiographs, report or Report(), split=split)


@pytest.mark.parametrize(
    ("views", "chosen"),
    [
        (("lateral", "PA", "AP"), 1),
        (("unknown", "AP"), 1),
        (("lateral", "unknown"), 1),
        (("lateral",), None),
        ((), None),
    ],
)
def test_the_frontal_radiograph_is_found(views, chosen):
    frontal = find_frontal(_study("p", *views))
    assert (frontal and frontal.image_id) == (None if chosen is None else f"p{chosen}")


def test_images_are_read_and_fitted(tmp_path):
    path = str(images.write_png(tmp_path / "a.png", np.full((60, 120), 0.6, np.float32)))
    dataset = StudyDataset([_study("p", "PA", path=path), _study("q", "lateral", path=path), _study("r")])
    assert isinstance(dataset, Dataset)
    assert dataset.read(0).shape == (60, 120)
    fitted = dataset.read(0, 64)
    assert fitted.shape == (64, 64) and fitted[0, 0] == 0 and abs(fitted[32, 32] - 0.6) < 0.01
    with pytest.raises(UserError, match="only lateral"):
        dataset.read(1)
    with pytest.raises(UserError, match="found none"):
        dataset.read(2)


def test_spacing_follows_the_file_as_it_is(tmp_path):
    path = str(images.write_png(tmp_path / "a.png", np.zeros((100, 200), np.float32)))
    studies = [_study("p", "PA", path=path), _study("q", "PA", path="missing.png")]
    dataset = StudyDataset(studies, extents_mm={"p0": (400.0, 300.0), "q0": (400.0, 300.0)})
    assert dataset[0].radiographs[0].pixel_spacing_mm == (4.0, 1.5)
    assert dataset[1].radiographs[0].pixel_spacing_mm is None


def test_words_are_cleaned_and_the_impression_is_the_request():
    report = Report(findings="The XXXX heart is large.", impression="Cardiomegaly, XXXX.")
    dataset = StudyDataset([_study("p", report=report), _study("q", report=Report(findings="Clear."))])
    assert "XXXX" not in dataset.texts(0, RNG).report.findings
    assert dataset.texts(0, RNG).request == "Cardiomegaly."
    assert dataset.texts(1, RNG).request == "Clear."
    assert dataset[0].report is report


def test_splits_are_kept_and_a_torn_patient_is_refused():
    studies = [_study("p"), _study("q", split="validate"), _study("p")]
    assert [study.patient_id for study in keep_split(studies, "train", "x")] == ["p", "p"]
    assert len(keep_split(studies, None, "x")) == 3
    with pytest.raises(UserError, match="split=test, found train, validate"):
        keep_split(studies, "test", "x")
    with pytest.raises(UserError, match="found 1 patients in more than one"):
        keep_split([*studies, _study("q", split="test")], None, "x")
