import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.vqgan.test_model import NARROW, build
from vqgan import VQGAN, VQGANConfig
from vqgan.errors import UserError
from vqgan.foreign.taming.networks import TamingConfig
from vqgan.quantizers.fsq import FSQConfig


def saved(directory: Path, **settings) -> VQGAN:
    model = build(**settings)
    model.save_pretrained(directory)
    return model


def edit(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_saved_and_loaded_tokenizers_are_identical(tmp_path: Path) -> None:
    model = saved(tmp_path)
    loaded = VQGAN.from_pretrained(tmp_path)
    images = torch.rand(2, 1, 32, 32)
    assert loaded.config == model.config
    assert loaded.fingerprint == model.fingerprint
    assert torch.equal(loaded.encode(images), model.encode(images))
    assert torch.equal(loaded.decode(loaded.encode(images)), model.decode(model.encode(images)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_fingerprint_changes_with_one_weight_and_with_the_config() -> None:
    model = build()
    before = model.fingerprint
    assert before == build().fingerprint and len(before) == 64
    with torch.no_grad():
        model.decoder.refine.bias += 1e-6
    assert model.fingerprint != before
    assert build(fsq=FSQConfig((3, 3))).fingerprint != build(fsq=FSQConfig((9, 2))).fingerprint


def test_a_tokenizer_from_before_there_was_a_choice_keeps_its_fingerprint(embedded_model: Path) -> None:
    description = json.loads((embedded_model / "image_tokenizer" / "config.json").read_text())
    model = VQGAN.from_pretrained(embedded_model / "image_tokenizer")
    assert "architecture" not in description["config"]
    assert (model.config.architecture, model.config.quantizer) == ("cxr", "fsq")
    # by this code stores and models recognise it
    assert model.fingerprint == description["fingerprint"]
    assert set(model.config.to_fingerprint()) == set(description["config"])


def test_what_is_hashed_of_the_first_choices_is_what_was_hashed_before_there_was_a_choice() -> None:
    before = (
        '{"cell_height": 8, "cell_width": 16, "grid_blocks": 2, "grid_channels": 96, "image_size": 128, '
        '"level_blocks": 1, "levels": [8, 5, 5, 5], "num_heads": 4, "patch": 4, "refine_channels": 4, '
        '"stem_channels": 32}'
    )
    assert json.dumps(VQGANConfig().to_fingerprint(), sort_keys=True) == before
    assert VQGANConfig.from_dict(json.loads(before)) == VQGANConfig()


@pytest.mark.parametrize("quantizer", ["fsq", "vq", "simvq", "taming"])
@pytest.mark.parametrize("architecture", ["cxr", "taming"])
def test_every_choice_is_stored_and_loaded(tmp_path: Path, architecture: str, quantizer: str) -> None:
    settings = dict(image_size=16, cell_height=4, cell_width=4, quantizer=quantizer)
    if architecture == "taming":
        narrow = TamingConfig(channels=32, multipliers=(1, 1, 1), blocks=1, latent_channels=8)
        settings |= dict(architecture="taming", taming=narrow)
    else:
        settings |= dict(cxr=NARROW)
    model = VQGAN(VQGANConfig(**settings)).eval()
    model.save_pretrained(tmp_path)
    loaded = VQGAN.from_pretrained(tmp_path)
    assert loaded.config == model.config and loaded.fingerprint == model.fingerprint
    images = torch.rand(1, 1, 16, 16)
    assert torch.equal(loaded.encode(images), model.encode(images))
    written = json.loads((tmp_path / "config.json").read_text())["config"]
    assert ("taming" in written) == (architecture == "taming")
    assert ("cxr" in written) == (architecture == "cxr")


def test_a_save_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, other = saved(tmp_path), build(fsq=FSQConfig((9, 2)))

    def fail(path: Path, *_, **__) -> None:  # where the weights are written already
        assert list(tmp_path.glob(".model.writing-*.safetensors")) and path.name.startswith(".config.")
        path.touch()
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="No space left"):
        other.save_pretrained(tmp_path)
    assert VQGAN.from_pretrained(tmp_path).fingerprint == before.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    saved(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f"expected a file {name}, found none"):
        VQGAN.from_pretrained(tmp_path)


def test_weights_of_another_tokenizer_are_recognised(tmp_path: Path) -> None:
    one = saved(tmp_path / "one")
    other = build()
    with torch.no_grad():
        other.decoder.refine.bias += 1
    other.save_pretrained(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "one" / "model.safetensors")
    with pytest.raises(ValueError) as caught:
        VQGAN.from_pretrained(tmp_path / "one")
    assert one.fingerprint[:12] in str(caught.value) and other.fingerprint[:12] in str(caught.value)


def test_a_changed_config_is_recognised(tmp_path: Path) -> None:
    saved(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())["config"]
    edit(tmp_path / "config.json", config=config | {"cell_width": 8})
    with pytest.raises(ValueError, match="was altered or comes from another tokenizer"):
        VQGAN.from_pretrained(tmp_path)


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    saved(tmp_path)
    wide = saved(tmp_path / "wide", cxr=replace(NARROW, grid_channels=16))
    (tmp_path / "wide" / "model.safetensors").replace(tmp_path / "model.safetensors")
    edit(tmp_path / "config.json", fingerprint=_fingerprint_with(build(), wide))
    with pytest.raises(ValueError, match=r"weight 'decoder\S+': expected \(.*\), found \(.*\)"):
        VQGAN.from_pretrained(tmp_path)


def _fingerprint_with(config_of: VQGAN, weights_of: VQGAN) -> str:
    from vqgan.storage import fingerprint

    return fingerprint(config_of.config, weights_of.state_dict())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "config.json: expected JSON"),
        ("config.json", "[" * 100_000, "config.json: expected JSON"),
        ("config.json", "[]", "expected format 'vqgan-1', found None"),
        ("config.json", '{"format": "vqgan-9"}', "expected format 'vqgan-1', found 'vqgan-9'"),
        ("config.json", '{"format": "vqgan-1"}', "expected a key 'fingerprint'"),
        (
            "config.json",
            '{"format": "vqgan-1", "fingerprint": "", "config": {"size": 1}}',
            "expected config keys",
        ),
        (
            "config.json",
            '{"format": "vqgan-1", "fingerprint": "", "config": {"quantizer": "lfq"}}',
            "expected quantizer to be one of .*, found 'lfq'",
        ),
        (
            "model.safetensors",
            "not weights",
            "model.safetensors: expected safetensors weights, found a damaged file",
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    saved(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        VQGAN.from_pretrained(tmp_path)


def test_a_foreign_checkpoint_is_sent_to_the_import(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "last.ckpt")
    with pytest.raises(ValueError, match=r"last.ckpt: .*found a file; .*vqgan.foreign.convert from-taming"):
        VQGAN.from_pretrained(tmp_path / "last.ckpt")


def test_a_model_of_another_program_is_not_replaced_and_a_cut_one_of_ours_is(tmp_path):
    model = build()
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UserError, match=r"config\.json: expected that of an image tokenizer, or none, found"):
        model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    for left in (0, 60):
        model.save_pretrained(tmp_path / "ours")
        content = (tmp_path / "ours" / "config.json").read_text()
        (tmp_path / "ours" / "config.json").write_text(content[:left])
        model.save_pretrained(tmp_path / "ours")
        assert (tmp_path / "ours" / "config.json").read_text() == content
