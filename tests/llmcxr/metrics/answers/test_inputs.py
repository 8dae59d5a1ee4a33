import pytest

from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.records import Question

ASKED = (Question("Is there an effusion?", "Yes.", "presence"),) * 2


def test_a_row_is_a_question_and_several_may_be_of_one_patient():
    inputs = QuestionInputs(["p", "p"], questions=ASKED, answers=["Yes.", "No."])
    assert inputs.have(["questions", "answers"]) and not inputs.have(["grades"])


def test_a_row_too_few_is_refused():
    with pytest.raises(ValueError, match="1 answers for 2 studies"):
        QuestionInputs(["p", "p"], questions=ASKED, answers=["Yes."])
