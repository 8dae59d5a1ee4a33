"""The card of a model on phantoms, of a file of predictions, and of a reader that never looks."""

import csv
import json

import numpy as np
import pytest

from llmcxr import images
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


WORDS = ("FINDINGS: Wide aorta, {}.\n\nIMPRESSION: Tortuous aorta.", "FINDINGS: {}.\n\nIMPRESSION: Well.")


def write_table(folder, texts, names=None):
    """Write a table of one split, study i with texts[i] and, where it has a name, a picture."""
    rows = [("image", "text", "patient_id", "study_id", "split")]
    rows += [(names[i] if names else "", text, f"p{i}", f"s{i}", "test") for i, text in enumerate(texts)]
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return open_dataset(f"csv:{folder / 'table.csv'}")


def write_predictions(path, texts):
    path.write_text("".join(json.dumps({"id": i, "report": text}) + "\n" for i, text in texts.items()))
    return Predictions.read(path)


def values_of(part):
    return {one["name"]: one["value"] for one in part["scores"]}


def test_reports_need_no_image_and_what_has_no_true_report_is_left_out_and_counted(tmp_path):
    texts = [
        WORDS[0].format("no fracture of the ribs"),
        "",
        WORDS[1].format("No nodule is seen"),
        "IMPRESSION:",
    ]
    dataset = write_table(tmp_path, texts)
    said = {f"s{i}": text or "Wide aorta." for i, text in enumerate(texts)}
    settings = CardSettings(n=4, size=SIZE)
    result = evaluate_card(write_predictions(tmp_path / "p.jsonl", said), dataset, settings, ("report",))
    part = result.json["parts"]["report"]
    assert part["studies"] == {"judged": 2, "left_out": {"no report to compare with": [2, 4]}}
    values = values_of(part)
    assert [values[f"BLEU-{order}"] for order in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert values["ROUGE-L"] == values["METEOR (exact, stem)"] == 1 and values["CIDEr-D"] == pytest.approx(10)
    assert values["micro F1, all 14 [omission negative, uncertain positive]"] == 1
    assert "2 of 4 studies are left out, with no report" in to_markdown(result.blocks)
    prior = TextPrior("Clear.", {}, "No.")
    assert (
        evaluate_card(prior, dataset, settings, ("report",)).json["parts"]["report"]["studies"]
        == part["studies"]
    )
    with pytest.raises(UserError, match="expected radiographs to blank"):
        evaluate_card(prior, dataset, settings, ("audit",))
    with pytest.raises(UserError, match="expected a frontal radiograph, found none"):
        evaluate_card(Echo(), dataset, settings, ("report",))


class Echo(System):
    """Looks at each image and writes the same; keeps count of what it was shown."""

    abilities = frozenset({"report", "answer", "draw", "score_sentences"})

    def __init__(self):
        self.shown = []

    def report(self, images, seed=0):
        self.shown.append(len(images))
        return [Result("FINDINGS: Wide aorta, small heart.\nIMPRESSION: Tortuous aorta.")] * len(images)

    def draw(self, texts, *, seed=0, best_of=1):
        return [Result(text, np.full((SIZE, SIZE), 0.5)) for text in texts]

    def score_sentences(self, images, report):
        self.scored = report
        return [(report, [0.0] * len(images))]


def test_a_damaged_film_leaves_one_study_out_of_every_part(tmp_path):
    names = [f"{i}.png" for i in range(5)]
    for i, name in enumerate(names):
        images.write_png(tmp_path / name, np.full((40, 40), i / 9))
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:50])
    dataset = write_table(tmp_path, [WORDS[0].format(f"rib {i}") for i in range(5)], names)
    echo = Echo()
    result = evaluate_card(echo, dataset, CardSettings(n=5, size=SIZE))
    parts = result.json["parts"]
    counts = {"judged": 4, "left_out": {"no image that can be read": [4]}}
    assert "asks no questions" in parts.pop("questions")["left_out"]
    assert parts["audit"].pop("reports")["studies"] == counts
    assert {name: part["studies"] for name, part in parts.items() if part} == dict.fromkeys(
        ("report", "image", "evidence", "cycle"), counts
    )
    assert set(echo.shown) == {4}
    assert echo.scored.startswith("FINDINGS:")  # as it was written
    assert [one["study"] for one in result.json["unread_images"]] == [4]
    assert all(one["n"] == 4 for one in parts["report"]["scores"])


def test_the_same_films_are_left_out_of_the_predictions_that_lack_them(tmp_path):
    names = [f"{i}.png" for i in range(3)]
    for i in range(2):
        images.write_png(tmp_path / names[i], np.full((40, 40), i / 9))
    (tmp_path / "2.png").write_bytes(b"no picture")
    dataset = write_table(tmp_path, [WORDS[0].format(f"rib {i}") for i in range(3)], names)
    said = {name: WORDS[0].format(f"rib {i}") for i, name in enumerate(names[:2])}
    settings = CardSettings(n=3, size=SIZE)
    part = evaluate_card(write_predictions(tmp_path / "p.jsonl", said), dataset, settings, ("report",)).json[
        "parts"
    ]["report"]
    assert part["studies"] == {"judged": 2, "left_out": {"no image that can be read": [3]}}
    assert values_of(part)["BLEU-4"] == 1
    del said["1.png"]  # this film can be read
    with pytest.raises(UserError, match="none for 2 of 3"):
        evaluate_card(write_predictions(tmp_path / "p.jsonl", said), dataset, settings, ("report",))
