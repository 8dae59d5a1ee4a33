from dataclasses import replace

import pytest

from llmcxr.metrics.answers.elixr import grade, score_elixr
from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.records import Question


@pytest.mark.parametrize(
    ("answer", "reference", "wanted"),
    [
        ("Yes.", "Yes, on the right.", 1),  # the question is of presence; no place is claimed
        ("Yes, on the right.", "Yes.", 1),
        ("Yes, on the right side.", "Yes, on the right.", 1),
        ("Yes, on the left.", "Yes, on the right.", 0.5),
        ("No.", "Yes, on the right.", 0),
        ("Perhaps.", "No.", 0),
        ("It is in the right lower zone", "In the right lower zone.", 1),
        ("On the right.", "In the right lower zone.", 0.5),
        ("In the left lower zone.", "In the right lower zone.", 0.5),
        ("In the left upper zone.", "In the right lower zone.", 0),  # only "zone" is shared
        ("Not in the right lower zone.", "In the right lower zone.", 0),
        ("Moderate to large.", "Large.", 0.5),
        ("Small.", "Large.", 0),
        ("None.", "None.", 1),
        ("No devices.", "None.", 1),
        ("A pacemaker.", "None.", 0),
        ("", "Large.", 0),
    ],
)
def test_grade(answer, reference, wanted):
    assert grade(answer, reference) == wanted


INPUTS = QuestionInputs(
    patients=["a", "a", "b", "b"],
    questions=[
        Question("Is there an effusion?", "Yes.", "presence"),
        Question("Where?", "In the right lower zone.", "location"),
        Question("How large?", "Large.", "severity"),
        Question("Which view?", "PA.", "view"),
    ],
    answers=["Yes.", "In the left lower zone.", "Small.", "PA."],
)


def test_means_per_sort_and_over_all_without_the_view():
    scores = {one.name: (one.value, one.n) for one in score_elixr(INPUTS)}
    assert scores == {
        "ELIXR-style, presence": (1.0, 1),
        "ELIXR-style, location": (0.5, 1),
        "ELIXR-style, size, severity, type": (0.0, 1),
        "ELIXR-style, all": (0.5, 3),
    }


def test_a_readers_grades_come_first():
    scores = score_elixr(replace(INPUTS, grades=[0, 0, 0.5, 1]))
    assert scores[-1].value == pytest.approx(0.5 / 3)
    with pytest.raises(ValueError, match="1 other values"):
        score_elixr(replace(INPUTS, grades=[0, 0.7, 0.5, 1]))
