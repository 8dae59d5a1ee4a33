import json

import numpy as np

from llmcxr.data.phantom import render, sample_case
from llmcxr.evaluation.phantom.run import HELD_OUT_SEED, evaluate_phantom, open_held_out
from llmcxr.pages.document import to_markdown
from tests.llmcxr.evaluation.fakes import ConstantPredictor, Result

FIRST = render([sample_case(8, 0)], 128)[0]


class OnePicture(ConstantPredictor):
    """Draws the same phantom for every request."""

    def draw(self, texts, *, seed=0, best_of=1):
        return [Result(image=FIRST, codes=np.zeros((16, 8), int)) for _ in texts]


def test_everything_at_once_on_phantoms():
    everything = evaluate_phantom(OnePicture(), n=4, best_of=(1, 4))
    result = everything.json
    assert [one["best_of"] for one in result["drawing"]] == [1, 4]
    assert json.loads(json.dumps(result))["reading"]["n"] == 4
    tables = to_markdown(everything.blocks)
    assert "| nodule |" in tables and "by geometry" in tables


def test_the_held_out_phantoms_are_those_of_one_seed():
    dataset = open_held_out(2)
    assert len(dataset) == 2 and dataset[0].split == "test"
    assert dataset.case(1) == sample_case(HELD_OUT_SEED, 1)
