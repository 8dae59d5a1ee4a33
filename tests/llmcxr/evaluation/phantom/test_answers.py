from llmcxr.evaluation.phantom.answers import evaluate_answers
from llmcxr.metrics.answers.matchers import read_yes_no
from llmcxr.systems import gather
from tests.llmcxr.evaluation.fakes import ConstantPredictor, NumberedPhantoms, PerfectPredictor

N = 6
DATASET = NumberedPhantoms(N)


def test_no_to_everything_is_right_where_no_is():
    questions = gather(ConstantPredictor(), DATASET, N, parts=()).questions
    presence = [question for question in questions if question.kind == "presence"]
    scores = evaluate_answers(ConstantPredictor(), DATASET, N)
    said_no = sum(read_yes_no(question.answer) is False for question in presence)
    assert scores["kinds"]["presence"] == {"accuracy": said_no / len(presence), "support": len(presence)}
    assert scores["kinds"]["view"]["accuracy"] == 0
    assert (scores["n"], scores["support"]) == (N, len(questions))


def test_who_knows_is_right_everywhere():
    scores = evaluate_answers(PerfectPredictor(DATASET), DATASET, N)
    assert scores["accuracy"] == 1 and {one["accuracy"] for one in scores["kinds"].values()} == {1}
