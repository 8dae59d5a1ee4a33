"""Save <-> load, and plain transformers loading what was saved."""

import json
import resource
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPTNeoXConfig, GPTNeoXForCausalLM

from llmcxr.common.errors import UserError
from llmcxr.decoding.grammar import ImageGrammar
from llmcxr.images.checks import read_summary, summarise_images
from llmcxr.model.directory import _written_whole, find_image_tokenizer, load, load_image_tokenizer, save
from llmcxr.model.unified import UnifiedModel
from llmcxr.prompts.parts import ImageCodes, to_token_ids
from tests.llmcxr.model.tiny import tiny_bundle


def ids_of_an_image(bundle):
    codes = np.arange(bundle.model.vocabulary.num_cells).reshape(bundle.model.vocabulary.grid) % 12
    prompt = bundle.prompt_tokenizer.prompt("Write the report.", ImageCodes(codes))
    return torch.tensor([to_token_ids(prompt, bundle.model.vocabulary)])


@pytest.mark.parametrize("has_cell_tokens", [True, False])
@pytest.mark.parametrize("compact", [True, False])
def test_a_saved_model_computes_the_same(tmp_path, has_cell_tokens, compact):
    bundle = tiny_bundle(has_cell_tokens)
    loaded = load(save(bundle, tmp_path / "model", compact))
    ids = ids_of_an_image(bundle)
    torch.testing.assert_close(loaded.model.hidden(ids), bundle.model.hidden(ids))
    hidden, cells = torch.randn(3, 16), torch.tensor([0, 5, 5])
    torch.testing.assert_close(
        loaded.model.image_logits(hidden, cells), bundle.model.image_logits(hidden, cells)
    )
    torch.testing.assert_close(loaded.model.text_logits(hidden), bundle.model.text_logits(hidden))
    assert loaded.provenance == bundle.provenance


