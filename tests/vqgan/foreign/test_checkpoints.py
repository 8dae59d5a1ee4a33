import os
import shutil
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vqgan.foreign.checkpoints import read_tensors

WEIGHTS = {"a": torch.arange(3.0), "b.c": torch.ones(2, 2, dtype=torch.float16)}


def same(found: dict, expected: dict) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name].float()) for name in found
    )


class Callback:
    """Stands for a class of a package that is not installed where the file is read."""

    def __init__(self) -> None:
        self.best = 1.5


@pytest.fixture
def foreign_class() -> type:
    """A class that can be pickled while the test runs and belongs to a module that is gone afterwards."""
    module = ModuleType("pytorch_lightning_callbacks")
    module.ModelCheckpoint = type("ModelCheckpoint", (Callback,), {"__module__": module.__name__})
    sys.modules[module.__name__] = module
    yield module.ModelCheckpoint
    sys.modules.pop(module.__name__, None)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_a_lightning_checkpoint_gives_its_tensors_without_lightning(
    tmp_path: Path, foreign_class: type, zipped: bool
) -> None:
    content = {
        "epoch": 3,
        "callbacks": {foreign_class: {"best": 0.5}, "other": foreign_class()},
        "state_dict": OrderedDict(WEIGHTS),
    }
    torch.save(content, tmp_path / "last.ckpt", _use_new_zipfile_serialization=zipped)
    del sys.modules[foreign_class.__module__]
    assert same(read_tensors(tmp_path / "last.ckpt"), WEIGHTS)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_a_pickled_module_gives_its_state_dict(tmp_path: Path, zipped: bool) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU())
    module[0].weight.data = module[0].weight.data.transpose(2, 3)  # strides of its own
    torch.save(module, tmp_path / "whole.pt", _use_new_zipfile_serialization=zipped)
    found = read_tensors(tmp_path / "whole.pt")
    expected = module.state_dict()
    assert list(found) == list(expected) and all(
        torch.equal(found[name], expected[name]) for name in expected
    )


class Malicious:
    def __init__(self, path: str, function: object) -> None:
        self.path, self.function = path, function

    def __reduce__(self) -> tuple:
        return self.function, (self.path,)


def test_nothing_that_a_checkpoint_names_is_run(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for zipped in (True, False):
        torch.save(
            {"state_dict": WEIGHTS, "x": Malicious(str(kept), shutil.rmtree)},
            tmp_path / "bad.ckpt",
            _use_new_zipfile_serialization=zipped,
        )
        assert same(read_tensors(tmp_path / "bad.ckpt"), WEIGHTS)
    torch.save({"state_dict": WEIGHTS, "x": Malicious(str(kept), os.rmdir)}, tmp_path / "worse.ckpt")
    with pytest.raises(ValueError, match=r"worse.ckpt: expected a checkpoint .*, found .*rmdir"):
        read_tensors(tmp_path / "worse.ckpt")
    assert kept.is_dir()


def test_a_bare_state_dict_is_read_too(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "bare.pth")
    assert same(read_tensors(tmp_path / "bare.pth"), WEIGHTS)


def test_what_is_no_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a checkpoint, found no such file"):
        read_tensors(tmp_path / "missing.ckpt")
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"text.ckpt: expected a checkpoint written by torch.save"):
        read_tensors(tmp_path / "text.ckpt")
    torch.save({"epoch": 3}, tmp_path / "empty.ckpt")
    with pytest.raises(ValueError, match="expected tensors, alone or under `state_dict`, found keys epoch"):
        read_tensors(tmp_path / "empty.ckpt")
    for zipped in (True, False):
        torch.save({"state_dict": WEIGHTS}, tmp_path / "cut.ckpt", _use_new_zipfile_serialization=zipped)
        content = (tmp_path / "cut.ckpt").read_bytes()
        for length in (len(content) // 2, len(content) - 4):
            (tmp_path / "cut.ckpt").write_bytes(content[:length])
            with pytest.raises(ValueError, match=r"cut.ckpt: expected a checkpoint"):
                read_tensors(tmp_path / "cut.ckpt")
