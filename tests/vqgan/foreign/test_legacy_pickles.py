"""Files as torch wrote them before 1.6: tensors come through, names are not run."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from vqgan.foreign.legacy_pickles import Inert, read


def write(path: Path, content: object) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64, torch.bool])
def test_tensors_of_any_type_come_through(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = torch.tensor([[1, 0, 1], [0, 1, 1]]).to(dtype)
    found = read(write(tmp_path / "a.pt", OrderedDict(a=tensor, turned=tensor.T)))
    assert torch.equal(found["a"], tensor) and torch.equal(found["turned"], tensor.T)


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harmful",)


def test_what_a_file_names_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = read(write(tmp_path / "a.pt", {"a": torch.ones(2), "b": Harmful()}))
    assert torch.equal(found["a"], torch.ones(2)) and isinstance(found["b"], Inert)
    assert not (tmp_path / "harmful").exists()


def test_a_file_that_is_cut_off_and_another_format_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.pt", {"a": torch.ones(9)})
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(pickle.UnpicklingError, match="cut off: expected 9 numbers"):
        read(file)
    file.write_bytes(pickle.dumps(7))
    with pytest.raises(pickle.UnpicklingError, match="first bytes"):
        read(file)