@pytest.mark.parametrize("compact", [True, False])
def test_plain_transformers_loads_the_export_of_either_form(tmp_path, compact):
    bundle = tiny_bundle()
    directory = save(load(save(bundle, tmp_path / "first", compact)), tmp_path / "export")
    model = AutoModelForCausalLM.from_pretrained(directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    vocabulary = bundle.model.vocabulary
    assert model.get_input_embeddings().num_embeddings == len(tokenizer) == vocabulary.size
    ids = ids_of_an_image(bundle)
    logits = model(ids).logits[:, -1]
    hidden = bundle.model.hidden(ids)[:, -1]
    torch.testing.assert_close(logits[:, : vocabulary.image_token_offset], bundle.model.text_logits(hidden))
    first, stop = vocabulary.token_range(3)
    torch.testing.assert_close(logits[:, first:stop], bundle.model.image_logits(hidden, torch.tensor([3])))


def test_an_export_keeps_who_taught_the_image_tokenizer(tmp_path):
    bundle = tiny_bundle()
    bundle.loss_networks = {"0af3": "runs/loss_network"}
    first = load(save(bundle, tmp_path / "first"))
    assert first.loss_networks == load(save(first, tmp_path / "second")).loss_networks == bundle.loss_networks


def test_an_export_keeps_what_the_training_images_looked_like(tmp_path):
    bundle = tiny_bundle()
    bundle.training_images = summarise_images([np.full((2, 4, 4), 0.5)], 4)
    save(load(save(bundle, tmp_path / "model")), tmp_path / "export")
    for name in ("model", "export"):
        summary = read_summary(tmp_path / name / "image_tokenizer")
        assert summary.num_images == 2 and set(summary.quantiles["brightness"]) == {0.5}
    bundle.training_images = None  # an older model has none
    save(load(save(bundle, tmp_path / "model")), tmp_path / "export")
    assert read_summary(tmp_path / "export" / "image_tokenizer") is None


def test_a_full_disk_leaves_nothing_and_is_named(tmp_path):
    bundle, (soft, hard) = tiny_bundle(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # fails as a full disk does, with another reason
    try:
        with pytest.raises(
            UserError, match=r"export: could not be written \(.*File too large.*\); free some"
        ):
            save(bundle, tmp_path / "export")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_plain_generate_under_the_grammar_draws_a_valid_grid(tmp_path):
    bundle = tiny_bundle()
    model = AutoModelForCausalLM.from_pretrained(save(bundle, tmp_path / "model"))
    vocabulary, grammar = bundle.model.vocabulary, ImageGrammar(bundle.model.vocabulary)
    ids = to_token_ids(bundle.prompt_tokenizer.prompt("Draw:", "effusion"), vocabulary)
    prompt = torch.tensor([[*ids, vocabulary.boi_id]])
    out = model.generate(
        prompt,
        max_new_tokens=vocabulary.num_cells + 1,
        do_sample=True,
        prefix_allowed_tokens_fn=grammar.prefix_allowed_tokens,
    )
    written = out[0, prompt.shape[1] :]
    assert written[-1] == vocabulary.eoi_id
    assert vocabulary.to_codes(written[:-1].numpy()).shape == vocabulary.grid


def test_a_pretrained_model_with_untied_rows_keeps_its_words(tmp_path):
    bundle = tiny_bundle(has_cell_tokens=False)
    vocabulary = bundle.model.vocabulary
    config = GPTNeoXConfig(
        vocab_size=vocabulary.image_token_offset + 11,  # padded, as Dolly's table is
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    pretrained = GPTNeoXForCausalLM(config).eval()
    ids = torch.tensor([[5, 6, 7]])
    before = pretrained(ids).logits[..., : vocabulary.image_token_offset].detach()
    bundle.model = UnifiedModel.with_new_image_tokens(pretrained, vocabulary)
    torch.testing.assert_close(bundle.model.text_logits(bundle.model.hidden(ids)), before)
    loaded = AutoModelForCausalLM.from_pretrained(save(bundle, tmp_path / "model"))
    torch.testing.assert_close(loaded(ids).logits[..., : vocabulary.image_token_offset], before)
    again = load(tmp_path / "model")
    torch.testing.assert_close(again.model.text_logits(again.model.hidden(ids)), before)


def break_nothing_there(directory):
    shutil.rmtree(directory)


def break_card(directory):
    (directory / "llmcxr.json").write_text("{")


def break_weights(directory):
    path = next(directory.glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def break_other_tokenizer(directory):
    card = json.loads((directory / "llmcxr.json").read_text())
    card["image_tokenizer_fingerprint"] = "0" * 64
    (directory / "llmcxr.json").write_text(json.dumps(card))


def write_garbage(path):
    path.write_bytes(b"\x93 neither JSON nor text")


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty_of_keys(path):
    path.write_text("{}")


def alter(path):
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))


@pytest.mark.parametrize("damage", [write_garbage, cut_short, empty_of_keys, alter])
@pytest.mark.parametrize("keeps_hashes", [True, False], ids=["hashes", "older"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_damaged_settings_file_is_named(tmp_path, name, keeps_hashes, damage):
    directory = save(tiny_bundle(), tmp_path / "model", compact=True)
    if not keeps_hashes:  # models saved before hashes of these files were kept
        if damage is alter or (name, damage) == ("tokenizer_config.json", empty_of_keys):
            pytest.skip("a whole JSON file of other values is not noticed there")
        card = json.loads((directory / "llmcxr.json").read_text())
        del card["files_sha256"]
        (directory / "llmcxr.json").write_text(json.dumps(card))
    damage(directory / name)
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        load(directory)


@pytest.mark.parametrize(
    "change",
    [
        {"vocabulary": {}},
        {"vocabulary": 7},
        {"template": "unheard of"},
        {"provenance": 7},
        {"weights_sha256": 7},
        {"files_sha256": 7},
        {"image_tokenizer_fingerprint": 7},
    ],
)
def test_a_card_of_other_values_is_named(tmp_path, change):
    directory = save(tiny_bundle(), tmp_path / "model", compact=True)
    card = json.loads((directory / "llmcxr.json").read_text())
    (directory / "llmcxr.json").write_text(json.dumps(card | change))
    with pytest.raises(UserError, match=r"llmcxr\.json"):
        load(directory)


def test_the_embedded_model_keeps_the_hashes_of_its_files(embedded_model):
    assert len(json.loads((embedded_model / "llmcxr.json").read_text())["files_sha256"]) == 3


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_nothing_there, "no such model directory"),
        (break_card, "not readable as JSON"),
        (lambda directory: write_garbage(directory / "llmcxr.json"), "not readable as JSON"),
        (lambda directory: (directory / "llmcxr.json").write_text("[" * 100_000), "not readable as JSON"),
        (break_weights, "another SHA-256"),
        (break_other_tokenizer, "was trained with image tokenizer"),
        ("llmcxr.json", "missing"),
        ("tokenizer.json", "missing"),
        ("config.json", "missing"),
        ("tokenizer_config.json", "missing"),
        ("image_tokenizer/config.json", "image_tokenizer"),
        ("image_tokenizer/model.safetensors", "image_tokenizer"),
    ],
)
def test_a_damaged_directory_is_named(tmp_path, compact, damage, message):
    directory = save(tiny_bundle(), tmp_path / "model", compact)
    (directory / damage).unlink() if isinstance(damage, str) else damage(directory)
    with pytest.raises(UserError, match=message):
        load(directory)


def test_an_interrupted_save_leaves_the_old_model(tmp_path, monkeypatch):
    bundle = tiny_bundle()
    directory = save(bundle, tmp_path / "model")
    before = (directory / "llmcxr.json").read_text()
    monkeypatch.setattr(bundle.image_tokenizer, "save_pretrained", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(bundle, directory)
    assert (directory / "llmcxr.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_image_tokenizer_is_found_in_a_model_directory_and_by_name(tmp_path, monkeypatch, embedded_model):
    assert find_image_tokenizer("phantom") == embedded_model / "image_tokenizer"
    assert find_image_tokenizer(embedded_model) == embedded_model / "image_tokenizer"
    assert find_image_tokenizer(embedded_model / "image_tokenizer") == embedded_model / "image_tokenizer"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"names cxr.*the embedded model is called phantom"):
        load_image_tokenizer("nowhere")


def test_a_wrong_checkpoint_is_no_image_tokenizer(tmp_path):
    (tmp_path / "last.ckpt").write_bytes(b"pickled")
    with pytest.raises(UserError, match=r"last\.ckpt: expected an image tokenizer directory.*from-taming"):
        load_image_tokenizer(tmp_path / "last.ckpt")


def test_a_save_takes_the_place_of_a_model_and_of_nothing_else(tmp_path):
    bundle = tiny_bundle()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for place in (tmp_path / "mine", tmp_path, tmp_path / "mine" / "thesis.txt"):
        with pytest.raises(UserError, match="new or empty folder"):
            save(bundle, place)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    with pytest.raises(UserError, match="place that can be written"):
        save(bundle, tmp_path / "mine" / "thesis.txt" / "model")
    bundle.provenance = {"seed": 1}
    save(bundle, tmp_path / "model")
    bundle.provenance = {"seed": 2}
    save(bundle, tmp_path / "model")
    assert load(tmp_path / "model").provenance == {"seed": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "model"]


def test_a_card_with_old_names_still_loads(tmp_path):
    bundle = tiny_bundle(has_cell_tokens=False)
    card = save(bundle, tmp_path / "model", compact=True) / "llmcxr.json"
    card.write_text(card.read_text().replace("has_cell_tokens", "has_cell_words"))
    assert load(tmp_path / "model").model.vocabulary == bundle.model.vocabulary


@pytest.mark.parametrize("compact", [False, True])
def test_every_file_of_a_model_may_be_read_by_others(tmp_path, compact):
    save(tiny_bundle(), tmp_path / "model", compact)
    inside = list((tmp_path / "model").rglob("*"))
    assert inside and all(path.stat().st_mode & 0o044 for path in inside)


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path):
    bundle = tiny_bundle()
    bundle.model.decoder.layers[0].self_attn.q_proj.weight.data[0, 0] = torch.nan
    directory = save(bundle, tmp_path / "model")
    with pytest.raises(
        UserError, match=r"model: the language model: .*1 of 256 .*'decoder.layers.0.self_attn.q_proj"
    ):
        load(directory)


def test_a_model_that_is_saved_again_keeps_what_a_user_put_beside_it(tmp_path):
    bundle = tiny_bundle()
    save(bundle, tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("mine")
    (tmp_path / "model" / "model-00001-of-00002.safetensors").touch()  # of a larger model before it
    save(bundle, tmp_path / "model")
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "model" / "model-00001-of-00002.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_kill_within_the_last_rename_loses_no_model(tmp_path):
    bundle = tiny_bundle()
    save(bundle, tmp_path / "model")
    (tmp_path / "model").rename(tmp_path / ".model.earlier")
    with pytest.raises(RuntimeError), _written_whole(tmp_path / "model"):
        raise RuntimeError
    load(tmp_path / "model")
