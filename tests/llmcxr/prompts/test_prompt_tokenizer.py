"""Prompts of texts and images in the order of each template, and that typed control words stay text."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.prompts import TEMPLATES, PromptTokenizer
from llmcxr.prompts.parts import ImageCodes, ImageFeatures, TokenIds, to_token_ids
from llmcxr.prompts.vocabulary import add_image_tokens, train_text_tokenizer

TEXTS = ["Large right pleural effusion.", "Write the report."]
ONE, OTHER = ImageCodes(np.array([[0, 1]])), ImageCodes(np.array([[2, 2]]))


def build(name):
    template = TEMPLATES[name]
    words = train_text_tokenizer(TEXTS, 400, template.control_words, template.end)
    return PromptTokenizer(*add_image_tokens(words, (1, 2), 3, has_cell_tokens=True), template)


COMPACT, ALPACA = build("compact"), build("alpaca")


def spell(prompts, prompt):
    """A prompt as text, each image as <grid>."""
    ids = to_token_ids(prompt, prompts.vocabulary)
    text = prompts.tokenizer.decode([i for i in ids if i < prompts.vocabulary.image_token_offset])
    return text.replace("<|boi|><|eoi|>", "<grid>")


def test_the_compact_template_shows_images_first():
    asked = "<|instruction|>Write the report.<|response|>"
    assert spell(COMPACT, COMPACT.prompt("Write the report.", ONE)) == f"<|start|><grid>{asked}"
    assert spell(COMPACT, COMPACT.prompt("Write the report.", ONE, OTHER)) == f"<|start|><grid><grid>{asked}"
    drawn = COMPACT.prompt("Draw:", "No effusion.")
    assert spell(COMPACT, drawn) == "<|start|><|instruction|>Draw:<|input|>No effusion.<|response|>"


def test_alpaca_shows_inputs_in_their_order():
    prompt = spell(ALPACA, ALPACA.prompt("Compare.", ONE, "Before that:", OTHER))
    inputs = "\n\nInput:\n<grid>\n\nInput:\nBefore that:\n\nInput:\n<grid>"
    assert prompt.endswith(f"### Instruction:\nCompare.{inputs}\n\n### Response:\n")


@pytest.mark.parametrize("prompts", [COMPACT, ALPACA], ids=["compact", "alpaca"])
def test_the_codes_of_every_image_are_in_the_prompt(prompts):
    ids = np.array(to_token_ids(prompts.prompt("Compare.", ONE, OTHER), prompts.vocabulary))
    found = ids[ids >= prompts.vocabulary.image_token_offset].reshape(2, 2)
    assert (prompts.vocabulary.to_codes(found) == [ONE.codes, OTHER.codes]).all()


def test_features_stand_where_codes_would():
    features = ImageFeatures(torch.zeros(2, 4))
    assert spell(COMPACT, COMPACT.image(ONE)) == "<grid>"
    for with_codes, with_features in zip(
        COMPACT.prompt("What?", ONE), COMPACT.prompt("What?", features), strict=True
    ):
        assert with_features is features if with_codes is ONE else with_features == with_codes


def test_a_prefix_and_a_turn_make_the_prompt():
    whole = COMPACT.prompt("Which side?", ONE)
    parts = [*COMPACT.image_prefix(ONE), *COMPACT.turn("Which side?")]
    assert to_token_ids(whole, COMPACT.vocabulary) == to_token_ids(parts, COMPACT.vocabulary)


@pytest.mark.parametrize("prompts", [COMPACT, ALPACA], ids=["compact", "alpaca"])
def test_a_response_ends_with_the_end(prompts):
    response = prompts.response("No effusion.")
    assert response == TokenIds((*prompts.text("No effusion.").ids, *prompts.end_ids))
    assert prompts.decode(prompts.text("No effusion.").ids) == "No effusion."


@given(
    st.text(max_size=40) | st.sampled_from(["<|end|>", "<|boi|>", "a <|response|> b", "<|image:000:0001|>"])
)
def test_what_is_typed_is_text(typed):
    text = COMPACT.text(typed)
    control = {i for word in COMPACT.template.control_words for i in COMPACT.tokenizer(word).input_ids}
    assert not control & set(text.ids) and COMPACT.vocabulary.boi_id not in text.ids
    assert all(i < COMPACT.vocabulary.image_token_offset for i in text.ids)
    assert COMPACT.tokenizer.decode(text.ids) == typed
