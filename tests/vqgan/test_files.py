"""Files are whole or not there; what fails while they are written is told by who knows what to advise."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vqgan.errors import UserError
from vqgan.files import replacing, share, telling_read_failures, telling_write_failures, write_text


def test_text_is_written_whole_in_folders_that_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "whole")
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_two_files_take_their_places_only_when_both_are_written(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        pytest.raises(OSError, match="No space"),
        replacing(tmp_path / "b") as second,
        replacing(tmp_path / "a") as first,
    ):
        first.touch()
        second.touch()
        raise full
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found a folder; add a file name"), replacing(tmp_path):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "write",
    [
        lambda path: torch.save({"a": torch.zeros(9)}, path),
        lambda path: path.write_text("a"),
    ],
    ids=["torch", "text"],
)
def test_a_full_disk_is_told_whoever_writes(write) -> None:
    told = r"runs/a: could not be written \(.*\); make room"
    with pytest.raises(UserError, match=told), telling_write_failures("runs/a", "make room"):
        write(Path("/dev/full"))


def test_a_place_that_safetensors_cannot_write_is_named(tmp_path: Path) -> None:
    told = r"could not be written \(.*I/O error"
    with pytest.raises(UserError, match=told), telling_write_failures("runs/a", "make room"):
        save_file({"a": torch.zeros(9)}, tmp_path / "missing" / "a.safetensors")


@pytest.mark.parametrize(("mask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o027, 0o640, 0o750)])
def test_what_was_private_gets_the_mode_that_the_umask_gives(tmp_path, mask, file_mode, folder_mode) -> None:
    (tmp_path / "inner").mkdir(mode=0o700)
    save_file({"a": torch.zeros(1)}, tmp_path / "inner" / "a.safetensors")
    before = os.umask(mask)
    try:
        share(tmp_path)
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, *sorted(tmp_path.rglob("*")))]
    assert modes == [folder_mode, folder_mode, file_mode]


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "a\0"])
def test_a_name_that_the_file_system_refuses_is_said(tmp_path, name) -> None:
    says = "expected a place that can be read, found: "
    with pytest.raises(UserError, match=says), telling_read_failures(name):
        (tmp_path / name).read_bytes()
    with pytest.raises(ValueError, match=r"^another$"), telling_read_failures(name):
        raise ValueError("another")
