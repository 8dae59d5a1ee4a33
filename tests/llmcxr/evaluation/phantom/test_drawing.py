import numpy as np
import pytest

from llmcxr.evaluation.phantom.drawing import (
    Request,
    diversity,
    evaluate_drawing,
    num_distinct,
    score_drawings,
    valid,
)
from llmcxr.systems.ask import drawing_requests
from tests.llmcxr.evaluation.fakes import (
    ConstantPredictor,
    KnowingEvaluator,
    NumberedPhantoms,
    PerfectPredictor,
    Result,
)


@pytest.fixture(scope="module")
def phantoms():
    return NumberedPhantoms(120)


@pytest.fixture(scope="module")
def evaluator(phantoms):
    return KnowingEvaluator(phantoms)


def test_the_requested_phantom_itself_scores_one(phantoms, evaluator):
    predictor = PerfectPredictor(phantoms, [one.text for one in drawing_requests(phantoms, 120)])
    result = evaluate_drawing(predictor, phantoms, 120, evaluator=evaluator)
    assert result["macro"]["agreement"] == result["macro"]["exact"] == 1.0
    assert result["macro"]["added"] == 0.0
    assert result["all_requested"] == 1.0
    assert result["ratio_by_classifier"]["r"] > 0.99
    assert result["ratio_by_classifier"]["mae"] < 0.006  # requests round to two decimals
    assert result["valid_images"] == 1.0
    assert result["diversity"]["distinct"] == 1.0


def test_one_picture_for_everything_scores_the_floor(phantoms, evaluator):
    result = evaluate_drawing(ConstantPredictor(), phantoms, 120, evaluator=evaluator)
    shown = {finding.name for finding in phantoms.case(0).findings}
    missed = [score["agreement"] for name, score in result["findings"].items() if name not in shown]
    assert missed == [0.0] * (11 - len(shown))
    assert result["ratio_by_classifier"]["r"] is None
    assert result["distinct_images"] == 1 / 120
    assert result["diversity"]["distinct"] == 0.25
    assert result["diversity"]["spread"] == 0.0


def test_only_what_the_request_says_is_demanded(phantoms, evaluator):
    def draws(index):
        return [
            Result(image=PerfectPredictor(phantoms, ["x"] * index + ["y"]).draw(["y"])[0].image, codes=GRID)
        ]

    index = next(i for i, c in enumerate(phantoms.cases) if (f := c.find("pacemaker")) and f.side == "left")
    anyway, right, left = (
        score_drawings([text], draws(index), evaluator, ["a"])["findings"]["pacemaker"]
        for text in ("Pacemaker.", "Right pacemaker.", "Left pacemaker.")
    )
    assert (anyway["agreement"], right["agreement"], left["agreement"]) == (1.0, 0.0, 1.0)
    assert right["present"] == 1.0
    assert anyway["named"] == 1


def test_request_of_free_text():
    request = Request.from_text("Large right pleural effusion with cardiomegaly.")
    assert request.findings == {"cardiomegaly": ("", ""), "pleural effusion": ("right", "")}
    assert request.ratio is None
    assert Request.from_text("Normal chest.").findings == {}


GRID = np.zeros((2, 2), int)
GREY = np.full((4, 4), 0.5, np.float32)


@pytest.mark.parametrize(
    ("codes", "image", "is_valid"),
    [
        (GRID, GREY, True),
        (np.zeros((2, 1), int), GREY, False),
        (GRID - 1, GREY, False),
        (GRID.astype(float), GREY, False),
        (GRID, GREY * np.nan, False),
        (GRID, GREY + 1, False),
    ],
)
def test_valid(codes, image, is_valid):
    assert valid([Result(image=GREY, codes=GRID), Result(image=image, codes=codes)]) == [True, is_valid]


def test_num_distinct():
    assert num_distinct([Result(image=GREY), Result(image=GREY.copy()), Result(image=GREY * 0.5)]) == 2


def test_diversity_sees_seeds(phantoms):
    assert diversity(PerfectPredictor(phantoms, ["a", "b"]), ["a", "b"])["distinct"] == 1.0
    assert diversity(ConstantPredictor(), ["a", "b"])["distinct"] == 0.25
