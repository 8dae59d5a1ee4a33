"""A expanded model says what it said, can be trained, and is saved and loaded like any other."""

import pytest
import torch

from llmcxr.decoding.engine import generate_images
from llmcxr.decoding.settings import GREEDY
from llmcxr.model.directory import load, save
from llmcxr.model.growth import expand_depth
from llmcxr.prompts.parts import to_token_ids
from tests.llmcxr.model.tiny import tiny_bundle


def test_an_expanded_model_says_what_it_said(tmp_path):
    bundle = tiny_bundle()
    prompt = bundle.prompt_tokenizer.prompt("Draw:", "Left pacemaker.")
    ids = torch.tensor([to_token_ids(prompt, bundle.model.vocabulary)])
    before = bundle.model.hidden(ids)
    drawn = generate_images(bundle.model, [prompt], [0], GREEDY).codes
    expand_depth(bundle.model, 6)
    assert len(bundle.model.decoder.layers) == 6
    torch.testing.assert_close(bundle.model.hidden(ids), before)
    assert (generate_images(bundle.model, [prompt], [0], GREEDY).codes == drawn).all()  # with a cache
    loaded = load(save(bundle, tmp_path / "deep", compact=True))
    torch.testing.assert_close(
        loaded.model.hidden(ids), before, atol=1e-2, rtol=1e-2
    )  # saved in half precision


def test_new_layers_learn():
    model = expand_depth(tiny_bundle().model, 4).train()
    model.hidden(torch.arange(8)[None]).square().sum().backward()
    for layer in model.decoder.layers:
        assert layer.self_attn.o_proj.weight.grad.abs().sum() > 0
        assert layer.mlp.down_proj.weight.grad.abs().sum() > 0


def test_layers_can_only_be_multiplied():
    with pytest.raises(ValueError, match="no multiple"):
        expand_depth(tiny_bundle().model, 3)
    with pytest.raises(ValueError, match="no multiple"):
        expand_depth(tiny_bundle().model, 1)
