"""An output is refused before it replaces an input or a file of another kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.guard import Kind, check_folder, check_outputs
from llmcxr.common.terminal import STDOUT

NOTE = Kind("a note", lambda path: path.read_text().startswith("note"))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["itself", "dots", "symbolic", "hard", "chain", "through a folder"])
def test_an_input_is_no_output_by_whatever_name(here, kind):
    Path("in.txt").write_text("note")
    Path("folder").mkdir()
    out = Path("out.txt")
    if kind == "itself":
        out = here / "in.txt"
    elif kind == "dots":
        out = Path("folder") / ".." / "in.txt"
    elif kind == "symbolic":
        out.symlink_to("in.txt")
    elif kind == "hard":
        os.link("in.txt", out)
    elif kind == "chain":
        Path("middle").symlink_to("in.txt")
        out.symlink_to("middle")
    else:
        Path("other").symlink_to(here)
        out = Path("other") / "in.txt"
    for named in ("in.txt", "csv:in.txt", "csv:in.txt,split=test", "radgraph:x,synonyms=in.txt"):
        with pytest.raises(UserError, match=r"found the input in\.txt; choose another"):
            check_outputs([named], (out, NOTE))
    assert Path("in.txt").read_text() == "note"


def test_a_file_of_another_kind_is_kept_and_one_of_the_same_or_an_empty_one_is_not(here):
    for name, text in {"own": "note 1", "empty": "", "other": "diary", "bytes": "\xff"}.items():
        Path(name).write_text(text, encoding="latin-1")
    for name in ("own", "empty", "new", "folder/new"):
        check_outputs(["phantom", "missing.png"], (Path(name), NOTE), (None, NOTE), (STDOUT, NOTE))
    Path("link").symlink_to("other")
    for name in ("other", "bytes", "link"):
        with pytest.raises(UserError, match=f"{name}: expected a note, or no file yet, found another file"):
            check_outputs([], (Path(name), NOTE))


def test_two_outputs_are_two_files(here):
    check_outputs([], (Path("a.json"), NOTE), (Path("a.html"), NOTE))
    Path("folder").symlink_to(here)
    for other in ("a.json", "./a.json", "folder/a.json", "A.json"):
        with pytest.raises(UserError, match="expected a file for each output"):
            check_outputs([], (Path("a.json"), NOTE), (Path(other), NOTE))


def test_devices_are_written_to_and_may_be_named_twice():
    check_outputs(["/dev/null"], (Path("/dev/null"), NOTE), (Path("/dev/null"), NOTE))


def test_a_place_that_cannot_be_written_and_a_folder_are_refused(here):
    Path("file").touch()
    for name in ("file/a", "."):
        with pytest.raises(UserError):
            check_outputs([], (Path(name), NOTE))


def test_what_a_killed_process_left_is_removed_and_a_users_file_is_not(here):
    users = [".out-a1b2c3d4.json", ".out.writing-notes", "a.writing-a1b2c3d4"]
    for name in (".out.writing-a1b2c3d4.json", *users):
        Path(name).write_text("x")
    check_outputs([], (Path("new"), NOTE))
    assert sorted(os.listdir()) == users


def test_a_folder_that_is_or_holds_an_input_is_refused(here):
    Path("models/first").mkdir(parents=True)
    Path("link").symlink_to("models/first")
    for folder in ("models/first", "models", "link", "models/first/../first"):
        with pytest.raises(UserError, match="found the input"):
            check_folder(["models/first"], Path(folder))
    check_folder(["models/first", "phantom"], Path("models/second"))
