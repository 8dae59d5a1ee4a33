"""The model that a training begins with: fresh, from a pretrained base, or from a model directory."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from llmcxr.common.errors import UserError
from llmcxr.model.building import build_model
from llmcxr.model.directory import save
from llmcxr.model.unified import LMConfig
from llmcxr.prompts import TEMPLATES
from llmcxr.prompts.vocabulary import train_text_tokenizer
from tests.llmcxr.model.tiny import TEXTS, tiny_bundle

SHAPE = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "intermediate_size": 32}


@pytest.fixture(scope="module")
def bundle():
    return tiny_bundle()


def build(bundle, config, template="compact", seed=0):
    torch.manual_seed(seed)
    return build_model(config, TEMPLATES[template], bundle.image_tokenizer, TEXTS, seed)


def test_a_fresh_model_follows_from_its_seed(bundle):
    config = LMConfig(**SHAPE, text_vocabulary_size=300)
    (one, prompts), (same, _), (other, _) = (build(bundle, config, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.image_table.code, same.image_table.code)
    assert not torch.equal(one.image_table.code, other.image_table.code)
    assert prompts.vocabulary == one.vocabulary and prompts.template.name == "compact"
    assert len(prompts.tokenizer) == one.vocabulary.size


def test_a_kept_text_tokenizer_is_used_whatever_the_texts_are(bundle, tmp_path):
    config, template = LMConfig(**SHAPE, text_vocabulary_size=300), TEMPLATES["compact"]
    kept = tmp_path / "text_tokenizer"
    first, prompts = build_model(config, template, bundle.image_tokenizer, TEXTS, 0, kept)
    others = ["Quite other words."]
    again, same = build_model(config, template, bundle.image_tokenizer, others, 0, kept)
    assert same.tokenizer.get_vocab() == prompts.tokenizer.get_vocab()
    assert again.vocabulary == first.vocabulary
    assert same.text("No pneumothorax.").ids == prompts.text("No pneumothorax.").ids
    (kept / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="expected the text tokenizer of the run, found a damaged one"):
        build_model(config, template, bundle.image_tokenizer, TEXTS, 0, kept)


def test_a_base_keeps_its_text_tokens_and_gains_image_tokens(bundle, tmp_path):
    words = train_text_tokenizer(TEXTS, 300, ["<|end|>"], "<|end|>")
    words.save_pretrained(tmp_path)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    base = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **shape)).to(torch.bfloat16)
    base.save_pretrained(tmp_path)
    model, prompts = build(bundle, LMConfig(base=str(tmp_path)), "alpaca")
    kept = model.decoder.get_input_embeddings().weight[: len(words)]
    torch.testing.assert_close(kept, base.get_input_embeddings().weight.float())
    assert model.decoder.dtype == torch.float32 and prompts.template.name == "alpaca"
    assert prompts.text("No pneumothorax.").ids == tuple(words("No pneumothorax.").input_ids)


def test_a_model_directory_is_trained_further_and_expanded(bundle, tmp_path):
    start = str(save(bundle, tmp_path / "start", compact=True))
    model, prompts = build(bundle, LMConfig(start=start, expand_depth_to=4))
    assert len(model.decoder.layers) == 4 and model.training
    assert prompts.vocabulary == bundle.model.vocabulary


def test_what_does_not_fit_is_refused(bundle, tmp_path):
    start = str(save(bundle, tmp_path / "start", compact=True))
    with pytest.raises(UserError, match=r"model\.expand_depth_to=3: .*no multiple"):
        build(bundle, LMConfig(start=start, expand_depth_to=3))
    with pytest.raises(UserError, match=r"knows the codes of image tokenizer .*give tokenizer="):
        build(tiny_bundle(seed=1), LMConfig(start=start))
    with pytest.raises(UserError, match=r"model\.base=.*not a Hugging Face model directory"):
        build(bundle, LMConfig(base=str(tmp_path / "nowhere")))
