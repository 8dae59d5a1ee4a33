"""A file is there whole or not at all."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing, telling_write_failures


def test_a_written_file_takes_its_place_with_ordinary_permissions(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as beside:
        beside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    (tmp_path / "ordinary").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"a\.txt: expected a place"), replacing(tmp_path / "file" / "a.txt"):
        pass


def test_only_failures_to_write_are_told_as_such():
    full = r"runs/a: could not be written \(No space left on device\); make room"
    with pytest.raises(UserError, match=full), telling_write_failures("runs/a", "make room"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for other in (RuntimeError("shapes differ"), FileNotFoundError(errno.ENOENT, "No such file")):
        with pytest.raises(type(other)), telling_write_failures("runs/a", "make room"):
            raise other
