import json
import re

import numpy as np
import pytest
from PIL import Image

from llmcxr.data.phantom import render, sample_case
from llmcxr.evaluation.demo.run import PROMPTS, run_demo
from tests.llmcxr.evaluation.fakes import ConstantPredictor, Result

FIRST = render([sample_case(8, 0)], 128)[0]


class OnePicture(ConstantPredictor):
    """Draws the same phantom for every request."""

    def draw(self, texts, *, seed=0, best_of=1):
        return [Result(image=FIRST, codes=np.zeros((16, 8), int)) for _ in texts]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    stages = []
    return out, run_demo(out, 0, 6, OnePicture(), announce=stages.append).json, stages


def test_the_summary_has_the_promised_keys(demo):
    out, summary, stages = demo
    written = json.loads((out / "summary.json").read_text())
    assert written.pop("written_by").startswith("llmcxr ") and written == summary
    assert set(summary) == {
        "reading_f1",
        "drawing_agreement",
        "ctr_read_r",
        "ctr_drawn_r",
        "valid_images",
        "seconds",
    }
    assert "macro" in summary["reading_f1"] and "nodule" in summary["drawing_agreement"]
    assert summary["valid_images"] == 1.0
    assert list(summary["seconds"]) == [stage.split(": ")[1][:-4].replace(" ", "_") for stage in stages]


def test_the_page_needs_nothing_beside_it_and_says_what_it_is(demo):
    page = (demo[0] / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 16
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    for words in ("Synthetic images", "Research software", "not a medical device", *PROMPTS):
        assert words in page


def test_the_sheet_is_a_picture_of_eight_cards(demo):
    with Image.open(demo[0] / "demo.png") as sheet:
        assert sheet.width > 1400 and sheet.height > 1200
