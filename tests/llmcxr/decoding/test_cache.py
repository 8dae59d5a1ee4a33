"""The KV cache in place: families of models decode as when all is computed anew, and nothing is copied."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DynamicCache,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from llmcxr.decoding import engine
from llmcxr.decoding.cache import build_cache
from llmcxr.decoding.settings import GREEDY
from llmcxr.model.unified import UnifiedModel
from llmcxr.prompts.parts import TokenIds
from llmcxr.prompts.vocabulary import ImageVocabulary

VOCABULARY = ImageVocabulary((3, 4), 6, 40, 1, 2)  # text tokens 0..39, twelve cells of six codes
SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32}
FAMILIES = {
    "gpt_neox": GPTNeoXConfig(**SHAPE),
    "llama": LlamaConfig(**SHAPE, num_key_value_heads=2),
    "qwen2": Qwen2Config(**SHAPE, num_key_value_heads=2),
    "gpt2": GPT2Config(n_embd=16, n_layer=2, n_head=4),
    "mistral, a window of 5": MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=5),
}
PROMPTS = [[TokenIds(ids)] for ids in ((5, 6, 7), (8, 9, 10, 11, 12, 13), (14,))]  # padded on the left


def unified(config):
    torch.manual_seed(0)
    config.vocab_size = VOCABULARY.size
    model = AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return UnifiedModel.from_causal_lm(model, VOCABULARY).eval()


def hidden_anew(model, ids):
    return model.hidden(torch.tensor([ids]), use_cache=False)[:, -1]


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_images_are_those_of_a_model_without_a_cache(family):
    model = unified(FAMILIES[family])
    drawn = engine.generate_images(model, PROMPTS, [0, 1, 2], GREEDY, 2.0, [TokenIds((3, 4))]).codes
    for prompt, codes in zip(PROMPTS, drawn.tolist(), strict=True):
        own, without = [*prompt[0].ids, VOCABULARY.boi_id], [3, 4, VOCABULARY.boi_id]
        for cell, code in enumerate(codes):
            scores = [
                model.image_logits(hidden_anew(model, ids), torch.tensor([cell])) for ids in (own, without)
            ]
            assert code == int((scores[1] + 2 * (scores[0] - scores[1])).argmax())
            for ids in (own, without):
                ids.append(VOCABULARY.token_range(cell)[0] + code)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_texts_are_those_of_a_model_without_a_cache(family):
    model = unified(FAMILIES[family])
    written = engine.generate_text(model, PROMPTS, [0, 1, 2], GREEDY, [-1], 9).token_ids
    for prompt, tokens in zip(PROMPTS, written, strict=True):
        ids = list(prompt[0].ids)
        for token in tokens:
            assert token == int(model.text_logits(hidden_anew(model, ids)).argmax())
            ids.append(token)
        assert len(tokens) == 9


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_step_gives_the_bits_of_the_growing_cache(family):
    model = unified(FAMILIES[family])
    caches = [build_cache(model.decoder.config, 20), DynamicCache(config=model.decoder.config)]
    for ids in (torch.arange(12).reshape(2, 6), *torch.arange(12, 40).reshape(14, 2, 1)):
        ours, theirs = (model.hidden(ids, cache=cache) for cache in caches)
        assert torch.equal(ours, theirs)


def test_keys_and_values_stay_where_they_were_written():
    layer = build_cache(FAMILIES["llama"], 7).layers[0]
    first, more = torch.rand(2, 2, 5, 4), torch.rand(2, 2, 1, 4)
    place = layer.update(first, first + 1)[0].data_ptr()
    keys, values = layer.update(more, more + 1)
    assert keys.data_ptr() == place and layer.get_seq_length() == 6
    assert torch.equal(keys, torch.cat([first, more], 2)) and torch.equal(values, keys + 1)


def test_a_cache_that_is_full_says_so():
    layer = build_cache(FAMILIES["llama"], 2).layers[0]
    with pytest.raises(RuntimeError, match="size"):
        layer.update(torch.rand(1, 1, 3, 4), torch.rand(1, 1, 3, 4))
