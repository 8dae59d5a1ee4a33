import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.outputs.drawing import check_output, in_a_row, write
from llmcxr.predictor import DrawResult


def drawn(grey: float, seed: int) -> DrawResult:
    return DrawResult(np.full((2, 3), grey, np.float32), "Nodule.", seed, recipe={"seed": seed})


def test_pictures_stand_side_by_side_with_white_between():
    row = in_a_row([np.zeros((2, 3), np.float32), np.full((2, 1), 0.5, np.float32)])
    assert row.shape == (2, 3 + 4 + 1)
    assert row[0].tolist() == [0, 0, 0, 1, 1, 1, 1, 0.5]


def test_one_drawing_is_one_file_and_several_are_numbered_beside_their_row(tmp_path):
    assert list(write(tmp_path / "a.png", [drawn(0.5, 7)], 1)) == [tmp_path / "a.png"]
    paths = list(write(tmp_path / "b.png", [drawn(0, 1), drawn(1, 2)], 2))
    assert [path.name for path in paths] == ["b-1.png", "b-2.png", "b.png"]
    with Image.open(tmp_path / "b.png") as row:
        assert row.size == (3 + 4 + 3, 2)
        assert [one["seed"] for one in json.loads(row.text["recipe"])] == [1, 2]


@pytest.mark.parametrize(("name", "found"), [("a.jpg", "'.jpg'"), ("a", "no ending")])
def test_another_format_is_refused(name, found):
    with pytest.raises(UserError, match=rf"expected a name ending in \.png or \.dcm, found {found}"):
        check_output(Path(name), 1)


@pytest.mark.parametrize("suffix", [".png", ".dcm"])
def test_each_drawing_is_written_before_the_next_is_drawn(tmp_path, suffix):
    def draw():
        for number in (1, 2, 3):
            assert (tmp_path / f"a-{number - 1}{suffix}").exists() == (number > 1)
            yield drawn(0.5, number)

    assert len(list(write(tmp_path / f"a{suffix}", draw(), 3))) == (4 if suffix == ".png" else 3)


@pytest.mark.parametrize("suffix", [".png", ".dcm"])
def test_only_drawings_are_replaced(tmp_path, suffix):
    out = tmp_path / f"a{suffix}"
    list(write(out, [drawn(0, 1), drawn(1, 2)], 2))
    check_output(out, 2)
    foreign = tmp_path / f"a-2{suffix}"
    if suffix == ".png":
        Image.new("L", (4, 4)).save(foreign)
    else:
        foreign.write_bytes((tmp_path / "a-1.dcm").read_bytes().replace(b"llmcxr", b"scanco", 1))
    with pytest.raises(UserError, match=r"a-2.*expected a drawing that llmcxr made, or no file yet"):
        check_output(out, 2)
    check_output(out, 1)
