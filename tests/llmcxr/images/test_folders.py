import os
from pathlib import Path

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.images.folders import find_radiographs


def test_pictures_are_listed_by_name_and_by_content_also_in_subfolders(tmp_path):
    grey = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("b.png", "sub/a.png", ".hidden/c.png", ".d.png"):
        images.write_png(tmp_path / name, grey)
    (tmp_path / "b.png").rename(tmp_path / "no-ending")
    (tmp_path / "IM0001").write_bytes(b"\x00" * 128 + b"DICM" + b"\x00" * 20)
    (tmp_path / "damaged.JPG").write_bytes(b"no picture")
    for name in ("notes.txt", "table.csv", "rejected.jsonl", "empty"):
        (tmp_path / name).write_text("" if name == "empty" else "image,text\n")
    listed = [str(path.relative_to(tmp_path)) for path in find_radiographs(tmp_path)]
    assert listed == ["IM0001", "damaged.JPG", "no-ending", os.path.join("sub", "a.png")]


def test_a_folder_without_pictures_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(UserError, match="found none; check the path"):
        find_radiographs(Path(tmp_path))


def test_a_pipe_is_passed_over_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.png").touch()
    assert find_radiographs(tmp_path) == [tmp_path / "a.png"]
