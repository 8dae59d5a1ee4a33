"""The card of a model on phantoms, of a file of predictions, and of a reader that never looks."""

import json

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.evaluation.card.run import evaluate_card
from llmcxr.evaluation.card.session import CardSettings
from llmcxr.pages.document import Bars, to_html, to_markdown
from llmcxr.predictor import System
from llmcxr.reports import join_sections
from llmcxr.systems import Predictions
from llmcxr.systems.text_prior import TextPrior
from tests.llmcxr.evaluation.fakes import Result

N, SIZE = 6, 32
SETTINGS = CardSettings(n=N, size=SIZE)


@pytest.fixture(scope="module")
def dataset():
    return open_dataset(f"phantom:n={N},seed=1,split=test")


@pytest.fixture(scope="module")
def texts(dataset):
    return [
        dataset.texts(index, np.random.default_rng(np.random.SeedSequence((0, index)))) for index in range(N)
    ]


class Painter(System):
    """Draws the true image of a request, greyer by the seed, and reads back what it was asked for."""

    abilities = frozenset({"report", "answer", "draw"})

    def __init__(self, dataset, texts):
        self.dataset, self.texts, self.drawn = dataset, texts, 0

    def draw(self, requests, *, seed=0, best_of=1):
        self.drawn += 1
        places = {one.request: index for index, one in enumerate(self.texts)}
        images = [self.dataset.read(places[text], SIZE) / (1 + seed) for text in requests]
        return [Result(text, image) for text, image in zip(requests, images, strict=True)]

    def report(self, images, seed=0):
        is_plain = [image.max() > 0.6 for image in images]
        return [
            Result(one.request if plain else "Lungs are clear.")
            for one, plain in zip(self.texts, is_plain, strict=True)
        ]

    def answer(self, images, questions):
        return [Result("Yes.")] * len(questions)


def test_a_text_prior_fails_the_audit_and_its_missing_parts_say_why(dataset):
    parts = ("report", "questions", "image", "audit", "evidence")
    prior = TextPrior("Normal heart size. No pleural effusion. Left pacemaker.", {}, "No.", {})
    result = evaluate_card(prior, dataset, SETTINGS, parts)
    card = result.json
    done = card["parts"]
    assert not done["audit"]["reports"]["looks_at_image"]
    assert not done["audit"]["answers"]["looks_at_image"]
    assert all(one["difference"] == 0 for one in done["audit"]["reports"]["drops"])
    assert done["report"]["distinct_reports"] == 1
    assert "reads and answers only" in done["image"]["left_out"]
    assert "probabilities" in done["evidence"]["left_out"]
    balance = {one["name"]: one["value"] for one in done["questions"]["balance"]}
    assert balance["yes said"] == 0 and balance["balanced accuracy"] == 0.5
    assert [one["name"] for one in done["questions"]["elixr"]][-1] == "ELIXR-style, all"
    text = to_markdown(result.blocks)
    assert "does not show that it looks" in text and "Left out: a prior: system" in text
    assert "| all 14, micro | 0." in text and "| No Finding | " in text
    assert "| F1, " not in text and "| micro F1, all 14 [omission" not in text.partition("## Questions")[0]
    assert "Not checked against the training data" in text and "always the more frequent" in text
    json.dumps(card)


def test_drawings_beside_real_ones_by_finding_and_over_seeds(dataset, texts):
    painter = Painter(dataset, texts)
    settings = CardSettings(n=N, size=SIZE, seeds=(0, 1))
    result = evaluate_card(painter, dataset, settings, ("image", "cycle"))
    assert painter.drawn == 2  # once a seed, for both parts
    image, cycle = result.json["parts"]["image"], result.json["parts"]["cycle"]
    against = image["against"]
    assert against["precision"]["score"]["value"] == 1  # they are the true images
    diversity = against["pairwise ms-ssim"]
    assert diversity["real"]["value"] == pytest.approx(diversity["score"]["value"])
    supports = {name: one["support"] for name, one in image["findings"].items()}
    assert sum(supports.values()) > 0 and all(
        (one["kernel_distance"] is not None) == (one["support"] > 1) for one in image["findings"].values()
    )
    over_seeds = {one["name"]: one for one in cycle["seeds"]}
    micro = over_seeds["micro F1, all 14 [omission negative, uncertain positive]"]
    assert micro["values"][0] == 1 and micro["mean"] == pytest.approx(np.mean(micro["values"]))
    assert [len(sheet.pictures) for sheet in result.figures] == [3, 3]
    page = to_html("painter", [*result.blocks, *result.figures])
    assert "Over seeds" in page and page.count("data:image/png;base64,") == 6
    assert any(isinstance(block, Bars) for block in result.blocks)


def test_the_true_reports_as_predictions_score_one(dataset, texts, tmp_path):
    lines = [
        json.dumps({"id": dataset[index].study_id, "report": join_sections(one.report)})
        for index, one in enumerate(texts)
    ]
    (tmp_path / "said.jsonl").write_text("\n".join(lines) + "\n")
    card = evaluate_card(
        Predictions.read(tmp_path / "said.jsonl"), dataset, SETTINGS, parts=("report", "audit")
    ).json
    scores = {one["name"]: one["value"] for one in card["parts"]["report"]["scores"]}
    assert scores["BLEU-4"] == pytest.approx(1) and scores["ROUGE-L"] == pytest.approx(1)
    assert scores["micro F1, all 14 [omission negative, uncertain positive]"] == 1
    assert "cannot be asked again" in card["parts"]["audit"]["left_out"]


def test_what_training_saw_and_what_cannot_be_done_is_refused(dataset):
    prior = TextPrior("Clear.", {}, "No.", {"dataset": "phantom:n=3,seed=1"})
    with pytest.raises(UserError, match="3 have an image"):
        evaluate_card(prior, dataset, SETTINGS, ("report",))
    with pytest.raises(UserError, match="6 have an image"):
        evaluate_card(
            prior, dataset, CardSettings(n=N, size=SIZE, training="phantom:n=99,seed=1"), ("report",)
        )
    elsewhere = TextPrior("Clear.", {}, "No.", {})
    with pytest.raises(UserError, match=r"^a prior: system reads"):
        evaluate_card(elsewhere, dataset, SETTINGS, ("image",))
    with pytest.raises(UserError, match="wisdom"):
        evaluate_card(elsewhere, dataset, SETTINGS, ("wisdom",))
    with pytest.raises(UserError, match="found n=7"):
        evaluate_card(elsewhere, dataset, CardSettings(n=N + 1), ("report",))
