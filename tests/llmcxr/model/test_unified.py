"""One model over text and image tokens: its embeddings, its losses by hand, and the way to Hugging Face."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llmcxr.model.unified import IGNORE_INDEX, LMConfig, UnifiedModel
from llmcxr.prompts.parts import FEATURE_ID
from llmcxr.prompts.vocabulary import ImageVocabulary
from tests.llmcxr.model.tiny import tiny_bundle

VOCABULARY = ImageVocabulary((1, 2), 3, 10, 1, 2)  # text tokens 0..9, cell 0: 10..12, cell 1: 13..15


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = LMConfig(hidden_size=8, num_layers=2, num_heads=2, intermediate_size=16, max_positions=32)
    return UnifiedModel.from_config(config, VOCABULARY, end_id=9).eval()


def causal_lm(is_tied):
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=VOCABULARY.size, tie_word_embeddings=is_tied, **shape)
    ).eval()


@torch.no_grad()
def test_text_images_and_features_are_embedded_each_in_its_place(model):
    features = torch.arange(16.0).reshape(2, 8)
    ids = torch.tensor([[4, FEATURE_ID, 14], [FEATURE_ID, 10, 5]])
    embeddings = model.embed(ids, features=features)
    text, image = model.decoder.get_input_embeddings().weight, model.image_table.all_embeddings()
    expected = torch.stack([text[4], features[0], image[4], features[1], image[0], text[5]])
    torch.testing.assert_close(embeddings.flatten(0, 1), expected)
    assert torch.equal(model.embed(torch.tensor([[4], [5]]))[:, 0], text[torch.tensor([4, 5])])


@torch.no_grad()
def test_losses_are_those_of_each_kind_of_token_by_hand(model):
    ids = torch.tensor([[4, 1, 11, 15, 2, 6]])
    labels = torch.tensor([[IGNORE_INDEX, IGNORE_INDEX, 11, 15, IGNORE_INDEX, 6]])
    hidden = model.hidden(ids)
    losses = model.losses(hidden, labels)
    drawn = model.image_logits(hidden[0, 1:3], torch.tensor([0, 1])).log_softmax(-1)
    written = model.text_logits(hidden[0, 4]).log_softmax(-1)
    (image_nll, num_image), (text_nll, num_text) = losses["image_nll"], losses["text_nll"]
    assert (num_image, num_text) == (2, 1)
    torch.testing.assert_close(image_nll, -(drawn[0, 1] + drawn[1, 2]))  # code 1, then code 2
    torch.testing.assert_close(text_nll, -written[6])


@torch.no_grad()
def test_the_last_of_all_hidden_states_is_the_hidden_state(model):
    ids = torch.tensor([[4, 1, 11, 15]])
    states = model.all_hidden_states(ids)
    assert len(states) == 3
    torch.testing.assert_close(states[0], model.embed(ids))
    torch.testing.assert_close(states[-1], model.hidden(ids))


@pytest.mark.parametrize("is_tied", [True, False])
@torch.no_grad()
def test_a_causal_lm_splits_into_text_and_image_and_joins_again(is_tied):
    plain = causal_lm(is_tied)
    before, after = plain.get_input_embeddings().weight.clone(), plain.get_output_embeddings().weight.clone()
    ids = torch.tensor([[4, 1, 11, 15]])
    logits = plain(ids).logits
    model = UnifiedModel.from_causal_lm(plain, VOCABULARY)
    hidden = model.hidden(ids)
    torch.testing.assert_close(model.text_logits(hidden), logits[..., :10])
    torch.testing.assert_close(model.image_logits(hidden[0, 2:3], torch.tensor([1])), logits[0, 2:3, 13:16])
    inputs, outputs = model.all_embeddings()
    assert torch.equal(inputs, before) and (outputs is None if is_tied else torch.equal(outputs, after))


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(ValueError, match="tied together or not at all"):
        UnifiedModel(model.decoder, VOCABULARY, model.image_table, text_head=torch.nn.Linear(8, 10))
    with pytest.raises(ValueError, match=r"has 10 text .* 11"):
        UnifiedModel(model.decoder, ImageVocabulary((1, 2), 3, 11, 1, 2), model.image_table)
    with pytest.raises(ValueError, match=r"16 .* 17"):
        UnifiedModel.from_causal_lm(causal_lm(True), ImageVocabulary((1, 2), 3, 11, 1, 2))
    with pytest.raises(ValueError, match="expand_depth_to"):
        LMConfig(expand_depth_to=8)
    with pytest.raises(ValueError, match="multiple of num_heads"):
        LMConfig(hidden_size=10, num_heads=4)


@torch.no_grad()
def test_image_tokens_without_cells_are_drawn_in_any_cell():
    model = tiny_bundle(has_cell_tokens=False).model
    ids = model.vocabulary.to_token_ids(np.zeros(model.vocabulary.grid, int))
    assert set(ids.tolist()) == {model.vocabulary.image_token_offset}
    hidden = torch.randn(2, 16)
    scores = model.image_logits(hidden, torch.tensor([0, 3]))
    torch.testing.assert_close(scores, model.image_logits(hidden, torch.tensor([3, 0])))
