"""What takes a loss, and that turns which share an image are computed as if each stood alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from llmcxr.data import Texts
from llmcxr.model.unified import IGNORE_INDEX
from llmcxr.prompts.parts import ImageCodes, TokenIds, find_masked, num_tokens, to_token_ids
from llmcxr.records import Question, Report
from llmcxr.training.examples import (
    Example,
    ExampleConfig,
    collate,
    drawing_example,
    reading_example,
    shorten,
)
from tests.llmcxr.model.tiny import tiny_bundle

TEXTS = Texts(
    Report(findings="Large right pleural effusion.", impression="Effusion."),
    "Large right pleural effusion.",
    (Question("Is there a pneumothorax?", "No."), Question("Which side?", "On the right.", "location")),
)
ALWAYS = ExampleConfig(condition_dropout=0, summary_share=1, report_as_request=0, code_mask_share=0)


@pytest.fixture(scope="module")
def bundle():
    return tiny_bundle()


@pytest.fixture
def codes(bundle):
    return np.arange(bundle.model.vocabulary.num_cells).reshape(bundle.model.vocabulary.grid) % 12


def batch_of(bundle, *examples):
    return collate(examples, bundle.model.vocabulary, bundle.prompt_tokenizer.end_ids[-1])


def ids_of(bundle, prompt):
    return to_token_ids(prompt, bundle.model.vocabulary)


def losses_of(bundle, *examples):
    batch = batch_of(bundle, *examples)
    labels = batch.pop("labels")
    return bundle.model.losses(bundle.model.hidden(**batch), labels)


def test_a_drawing_takes_a_loss_on_its_codes_alone(bundle, codes):
    example = drawing_example(bundle.prompt_tokenizer, codes, TEXTS, np.random.default_rng(0), ALWAYS)
    labels = batch_of(bundle, example)["labels"][0]
    answered = labels[labels != IGNORE_INDEX].numpy()
    assert (bundle.model.vocabulary.to_codes(answered) == codes).all()
    prompt = bundle.prompt_tokenizer.tokenizer.decode(ids_of(bundle, example.turns[0][0]))
    assert "Large right pleural effusion." in prompt


def test_a_dropped_request_is_the_unconditional_prompt(bundle, codes):
    always_dropped = ExampleConfig(condition_dropout=1)
    example = drawing_example(bundle.prompt_tokenizer, codes, TEXTS, np.random.default_rng(0), always_dropped)
    assert example.turns[0][0] == bundle.prompt_tokenizer.prompt("Draw:", "")


def test_a_reading_takes_a_loss_on_its_texts_alone(bundle, codes):
    example = reading_example(bundle.prompt_tokenizer, codes, TEXTS, np.random.default_rng(0), ALWAYS)
    labels = batch_of(bundle, example)["labels"][0]
    answered = bundle.prompt_tokenizer.tokenizer.decode(
        labels[labels != IGNORE_INDEX], skip_special_tokens=True
    )
    for text in ("Large right pleural effusion.", "Effusion.", "No.", "On the right."):
        assert text in answered
    assert "Is there" not in answered and "Write" not in answered


@pytest.mark.parametrize("template", ["compact", "alpaca"])
@torch.no_grad()
def test_turns_are_computed_as_if_each_stood_alone(codes, template):
    bundle = tiny_bundle(template=template)
    reading = reading_example(bundle.prompt_tokenizer, codes, TEXTS, np.random.default_rng(0), ALWAYS)
    drawing = drawing_example(bundle.prompt_tokenizer, codes, TEXTS, np.random.default_rng(0), ALWAYS)
    together = losses_of(bundle, reading, drawing)
    offset = bundle.model.vocabulary.image_token_offset
    text_nll = image_nll = 0.0
    for example in (reading, drawing):
        for prompt, response in example.turns:
            before, response = ids_of(bundle, [*example.prefix, *prompt]), ids_of(bundle, response)
            ids = torch.tensor([before + response])
            targets = [w if example is reading or w >= offset else IGNORE_INDEX for w in response]
            labels = torch.tensor([[IGNORE_INDEX] * len(before) + targets])
            hidden = bundle.model.hidden(ids)  # plain causal attention, plain positions
            alone = bundle.model.losses(hidden, labels)
            text_nll, image_nll = text_nll + alone["text_nll"][0], image_nll + alone["image_nll"][0]
    torch.testing.assert_close(together["text_nll"][0], text_nll, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(together["image_nll"][0], image_nll, rtol=1e-4, atol=1e-4)
    assert int(together["image_nll"][1]) == bundle.model.vocabulary.num_cells


@torch.no_grad()
def test_what_is_drawn_blind_knows_its_request_and_its_place_alone(bundle, codes):
    def before_last_code(codes, texts):
        drawing = drawing_example(bundle.prompt_tokenizer, codes, texts, np.random.default_rng(0), ALWAYS)
        (prompt, _), *_ = drawing.turns
        unseen = bundle.prompt_tokenizer.image(ImageCodes(codes, np.ones(codes.shape, bool)))
        batch = batch_of(bundle, replace(drawing, turns=[(prompt, unseen)]))
        start = num_tokens(prompt) + 1  # behind boi
        assert batch["is_masked"][0, start:-1].all() and batch["is_masked"].sum() == codes.size
        batch.pop("labels")
        return bundle.model.hidden(**batch)[0, -3]

    blind = before_last_code(codes, TEXTS)
    torch.testing.assert_close(blind, before_last_code(11 - codes, TEXTS))
    other = replace(TEXTS, request="Large left pleural effusion.")
    assert not torch.allclose(blind, before_last_code(codes, other))


@torch.no_grad()
def test_masked_codes_are_still_to_be_drawn(bundle, codes):
    often = ExampleConfig(condition_dropout=0, report_as_request=0, code_mask_share=1)
    drawings = [
        drawing_example(bundle.prompt_tokenizer, codes, TEXTS, np.random.default_rng(seed), often)
        for seed in range(20)
    ]
    counts = [int(find_masked(drawing.parts).sum()) for drawing in drawings]
    assert min(counts) < codes.size / 2 < max(counts) <= codes.size
    labels = batch_of(bundle, drawings[int(np.argmax(counts))])["labels"][0]
    assert (bundle.model.vocabulary.to_codes(labels[labels != IGNORE_INDEX].numpy()) == codes).all()


@pytest.mark.parametrize("template", ["compact", "alpaca"])
def test_a_finding_map_lies_at_the_image_tokens_of_every_turn(template):
    bundle = tiny_bundle(template=template)
    vocabulary = bundle.model.vocabulary
    codes = np.zeros(vocabulary.grid, dtype=int)
    finding_map = np.arange(vocabulary.num_cells * 3, dtype=np.float32).reshape(-1, 3)
    rng = np.random.default_rng(0)
    drawing = replace(
        drawing_example(bundle.prompt_tokenizer, codes, TEXTS, rng, ALWAYS), finding_map=finding_map
    )
    reading = replace(
        reading_example(bundle.prompt_tokenizer, codes, TEXTS, rng, ALWAYS), finding_map=finding_map
    )
    batch = batch_of(bundle, drawing, reading)
    times = [1, 1 if template == "compact" else len(reading.turns)]
    for row, (ids, count) in enumerate(zip(batch["input_ids"], times, strict=True)):
        is_image = ids >= vocabulary.image_token_offset
        assert is_image.sum() == count * vocabulary.num_cells
        np.testing.assert_array_equal(batch["finding_map"][row][is_image], np.tile(finding_map, (count, 1)))
        assert not batch["finding_map"][row][~is_image].any()
    assert "finding_map" not in batch_of(bundle, replace(drawing, finding_map=None))


def test_an_example_too_long_loses_its_last_turns():
    def parts(*ids):
        return [TokenIds(ids)]

    turns = [(parts(3), parts(4, 5)), (parts(6), parts(7)), (parts(8, 9), parts(10))]
    example = Example(parts(1, 2), turns)
    assert len(example) == 10 and shorten(example, 10) == example
    assert shorten(example, 9).turns == example.turns[:2]
    assert shorten(example, 5).turns == example.turns[:1]
    assert shorten(example, 4).turns == []
