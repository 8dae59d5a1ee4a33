import pytest

from llmcxr.metrics.answers.balance import score_balance
from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.records import Question


def balance(references, answers):
    inputs = QuestionInputs(
        patients=[str(i) for i in range(len(references))],
        questions=[Question("Is there?", reference, "presence") for reference in references],
        answers=answers,
    )
    return {one.name: one for one in score_balance(inputs)}


def test_a_system_that_always_says_yes_shows():
    scores = balance(["Yes.", "Yes.", "Yes.", "No.", "In the left lung."], ["Yes."] * 5)
    assert {name: one.value for name, one in scores.items()} == {
        "yes said": 1.0,
        "yes true": 0.75,
        "yes/no accuracy": 0.75,
        "balanced accuracy": 0.5,
        "always the more frequent": 0.75,
        "neither yes nor no": 0.0,
    }
    assert all(one.n == 4 for one in scores.values())  # the fifth is no yes/no question


def test_an_answer_that_is_neither_is_wrong_and_no_yes():
    scores = balance(["Yes.", "No.", "No.", "No."], ["Perhaps.", "No.", "", "Yes."])
    assert scores["yes said"].value == 0.25 and scores["neither yes nor no"].value == 0.5
    assert scores["yes/no accuracy"].value == 0.25
    assert scores["balanced accuracy"].value == pytest.approx((0 + 1 / 3) / 2)


def test_one_answer_absent_leaves_the_balanced_accuracy_undefined_and_says_why():
    scores = balance(["Yes.", "Yes."], ["Yes.", "No."])
    assert scores["balanced accuracy"].value is None
    assert scores["balanced accuracy"].note == "no question's answer is no"
    assert scores["yes/no accuracy"].value == 0.5 and not scores["yes/no accuracy"].note


def test_no_yes_no_question():
    assert all(one.value is None and one.n == 0 for one in balance(["PA."], ["AP."]).values())
