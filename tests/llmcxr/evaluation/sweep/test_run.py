"""Grids of a system whose score follows from its settings: every point is asked once, the best is found."""

import io

import numpy as np
import pytest
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.evaluation.sweep.run import MICRO_F1, SweepSettings, sweep
from llmcxr.pages.document import to_markdown
from llmcxr.predictor import System
from llmcxr.reports import join_sections
from tests.llmcxr.evaluation.fakes import ConstantPredictor, Result

N, SIZE = 6, 32
SETTINGS = {
    "n": N,
    "size": SIZE,
    "prompts": ("Truth.", "Habit."),
    "temperatures": (0.0, 1.0),
    "top_p": (0.5, 1.0),
    "guidance": (1.0, 3.0),
    "draw_temperatures": (1.0,),
    "top_k": (0,),
}


@pytest.fixture(scope="module")
def dataset():
    return open_dataset(f"phantom:n={N},seed=1,split=validate")


class Adjustable(System):
    """Tells the truth when asked for it and not at temperature 1 with top-p 1; draws well at guidance 3."""

    is_adjustable = True

    def __init__(self, dataset):
        rngs = [np.random.default_rng(np.random.SeedSequence((0, index))) for index in range(N)]
        texts = [dataset.texts(index, rng) for index, rng in enumerate(rngs)]
        self.reports = [join_sections(one.report) for one in texts]
        self.images = {one.request: dataset.read(index, SIZE) for index, one in enumerate(texts)}
        self.asked = []

    def report(self, images, seed=0, temperature=0.0, top_p=1.0, instruction=""):
        self.asked.append((instruction, temperature, top_p))
        is_true = instruction == "Truth." and not (temperature == 1 and top_p == 1)
        return [Result(text if is_true else "Lungs are clear.") for text in self.reports]

    def draw(self, texts, *, seed=0, best_of=1, guidance=2.0, temperature=1.0, top_k=0):
        drawn = [self.images[text] if guidance == 3 else np.zeros((SIZE, SIZE), np.float32) for text in texts]
        return [Result(text, image) for text, image in zip(texts, drawn, strict=True)]


def test_every_setting_is_asked_once_and_the_best_is_found(dataset):
    system = Adjustable(dataset)
    swept = sweep(system, dataset, SweepSettings(**SETTINGS))
    result = swept.json
    assert len(result["reading"]["points"]) == 8 and len(system.asked) == 6  # temperature 0 knows no top-p
    scores = {
        (point["prompt"], point["temperature"], point["top_p"]): point["scores"][MICRO_F1]["value"]
        for point in result["reading"]["points"]
    }
    assert {key for key, value in scores.items() if value == 1} == {
        ("Truth.", 0, 0.5),
        ("Truth.", 0, 1),
        ("Truth.", 1, 0.5),
    }
    assert result["reading"]["best"] == {"prompt": "Truth.", "temperature": 0, "top_p": 0.5}
    assert result["drawing"]["by"] == "kernel distance"  # there is no judge
    assert result["drawing"]["best"]["guidance"] == 3
    text = to_markdown(swept.blocks)
    assert "| Truth. | 1 | 0.5 | 1.000" in text and "Best by kernel distance: top-k 0" in text
    with Image.open(io.BytesIO(swept.figures[0].png)) as picture:
        assert picture.width > picture.height and len(picture.convert("L").getcolors()) > 50


def test_what_cannot_be_swept_is_refused_before_any_work(dataset):
    with pytest.raises(UserError, match="without temperature, top_p, instruction"):
        sweep(ConstantPredictor(), dataset, SweepSettings(**SETTINGS))
    for wrong, message in (
        ({"top_p": (0.0,)}, "top-p must be at least 1e-06"),
        ({"temperatures": (-1.0,)}, "temperature must be 0"),
        ({"guidance": (-1.0,)}, "guidance must be at least 0 and at most 1000"),
        ({"tasks": ("guessing",)}, "found guessing"),
    ):
        with pytest.raises(UserError, match=message):
            SweepSettings(**{**SETTINGS, **wrong})
