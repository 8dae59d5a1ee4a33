"""One temporary plug-in file adds a quantizer, a dataset, a report metric and a command; each is run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from llmcxr.cli.app import app, main, train
from llmcxr.data.opening import KINDS as DATASETS
from llmcxr.metrics.reports.opening import KINDS as METRICS
from vqgan.quantizers import QUANTIZERS

PLUGIN = '''
from dataclasses import dataclass

import numpy as np
import torch
import typer

from llmcxr.cli.app import app
from llmcxr.data import Dataset
from llmcxr.data.opening import KINDS as DATASETS
from llmcxr.metrics.reports.opening import KINDS as METRICS
from llmcxr.records import Radiograph, Report, Study
from vqgan.quantizers import QUANTIZERS
from vqgan.quantizers.quantizer import QuantizerOutput, straight_through


@dataclass(frozen=True)
class ToyConfig:
    codebook_size: int = 4


class ToyQuantizer(torch.nn.Module):
    """Rounds one channel to whole numbers."""

    codebook_dim, statistics = 1, ()

    def __init__(self, config):
        super().__init__()
        self.codebook_size = config.codebook_size

    def forward(self, latents):  # (B, 1, h, w)
        codes = latents[:, 0].round().clamp(0, self.codebook_size - 1).long()
        quantized = straight_through(latents, self.codes_to_quantized(codes))
        return QuantizerOutput(quantized, codes, latents.new_zeros(()))

    def codes_to_quantized(self, codes):
        return codes[:, None].float()

    def codebook(self):
        return torch.arange(self.codebook_size)[:, None].float()


class Toy(Dataset):
    """Grey squares whose reports say how bright they are."""

    is_synthetic = True

    def __init__(self, n: int = 8, first: int = 0):
        self.n, self.first = n, first

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        name = f"toy-{self.first + index}"
        report = Report(findings=f"Brightness {index}.")
        return Study(name, name, (Radiograph(name, name, name),), report, split="test")

    def read(self, index, size=None):
        return np.full((size or 32, size or 32), index / self.n, np.float32)


@dataclass(frozen=True)
class Loudness:
    """Exclamation marks a report."""

    factor: float = 1.0
    name: str = "loudness"
    inputs: tuple[str, ...] = ("candidates",)
    resamples: int = 10

    def rows(self, inputs):
        return np.array([self.factor * text.count("!") for text in inputs.candidates])

    def value(self, rows):
        return float(rows.mean())


QUANTIZERS["toy"] = (ToyQuantizer, ToyConfig)
DATASETS["toy"] = Toy
METRICS["loudness"] = lambda path, factor=1: Loudness(float(factor))


@app.command("greet")
def greet(name: str, loud: bool = typer.Option(False, "--loud")) -> None:
    """Say hello."""
    print(f"Hello {name}{'!' if loud else '.'}")
'''

TRAINING = """
kind: tokenizer
dataset: toy:n=8
validation: toy:n=2,first=8
device: cpu
training:
  model: {image_size: 32, quantizer: toy, toy: {codebook_size: 5}, cxr: {stem_channels: 8, grid_channels: 8}}
  steps: 2
  batch_size: 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the plug-in; what it adds is taken out again when the tests are done."""
    place = tmp_path_factory.mktemp("additions")
    (place / "additions.py").write_text(PLUGIN)
    tables = [(table, dict(table)) for table in (DATASETS, METRICS, QUANTIZERS)]
    commands, modules = list(app.registered_commands), set(sys.modules)
    yield place
    for table, before in tables:
        table.clear()
        table.update(before)
    app.registered_commands[:] = commands
    for name in set(sys.modules) - modules:
        if name.startswith("llmcxr plug-in"):
            del sys.modules[name]


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Run a program with the plug-in -> its stdout."""
    monkeypatch.chdir(folder)

    def run(*arguments: str, program=main) -> str:
        with pytest.raises(SystemExit) as ended:
            program(["--plugin", "additions.py", *arguments])
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    return run


def test_a_command(run):
    assert run("greet", "world", "--loud") == "Hello world!\n"
    assert "Say hello." in run("--help")


def test_a_quantizer_is_trained_on_a_dataset_and_encodes_it(run):
    Path("toy.yaml").write_text(TRAINING)
    directory = run("toy.yaml", "run_dir=run", "cache_dir=cache", program=train).strip()
    config = json.loads((Path(directory) / "config.json").read_text())["config"]
    assert config["quantizer"] == "toy" and config["toy"] == {"codebook_size": 5}
    assert (
        run("encode", "toy:n=3", directory, "codes", "--cache-dir", "cache", "--device", "cpu") == "codes\n"
    )


def test_a_report_metric_scores_a_dataset(run):
    said = "".join(f"toy-{number},Bright!{'!' * number}\n" for number in range(4))
    Path("said.csv").write_text(f"id,report\n{said}")
    given = ["--metric", "loudness:here,factor=2", "--json", "card.json"]
    out = run("evaluate", "report", "file:said.csv", "toy:n=4", *given, "--device", "cpu")
    assert "| loudness | 5.000" in out  # twice the mean of 1, 2, 3, 4
    scores = json.loads(Path("card.json").read_text())["parts"]["report"]["scores"]
    assert next(one["value"] for one in scores if one["name"] == "loudness") == 5


def test_the_environment_names_plugins_too(folder, monkeypatch, capsys):
    monkeypatch.setenv("LLMCXR_PLUGINS", str(folder / "additions.py"))
    with pytest.raises(SystemExit) as ended:
        main(["greet", "world"])
    assert not ended.value.code and capsys.readouterr().out == "Hello world.\n"


def test_a_plugin_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--plugin=nowhere.py", "info"])
    assert ended.value.code == 2 and "nowhere.py: expected a plug-in" in capsys.readouterr().err
