import io

import pytest
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.evaluation.sweep.page import draw_sweep, sweep_blocks
from llmcxr.pages.document import to_markdown


def point(top_k: int, guidance: float, value: float | None) -> dict:
    score = {"value": value, "interval": None}
    return {"top_k": top_k, "temperature": 1.0, "guidance": guidance, "scores": {"kernel distance": score}}


DRAWING = {
    "studies": {"judged": 2, "left_out": {"no text to draw": [3]}},
    "points": [point(0, 1.0, 0.25), point(0, 3.0, 0.125), point(50, 1.0, 0.5), point(50, 3.0, 0.375)],
    "by": "kernel distance",
    "best": {"top_k": 0, "temperature": 1.0, "guidance": 3.0},
}


def test_a_task_is_a_table_of_its_points_with_the_best_beneath():
    text = to_markdown(sweep_blocks({"drawing": DRAWING}))
    lines = [line for line in text.splitlines() if line]
    assert lines.pop(1) == "1 of 3 studies is left out, with no text to draw (study 3)."
    assert lines[:2] == ["## Drawing", "| top-k | temperature | guidance | kernel distance |"]
    assert lines[3] == "| 0 | 1 | 1 | 0.250 |"
    assert lines[-1].startswith("Best by kernel distance: top-k 0, temperature 1, guidance 3.")
    assert "Reading" not in text


def test_the_picture_has_a_heat_map_for_each_top_k():
    pytest.importorskip("matplotlib")
    two = draw_sweep({"drawing": DRAWING})
    one = draw_sweep({"drawing": {**DRAWING, "points": DRAWING["points"][:2]}})
    with Image.open(io.BytesIO(two)) as wide, Image.open(io.BytesIO(one)) as narrow:
        assert wide.width == 2 * narrow.width and wide.height == narrow.height


def test_without_a_score_there_is_nothing_to_draw():
    pytest.importorskip("matplotlib")
    with pytest.raises(UserError, match="found none to draw"):
        draw_sweep({"drawing": {**DRAWING, "by": None}})
