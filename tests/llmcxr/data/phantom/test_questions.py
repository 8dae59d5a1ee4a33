from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.data.phantom.case import DrawnFinding, PhantomCase
from llmcxr.data.phantom.questions import ask_questions
from llmcxr.data.phantom.sampling import sample_case
from llmcxr.labeler.rules import read_findings, read_ratio
from llmcxr.records import Label
from tests.llmcxr.data.phantom.cases import phantom_cases

KINDS = {"presence", "location", "severity", "view", "measurement"}
EFFUSION = DrawnFinding("pleural effusion", "right", grade="large")


def _ask_many(case: PhantomCase) -> dict[str, set[str]]:
    """Every answer given to each question over many wordings."""
    answers: dict[str, set[str]] = {}
    for seed in range(300):
        for question in ask_questions(case, np.random.default_rng(seed)):
            answers.setdefault(question.question, set()).add(question.answer)
    return answers


@given(case=phantom_cases(), seed=st.integers(0, 2**32))
def test_answers_are_true(case, seed):
    for question in ask_questions(case, np.random.default_rng(seed)):
        assert question.kind in KINDS
        for mention in read_findings(f"{question.question} {question.answer}"):
            finding = case.find(mention.name)
            if mention.state is Label.ABSENT:
                assert finding is None, question
            elif mention.name != "mass":
                assert finding is not None, question
                assert mention.side in ("", finding.side), question
                assert mention.zone in ("", finding.zone), question
                assert mention.grade in ("", finding.grade), question
        if question.kind == "measurement":
            assert read_ratio(question.answer) == pytest.approx(case.cardiothoracic_ratio, abs=0.0051)


def test_each_question_has_one_answer():
    case = PhantomCase(
        0, 0, (EFFUSION, DrawnFinding("nodule", "left", "upper", "small")), 0.47, "M", 50, "AP"
    )
    answers = _ask_many(case)
    assert all(len(given_answers) == 1 for given_answers in answers.values())
    assert answers["Is there a nodule?"] == {"Yes, in the left upper zone."}
    assert answers["Is there an effusion?"] == {"Yes, on the right."}
    assert answers["Where is the nodule?"] == {"In the left upper zone."}
    assert answers["Which side is the effusion on?"] == {"On the right."}
    assert answers["How large is the effusion?"] == {"Large."}
    assert answers["What is the cardiothoracic ratio?"] == {"0.47."}
    assert answers["Is this a PA or AP view?"] == {"AP."}
    assert answers["What devices are present?"] == {"None."}
    assert answers["Is this radiograph normal?"] == {"No."}
    assert answers["Is there cardiomegaly?"] == {"No."}


def test_devices_are_listed_with_their_sides():
    findings = (DrawnFinding("pacemaker", "left"), DrawnFinding("endotracheal tube"))
    answers = _ask_many(PhantomCase(0, 0, findings, 0.45, "F", 70, "AP"))
    assert answers["What devices are present?"] == {"A left pacemaker and an endotracheal tube."}


def test_yes_and_no_are_balanced():
    answers: Counter[str] = Counter()
    num_questions = 0
    for index in range(3000):
        questions = ask_questions(sample_case(5, index), np.random.default_rng(index))
        num_questions += len(questions)
        answers.update(question.answer.split(",")[0].strip(".") for question in questions)
    assert answers["Yes"] / (answers["Yes"] + answers["No"]) == pytest.approx(0.5, abs=0.03)
    assert 5.5 < num_questions / 3000 < 7.5
