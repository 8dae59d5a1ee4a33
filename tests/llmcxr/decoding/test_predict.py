"""The library calls: one and lists, seeds, best-of, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.decoding import engine
from llmcxr.decoding.predict import CXR
from llmcxr.outputs.notices import REPETITIVE
from llmcxr.prompts import REPORT
from llmcxr.prompts.parts import ImageCodes
from tests.llmcxr.model.tiny import tiny_bundle


@pytest.fixture(scope="module")
def cxr():
    return CXR(tiny_bundle(), "tiny")


@pytest.fixture(scope="module")
def pictures():
    return [np.random.default_rng(i).random((40, 30), dtype=np.float32) for i in range(3)]


def test_one_gives_one_and_a_list_gives_a_list(cxr, pictures):
    one = cxr.report(pictures[0])
    several = cxr.report(pictures)
    assert isinstance(one.text, str) and len(several) == 3
    assert several[0].text == one.text and several[0].log_probability == pytest.approx(
        one.log_probability, abs=1e-3
    )
    assert cxr.answer(pictures[0], "Is there an effusion?").question == "Is there an effusion?"
    assert [a.question for a in cxr.answer(pictures[0], ["a?", "b?"])] == ["a?", "b?"]
    assert len(cxr.answer(pictures, "a?")) == 3
    with pytest.raises(UserError, match="3 images and 2 questions"):
        cxr.answer(pictures, ["a?", "b?"])


def test_every_source_is_read_alike_alone_and_in_a_list(cxr, tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (40, 30), np.uint8)
    path = tmp_path / "radiograph.png"
    Image.fromarray(levels).save(path)
    tensor = torch.from_numpy(levels / np.float32(255))
    with path.open("rb") as file:
        sources = [path, str(path), path.read_bytes(), file, Image.open(path), levels, levels / 255, tensor]
        results = cxr.report([*sources, tensor[None], tensor.expand(3, -1, -1)])
    assert len({result.text for result in results}) == 1 and len(results) == 10
    assert cxr.report(tensor).text == results[0].text
    assert [one.text for one in cxr.report(tensor.expand(2, 1, -1, -1))] == [results[0].text] * 2
    assert cxr.answer(tensor, "a?").question == "a?"


def test_an_image_of_a_list_that_cannot_be_read_is_named_by_its_place(cxr, pictures):
    with pytest.raises(UserError, match=r"^image 2 of 3: .* found NoneType"):
        cxr.report([pictures[0], None, pictures[1]])
    with pytest.raises(UserError, match=r"^image 2 of 2: the bytes: .* none of these"):
        cxr.report([pictures[0], b"no picture" * 99])


def test_auto_is_a_device_in_python_as_in_the_shell(embedded_model):
    cxr = CXR.from_pretrained("phantom", device="auto")
    assert cxr.model.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="device must be auto"):
        CXR.from_pretrained("phantom", device="gpu")


def test_a_path_a_pil_image_and_an_array_read_alike(cxr, pictures, tmp_path):
    grey = Image.fromarray((pictures[0] * 255).astype(np.uint8))
    grey.save(tmp_path / "radiograph.png")
    texts = {
        cxr.report(x).text for x in (tmp_path / "radiograph.png", str(tmp_path / "radiograph.png"), grey)
    }
    assert texts == {cxr.report(np.asarray(grey, dtype=np.float32) / 255).text}


def test_words_over_and_over_are_warned_of(cxr, pictures, monkeypatch):
    for text, is_marked in (("no " * 9, True), ("No effusion.", False)):
        monkeypatch.setattr(cxr.prompt_tokenizer, "decode", lambda ids, text=text: text)
        for result in (cxr.report(pictures[0]), cxr.answer(pictures[0], "Any effusion?")):
            assert (REPETITIVE in result.warnings) is is_marked


def test_a_drawing_is_decided_by_its_text_and_seed_alone(cxr):
    alone = cxr.draw("Large right pleural effusion.", seed=5)
    beside = cxr.draw(["No pneumothorax.", "Large right pleural effusion."], n=3, seed=3)
    assert len(beside) == 6 and [d.seed for d in beside] == [3, 4, 5, 3, 4, 5]
    assert (beside[5].codes == alone.codes).all()
    assert not (beside[3].codes == alone.codes).all()
    assert alone.image.shape == (32, 32) and alone.image.dtype == np.float32
    assert alone.recipe["prompt"] == "Large right pleural effusion." and alone.recipe["seed"] == 5


def test_best_of_keeps_the_drawing_that_reads_best(cxr):
    text = "Large right pleural effusion."
    kept = cxr.draw(text, seed=1, best_of=4)
    first = cxr.draw(text, seed=1)
    scores = cxr.score([kept.image, first.image], text)
    assert kept.reading_score >= cxr._score([first.codes], [text])[0]
    assert len(scores) == 2
    assert (cxr.draw(text, seed=1, best_of=1).codes == first.codes).all()


def test_a_word_typed_as_an_image_word_is_text(cxr):
    assert cxr.draw("<|image:000:0001|><|boi|><|end|>").codes.shape == (4, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.draw(""), "prompt is empty"),
        (lambda c: c.draw("  \n"), "prompt is empty"),
        (lambda c: c.draw("effusion " * 10_000), "takes at most"),
        (lambda c: c.draw("effusion", n=0), "must be at least 1"),
        (lambda c: c.draw("effusion", best_of=0), "best-of must be"),
        (lambda c: c.draw("effusion", temperature=-1), "temperature must be"),
        (lambda c: c.draw("effusion", guidance=float("inf")), "guidance must be"),
        (lambda c: c.draw("effusion", side_guidance=-1.0), "side_guidance must be"),
        (lambda c: c.draw("effusion", seed=2**64), "seed must be"),
        (lambda c: c.draw("effusion", seed=-1, best_of=2), "seed must be"),
        (lambda c: c.report(np.zeros((32, 32)), seed=2**64), "seed must be"),
        (lambda c: c.answer(np.zeros((32, 32)), ""), "question is empty"),
        (lambda c: c.report(np.zeros((1, 32, 32, 3, 1))), "must be"),
        (lambda c: c.report(np.full((32, 32), 7.0)), r"lie in \[0, 1\]"),
        (lambda c: c.report(np.full((32, 32), np.nan)), "finite"),
        (lambda c: c.report(np.zeros((8, 40))), "at least 16"),
        (lambda c: c.draw("effusion \udce4"), "not UTF-8"),
        (lambda c: c.report([]), "no image"),
        (lambda c: c.report(None), "a path, bytes, a file object, .* found NoneType"),
        (lambda c: c.report({"image": 1}), "found dict"),
        (lambda c: c.report([[0.0, 1.0]]), "found list"),
        (lambda c: c.report(torch.full((32, 32), 2.0)), r"must lie in \[0, 1\]"),
        (lambda c: c.report(torch.zeros(5, 32, 32)), r"must be \(H, W\)"),
        (lambda c: c.draw(None), "expected the prompt as text or a list of texts, found NoneType"),
        (lambda c: c.answer(np.zeros((32, 32)), 3), "expected the question as text"),
        (lambda c: c.report("nowhere.png"), "nowhere.png"),
        (lambda c: CXR.from_pretrained("nowhere"), "no such model directory"),
    ],
)
def test_what_cannot_be_done_is_said(cxr, call, message):
    with pytest.raises(UserError, match=message):
        call(cxr)


def test_the_sentences_of_a_report_share_its_log_probability(cxr, pictures):
    text = "No pneumothorax. Cardiothoracic ratio 0.57."
    (first, before), (second, after) = cxr.score_sentences(pictures[:2], text)
    assert (first, second) == ("No pneumothorax.", "Cardiothoracic ratio 0.57.")
    codes = cxr.encode(pictures[:2])
    prompts = [cxr.prompt_tokenizer.prompt(REPORT.instructions[0], ImageCodes(one)) for one in codes]
    whole = engine.score_texts(cxr.model, prompts, [cxr.prompt_tokenizer.text(text)] * 2)
    assert [a + b for a, b in zip(before, after, strict=True)] == pytest.approx(whole.tolist(), abs=1e-3)
    with pytest.raises(UserError, match="empty"):
        cxr.score_sentences(pictures[0], "  ")


def test_an_image_scores_as_it_was_drawn(cxr):
    drawn = cxr.draw(["Large right pleural effusion."], guidance=1.0, side_guidance=0.0, temperature=1.0)
    prompt = cxr.prompt_tokenizer.prompt("Draw:", drawn[0].text)
    codes = torch.from_numpy(drawn[0].codes.reshape(1, -1))
    scored = engine.score_images(cxr.model, [prompt], codes)
    assert scored.tolist() == pytest.approx([drawn[0].log_probability], abs=1e-2)
    image = drawn[0].image
    with_text, without = cxr.score_image([image, image], [drawn[0].text, ""])
    assert with_text < 0 and without < 0 and with_text != without


def test_an_array_in_colour_is_one_picture(cxr, pictures):
    colours = np.repeat(pictures[0][..., None], 3, axis=-1)
    read = cxr.report(colours)
    assert read.text == cxr.report(pictures[0]).text
    assert any("colour picture" in warning for warning in read.warnings)
    half_seen = np.concatenate([colours, np.full_like(colours[..., :1], 0.5)], axis=-1)
    assert cxr.report(half_seen).text == cxr.report(pictures[0] / 2).text
    assert any("transparent picture" in warning for warning in cxr.report(half_seen).warnings)
    assert len(cxr.report(np.stack(pictures[:2]))) == 2
