"""One string opens any dataset; a wrong one is answered with what is known."""

from __future__ import annotations

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, Texts, open_dataset
from llmcxr.data.opening import KINDS, _parse


def test_a_name_is_taken_apart():
    assert _parse("nih:DIR,split=train") == ("nih", "DIR", {"split": "train"})
    assert _parse("phantom:n=4000,seed=0") == ("phantom", "", {"n": "4000", "seed": "0"})
    assert _parse("phantom:") == ("phantom", "", {})
    assert _parse("folder:C:\\a, b\\x.csv") == ("folder", "C:\\a, b\\x.csv", {})
    assert _parse("openi:a,b=c/d,images=e") == ("openi", "a", {"b": "c/d", "images": "e"})


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
        ("nih:DIR,split=val", ["train|validate|test", "split=val"]),
        ("phantom:n=many", ["n to be int", "'many'"]),
        ("phantom:n=0", ["n >= 1"]),
        ("phantom:DIR", ["only key=value", "'DIR'"]),
        ("phantom:size=3", ["n, seed, split", "'size'"]),
        ("dicom:no/such/folder", ["no/such/folder", "no such folder"]),
        ("nih:no/such/folder", ["no/such/folder", "Data_Entry.csv"]),
        ("openi:no/such/folder", ["no/such/folder", "NLMCXR_reports.tgz"]),
        ("folder:no/such.csv", ["no/such.csv", "CSV"]),
    ],
)
def test_a_wrong_name_is_answered_with_what_is_known(name, parts):
    with pytest.raises(UserError) as raised:
        open_dataset(name)
    assert all(part in str(raised.value) for part in parts)
