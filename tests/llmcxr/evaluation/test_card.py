"""The card of a model on phantoms, of a file of predictions, and of a reader that never looks."""

import json
from dataclasses import dataclass

import pytest

from llmcxr.data import open_dataset
from llmcxr.errors import UserError
from llmcxr.evaluation.card import evaluate_card
from llmcxr.evaluation.card_tables import card_tables
from llmcxr.evaluation.systems import Predictions

N = 6


@pytest.fixture(scope="module")
def dataset():
    return open_dataset(f"phantom:n={N},seed=1,split=test")


@dataclass(frozen=True)
class Said:
    text: str


class TextPrior:
    """Writes and answers from habit."""

    def report(self, images, seed=0):
        return [Said("Normal heart size. No pleural effusion. Left pacemaker.")] * len(images)

    def answer(self, images, questions):
        return [Said("No.")] * len(images)

    def draw(self, texts, *, seed=0, best_of=1):
        raise UserError("this system draws nothing")


def test_a_text_prior_fails_the_audit_and_its_missing_parts_say_why(dataset):
    card = evaluate_card(TextPrior(), dataset, N, parts=("report", "questions", "image", "audit", "evidence"))
    parts = card["parts"]
    assert not parts["audit"]["reports"]["looks_at_image"]
    assert not parts["audit"]["answers"]["looks_at_image"]
    assert all(one["difference"] == 0 for one in parts["audit"]["reports"]["drops"])
    assert parts["report"]["distinct_reports"] == 1
    assert parts["image"]["left_out"] == "this system draws nothing"
    assert "probabilities" in parts["evidence"]["left_out"]
    text = card_tables({"system": "prior", "dataset": "phantom", **card})
    assert "does not show that it looks" in text and "Left out: this system draws nothing" in text


def test_the_true_reports_as_predictions_score_one(dataset, tmp_path):
    import numpy as np

    from llmcxr.evaluation.systems.gathering import join_report

    lines = []
    for index in range(N):
        rng = np.random.default_rng(np.random.SeedSequence((0, index)))
        report = join_report(dataset.texts(index, rng).report)
        lines.append(json.dumps({"id": dataset[index].study_id, "report": report}))
    (tmp_path / "said.jsonl").write_text("\n".join(lines) + "\n")
    card = evaluate_card(Predictions.read(tmp_path / "said.jsonl"), dataset, N, parts=("report", "audit"))
    scores = {one["name"]: one["value"] for one in card["parts"]["report"]["scores"]}
    assert scores["BLEU-4"] == pytest.approx(1) and scores["ROUGE-L"] == pytest.approx(1)
    assert scores["micro F1, all 14 [omission negative, uncertain positive]"] == 1
    assert "cannot be asked again" in card["parts"]["audit"]["left_out"]


def test_an_unknown_part_is_named(dataset):
    with pytest.raises(UserError, match="wisdom"):
        evaluate_card(TextPrior(), dataset, N, parts=("wisdom",))
