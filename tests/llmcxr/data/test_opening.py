"""One string opens any dataset; a wrong one is answered with what is known."""

from __future__ import annotations

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.specs import name_as_today
from llmcxr.data import Dataset, Texts, open_dataset
from llmcxr.data.opening import KINDS, find_kind
from llmcxr.records import Study


def test_the_phantom_opens_and_keeps_the_protocol():
    dataset = open_dataset("phantom:n=3,seed=7,split=validate")
    assert isinstance(dataset, Dataset)
    assert len(dataset) == 3 and dataset[2].split == "validate"
    pixels = dataset.read(1, 64)
    assert pixels.shape == (64, 64) and pixels.dtype == np.float32
    texts = dataset.texts(1, np.random.default_rng(0))
    assert isinstance(texts, Texts) and texts.report and texts.request and texts.questions


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("mri:x", ["KIND:PATH", *KINDS, "'mri'"]),
        ("", ["KIND:PATH"]),
        ("nih:", ["no path"]),
        ("nih:DIR,splat=train", ["split", "'splat'"]),
        ("nih:DIR,split=holdout", ["train|validate|test", "split=holdout"]),
        ("csv:FILE.csv,skip_bad=perhaps", ["skip_bad to be yes or no", "'perhaps'"]),
        ("phantom:n=many", ["n to be int", "'many'"]),
        ("phantom:n=0", ["n >= 1"]),
        ("phantom:DIR", ["only key=value", "'DIR'"]),
        ("phantom:size=3", ["n, seed, split", "'size'"]),
        ("dicom:no/such/folder", ["no/such/folder", "no such folder"]),
        ("nih:no/such/folder", ["no/such/folder", "Data_Entry.csv"]),
        ("openi:no/such/folder", ["no/such/folder", "NLMCXR_reports.tgz"]),
        ("csv:no/such.csv", ["no/such.csv", "CSV"]),
    ],
)
def test_a_wrong_name_is_answered_with_what_is_known(name, parts):
    with pytest.raises(UserError) as raised:
        open_dataset(name)
    assert all(part in str(raised.value) for part in parts)


def test_folder_is_the_old_name_of_csv(tmp_path):
    (tmp_path / "mine.csv").write_text("image,text\n,Clear lungs.\n")
    dataset = open_dataset(f"folder:{tmp_path / 'mine.csv'}")
    assert dataset.kind == "csv" and dataset[0].report.findings == "Clear lungs."
    assert dataset.name == f"folder:{tmp_path / 'mine.csv'}"  # caches are found by it
    assert find_kind(dataset.name) == "csv"
    assert name_as_today(dataset.name) == f"csv:{tmp_path / 'mine.csv'}"


class Blank(Dataset):
    def __init__(self, n: int = 2):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return Study(f"s{index}", f"p{index}", ())

    def read(self, index, size=None):
        return np.full((size, size), index, np.float32)


def test_a_new_kind_is_one_entry(monkeypatch):
    monkeypatch.setitem(KINDS, "blank", Blank)
    dataset = open_dataset("blank:n=3")
    assert (dataset.name, dataset.kind, len(list(dataset))) == ("blank:n=3", "blank", 3)


def test_what_a_dataset_does_not_know_is_none_or_nothing():
    dataset = Blank()
    assert dataset.case(0) is dataset.finding_map(0, (2, 2)) is dataset.salience(0, 8) is None
    assert (*dataset.boxes(0), *dataset.rejections) == () and not dataset.is_synthetic
    assert dataset.identify(1) == dataset[1]
    assert dataset.read_many([1, 0], 2)[:, 0, 0].tolist() == [1, 0]
    assert not dataset.texts(0, np.random.default_rng(0)).request
