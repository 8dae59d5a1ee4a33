"""The phantom as a dataset."""

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data.phantom import PhantomDataset, render
from llmcxr.data.phantom.case import FINDINGS
from llmcxr.records import Label


def test_a_study_says_what_is_drawn():
    dataset = PhantomDataset(n=5, seed=2, split="validate")
    assert len(dataset) == len(list(dataset)) == 5
    study, case = dataset[3], dataset.case(3)
    assert study.radiographs[0].image_id == "phantom-2-3" and study.split == "validate"
    assert study.radiographs[0].view_position == case.view_position
    assert set(study.labels) == set(FINDINGS)
    assert {name for name, label in study.labels.items() if label is Label.PRESENT} == {
        f.name for f in case.findings
    }
    assert study.report and study.questions
    assert dataset[3] == study


def test_pictures_are_drawn_at_the_size_asked_for():
    dataset = PhantomDataset(n=3)
    picture = dataset.read(1, 48)
    np.testing.assert_array_equal(picture, render([dataset.case(1)], 48)[0])
    np.testing.assert_array_equal(dataset.read_many([1, 2], 48)[0], picture)
    assert dataset.read(0).shape == (512, 512)
    assert dataset.salience(1, 48).shape == (48, 48)
    assert dataset.finding_map(1, (16, 8)).shape == (len(FINDINGS), 16, 8)


def test_words_are_new_each_time():
    dataset = PhantomDataset(n=3)
    reports = {dataset.texts(1, np.random.default_rng(seed)).report for seed in range(10)}
    assert len(reports) > 5


def test_mistakes_are_named():
    with pytest.raises(UserError, match="n=0"):
        PhantomDataset(n=0)
    with pytest.raises(UserError, match="split=val"):
        PhantomDataset(split="val")
    with pytest.raises(UserError, match=r"found 1\.5"):
        PhantomDataset(variation=1.5)
    with pytest.raises(IndexError, match=r"0\.\.2"):
        PhantomDataset(n=3)[3]
