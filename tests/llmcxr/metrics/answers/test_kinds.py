import pytest

from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.metrics.answers.kinds import KindAccuracy, score_kinds
from llmcxr.metrics.metric import score
from llmcxr.records import Question

INPUTS = QuestionInputs(
    patients=["ann", "ann", "bob", "bob", "cid"],
    questions=[
        Question("Is there an effusion?", "Yes.", "presence"),
        Question("Where is it?", "In the right lower zone.", "location"),
        Question("Is there an effusion?", "No.", "presence"),
        Question("Is there a nodule?", "No.", "presence"),
        Question("Which view?", "PA.", "view"),
    ],
    answers=["Yes, on the right.", "In the right upper zone.", "Yes.", "No.", "PA"],
)


def test_accuracy_per_kind_with_support():
    scores = {one.name: one for one in score_kinds(INPUTS)}
    assert list(scores) == ["location accuracy", "presence accuracy", "view accuracy", "all accuracy"]
    assert scores["presence accuracy"].value == pytest.approx(2 / 3)
    assert scores["location accuracy"].value == 0 and scores["view accuracy"].value == 1
    assert scores["all accuracy"].value == pytest.approx(3 / 5)
    assert [one.n for one in scores.values()] == [1, 3, 1, 5]
    # resampling patients: all three presence questions belong to ann (1 of 1) and bob (1 of 2)
    assert scores["presence accuracy"].interval == pytest.approx((0.5, 1.0))


def test_overlap_gives_part_of_the_credit():
    value = score(KindAccuracy("location", "overlap"), INPUTS).value
    assert value == pytest.approx(2 * 3 / 8)  # in right [upper|lower] zone: three of four on each side


def test_options():
    inputs = QuestionInputs(
        patients=["ann", "bob"],
        questions=[Question("Which side?", "left", "location")] * 2,
        answers=["B", "A"],
        options=[["right", "left"]] * 2,
    )
    assert score(KindAccuracy("location", "option"), inputs).value == 0.5
    with pytest.raises(ValueError, match="needs options"):
        score(KindAccuracy("location", "option"), INPUTS)


def test_a_kind_that_nobody_asked_has_no_score():
    one = score(KindAccuracy("severity"), INPUTS)
    assert one.value is None and one.interval is None and one.note


def test_no_question_at_all():
    assert score(KindAccuracy(), QuestionInputs(patients=[], questions=[], answers=[])).value is None
