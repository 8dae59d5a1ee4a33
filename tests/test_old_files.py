"""Models, tokenizers, code stores and configurations that were written before the rooms of today still load.

`fixtures/before_the_house` was written by the code of then, tiny: tokenizers with each quantizer, a model
directory, a code store of five images, and the YAML files of then.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from llmcxr.codes.store import CodeStore
from llmcxr.common import config
from llmcxr.model.directory import load
from llmcxr.training.classifier import ClassifierRun
from llmcxr.training.lm_config import LMRun
from llmcxr.training.tokenizer import TokenizerRun
from vqgan import VQGAN, VQGANConfig
from vqgan.errors import UserError
from vqgan.quantizers.fsq import FSQConfig
from vqgan.training.tokenizer import TrainingConfig, check_training_json

OLD = Path(__file__).parent / "fixtures" / "before_the_house"
KINDS = {"tokenizer": TokenizerRun, "lm": LMRun, "classifier": ClassifierRun}


def description_of(name: str) -> dict:
    return json.loads((OLD / "tokenizers" / name / "config.json").read_text())


@pytest.mark.parametrize("name", ["fsq", "vq", "simvq", "taming"])
def test_tokenizers_of_each_quantizer_load_with_the_fingerprint_that_they_had(name: str, tmp_path: Path):
    model = VQGAN.from_pretrained(OLD / "tokenizers" / name)
    assert model.fingerprint == description_of(name)["fingerprint"]
    assert model.config.quantizer == name and model.config.codebook_size == 12
    model.save_pretrained(tmp_path)  # and keep it, written anew
    assert VQGAN.from_pretrained(tmp_path).fingerprint == model.fingerprint


def test_a_tokenizer_of_tamings_networks_keeps_its_fingerprint():
    description = description_of("all_taming")  # all of its weights were 0.5
    model = VQGAN(VQGANConfig.from_dict(description["config"]))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    assert model.fingerprint == description["fingerprint"]


def test_a_model_directory_loads():
    bundle = load(OLD / "model")
    assert bundle.image_tokenizer.fingerprint.startswith("bf5a68f99")
    assert bundle.provenance == {"dataset": "phantom:n=1"}
    assert bundle.model.vocabulary.codebook_size == 12


def test_altered_weights_of_a_model_directory_are_noticed(tmp_path: Path):
    directory = shutil.copytree(OLD / "model", tmp_path / "model")
    weights = bytearray((directory / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (directory / "model.safetensors").write_bytes(weights)
    with pytest.raises(UserError, match=r'another SHA-256.*set "weights_sha256" to ""'):
        load(directory)
    card = json.loads((directory / "llmcxr.json").read_text())
    (directory / "llmcxr.json").write_text(json.dumps(card | {"weights_sha256": ""}))  # as the message says
    load(directory)


def test_a_code_store_opens_and_its_damage_is_noticed(tmp_path: Path):
    tokenizer = VQGAN.from_pretrained(OLD / "tokenizers" / "fsq")
    store = CodeStore.open(OLD / "codes", tokenizer.fingerprint)
    assert store.image_ids == [f"image-{index}" for index in range(5)]
    images = torch.rand(5, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(store.read(range(5))[:, 0], tokenizer.encode(images).numpy())
    damaged = shutil.copytree(OLD / "codes", tmp_path / "codes")
    codes = bytearray((damaged / "codes.bin").read_bytes())
    codes[-1] = (codes[-1] + 1) % 12
    (damaged / "codes.bin").write_bytes(codes)
    with pytest.raises(ValueError, match="damaged, encode the dataset again"):
        CodeStore.open(damaged).read(range(5))


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_of_each_kind_loads(kind: str):
    run = config.load(OLD / "configs" / f"{kind}.yaml", kinds=KINDS)
    assert run.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_that_a_run_wrote_with_every_key_are_those_of_its_configuration(kind: str):
    written = config.load(OLD / "runs" / f"{kind}.yaml", kinds=KINDS)
    given = config.load(OLD / "configs" / f"{kind}.yaml", kinds=KINDS)
    assert (written.dataset, written.seed, written.training.steps) == (
        given.dataset, given.seed, given.training.steps,
    )  # fmt: skip
    assert written == given


def test_old_keys_of_a_tokenizer_reach_the_groups_of_today():
    model = config.load(OLD / "configs" / "tokenizer.yaml", kinds=KINDS).training.model
    assert (model.fsq.levels, model.cxr.stem_channels, model.cxr.grid_blocks) == ((8, 8, 8, 8), 48, 3)
    by_override = ["training.model.levels=[8,6,5]", "training.model.grid_channels=64"]
    model = config.load(OLD / "configs" / "tokenizer.yaml", by_override, kinds=KINDS).training.model
    assert (model.codebook_size, model.cxr.grid_channels) == (240, 64)


def test_the_settings_of_a_run_before_are_compared_by_the_names_of_today(tmp_path: Path):
    recorded = json.loads(json.dumps(asdict(TrainingConfig()) | {"seed": 0}))
    model = recorded["model"]
    recorded["model"] = {"levels": [8, 5, 5], **model.pop("cxr")} | {
        name: model[name] for name in ("vq", "taming")
    }
    (tmp_path / "training.json").write_text(json.dumps(recorded))
    (tmp_path / "checkpoints" / "step_00000004").mkdir(parents=True)
    same = replace(TrainingConfig(), model=VQGANConfig(fsq=FSQConfig((8, 5, 5))))
    check_training_json(same, tmp_path, seed=0)
    with pytest.raises(UserError, match=r"has model.fsq.levels = \[8, 5, 5\], now"):
        check_training_json(TrainingConfig(), tmp_path, seed=0)
