import json

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.labeler.rules import label
from llmcxr.labeler.states import to_states
from llmcxr.metrics.answers.kinds import score_kinds
from llmcxr.predictor import TextResult
from llmcxr.systems import Predictions, gather
from llmcxr.systems.ask import choose_n
from tests.llmcxr.evaluation.fakes import ConstantPredictor, NumberedPhantoms, PerfectPredictor, number_of

N = 6
DATASET = NumberedPhantoms(N)


def write_predictions(path, gathered):
    rows = [{"id": i, "report": text} for i, text in zip(gathered.ids, gathered.candidates, strict=True)]
    for place, question, answer in zip(gathered.asked_of, gathered.questions, gathered.answers, strict=True):
        rows.append({"id": gathered.ids[place], "question": question.question, "answer": answer})
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_a_predictor_and_the_file_of_what_it_said_give_the_same(tmp_path):
    said = gather(PerfectPredictor(DATASET), DATASET, N)
    filed = gather(Predictions.read(write_predictions(tmp_path / "p.jsonl", said)), DATASET, N)
    assert filed == said
    assert said.ids == [str(i) for i in range(N)] and said.patients[2] == "patient 2"
    assert len(said.answers) == len(said.questions) == len(said.asked_of) > N
    assert all(one.value == 1 for one in score_kinds(said.question_inputs()))


def test_inputs_for_metrics_of_reports():
    said = gather(PerfectPredictor(DATASET), DATASET, N, parts=["reports"])
    inputs, findings = said.report_inputs(), ("cardiomegaly", "nodule")
    truth = [[DATASET.case(i).find(name) is not None for name in findings] for i in range(N)]
    for texts in (inputs.references, inputs.candidates):
        assert np.array_equal(to_states(list(map(label, texts)), findings) == 1, truth)
    assert inputs.patients == said.patients and said.answers is None


def test_drawings_are_of_the_requests():
    requests = gather(ConstantPredictor(), DATASET, N, parts=[]).requests
    drawn = gather(PerfectPredictor(DATASET, requests), DATASET, N, parts=["drawings"])
    assert [number_of(image) for image in drawn.drawings] == list(range(N))
    assert drawn.candidates is None


@pytest.mark.parametrize("n", [0, N + 1])
def test_as_many_studies_as_there_are(n):
    with pytest.raises(UserError, match=f"1 to {N} studies"):
        gather(ConstantPredictor(), DATASET, n)


def test_unknown_parts():
    with pytest.raises(ValueError, match="poems"):
        gather(ConstantPredictor(), DATASET, N, parts=["poems"])


@pytest.mark.parametrize(
    ("predicted", "n", "judged"),
    [(210, None, 210), (210, 50, 50), (200, None, 200), (201, None, 210), (3, None, 200), (210, 999, 210)],
)
def test_a_file_is_judged_whole_unless_n_is_given(tmp_path, predicted, n, judged):
    dataset = NumberedPhantoms(210)
    path = tmp_path / "p.csv"
    path.write_text("id,report\n" + "".join(f"{index},Clear.\n" for index in range(predicted)))
    assert choose_n(n, dataset, [Predictions.read(path)]) == judged
    assert choose_n(n, dataset, [ConstantPredictor()]) == min(n or 200, 210)


def test_each_text_is_kept_as_it_comes():
    kept = []
    said = gather(
        PerfectPredictor(DATASET), DATASET, N, keep=lambda asked, result: kept.append((asked, result))
    )
    reports = [(asked.study_id, result.text) for asked, result in kept if not asked.text]
    assert reports == list(zip(said.ids, said.written, strict=True))
    assert [(asked.text, result.text) for asked, result in kept if asked.text] == [
        (question.question, answer) for question, answer in zip(said.questions, said.answers, strict=True)
    ]


class Thinker(ConstantPredictor):
    """Thinks aloud, and answers in Markdown."""

    def report(self, images, seed=0):
        return [TextResult("<think>An edema?</think>## Impression\nNo **edema**.")] * len(images)

    def answer(self, images, questions):
        return [TextResult("<think>Yes?</think>**No.**")] * len(images)


def test_neither_reasoning_nor_markdown_is_compared_and_both_are_kept():
    said = gather(Thinker(), DATASET, N)
    assert set(said.candidates) == {"No edema."} and set(said.answers) == {"No."}
    assert said.written[0].startswith("<think>")


def test_a_file_says_what_it_has_where_something_else_is_asked(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("id,report\n0,Clear.\n")
    with pytest.raises(UserError, match="expected drawings, found reports only; add them"):
        gather(Predictions.read(path), DATASET, 1, parts=["drawings"])
