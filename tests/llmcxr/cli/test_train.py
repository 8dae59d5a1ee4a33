"""The commands that train: what they resolve and print."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from llmcxr.cli import app as cli
from llmcxr.cli.train import RUN_KINDS

pytestmark = pytest.mark.usefixtures("house")
REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass
class ToyRun:
    kind: str = "toy"
    steps: int = 3
    fails: str = ""
    sizes: tuple[int, ...] = field(default=(1, 2))


def run_toy(config: ToyRun) -> Path:
    if config.fails == "interrupted":
        raise KeyboardInterrupt
    return Path(f"runs/toy-{config.steps}/model")


@pytest.fixture
def toy_config(monkeypatch, house) -> Path:
    monkeypatch.setitem(RUN_KINDS, "toy", (__name__, "ToyRun"))
    monkeypatch.setattr(sys.modules[__name__], "run", run_toy, raising=False)
    (house / "toy.yaml").write_text("kind: toy\nsteps: 5\n")
    return Path("toy.yaml")


def test_train_prints_what_it_made(run, toy_config):
    assert run("train", toy_config, "steps=9")[:2] == (0, "runs/toy-9/model\n")
    assert run(toy_config, program=cli.train)[:2] == (0, "runs/toy-5/model\n")


def test_train_check_prints_the_resolved_configuration(run, toy_config):
    code, out, _ = run("train", toy_config, "sizes=[4]", "--check")
    assert code == 0
    assert json.loads(out) == {"kind": "toy", "steps": 5, "fails": "", "sizes": [4]}


def test_train_names_a_wrong_key(run, toy_config):
    code, _, err = run("train", toy_config, "stesp=9")
    assert code == 2 and "unknown key `stesp`" in err and "Did you mean `steps`?" in err


def test_an_interrupted_training_says_how_to_resume(run, toy_config):
    code, _, err = run("train", toy_config, "fails=interrupted")
    assert code == 130 and "resumes at the last checkpoint" in err


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_loads(run, path):
    code, out, err = run("train", path, "--check", "dataset=csv:a.csv", "validation=csv:b.csv")
    assert code == 0, err
    assert path.read_text().startswith("#"), (
        "a configuration begins with its command, hardware, time and score"
    )
    assert json.loads(out)


@pytest.mark.parametrize("name", ["tokenizer/nih", "tokenizer/cxr_f16", "lm/nih", "classifier/nih"])
@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_a_configuration_for_real_radiographs_asks_for_them(run, name, flags):
    code, out, err = run("train", REPOSITORY / "configs" / f"{name}.yaml", *flags)
    assert (code, out) == (2, "") and "must be given: dataset, validation" in err
    assert "dataset=csv:FILE.csv,split=train validation=csv:FILE.csv,split=validate" in err


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_no_configuration_names_a_dataset_that_a_clone_lacks(path):
    settings = yaml.safe_load(path.read_text())
    given = {settings.get(name, "phantom:") for name in ("dataset", "validation")}
    assert given == {"???"} or all(value.startswith("phantom:") for value in given)


def test_encode_names_a_missing_tokenizer(run):
    code, _, err = run("encode", "phantom:n=2,seed=0", "nowhere", "codes")
    assert code == 2 and err.startswith("error: ") and "nowhere" in err
