"""The plug-in of docs/architecture.md adds a quantizer, dataset, report metric and command: each is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmcxr.cli.app import app, main
from llmcxr.data.opening import KINDS as DATASETS
from llmcxr.metrics.reports.opening import KINDS as METRICS
from vqgan.quantizers import QUANTIZERS

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENT = REPOSITORY / "docs" / "architecture.md"
PLUGIN = re.search(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)[1]

TRAINING = """
kind: tokenizer
dataset: noise:n=8
validation: noise:n=2,split=validate
device: cpu
training:
  model: {image_size: 32, quantizer: grey, grey: {codebook_size: 5},
    cxr: {stem_channels: 8, grid_channels: 8}}
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

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["--plugin", "additions.py", *arguments])
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    return run


def test_a_command(run):
    assert run("hello", "world") == "Hello, world.\n"
    assert "Say hello." in run("--help")


def test_a_quantizer_is_trained_on_a_dataset_and_encodes_it(run):
    Path("noise.yaml").write_text(TRAINING)
    # a process of its own, as a plug-in must be there before the training's settings are
    program = [sys.executable, REPOSITORY / "train.py", "--plugin", "additions.py", "noise.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [*program, "run_dir=run", "cache_dir=cache"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    directory = done.stdout.strip()
    config = json.loads((Path(directory) / "config.json").read_text())["config"]
    assert config["quantizer"] == "grey" and config["grey"] == {"codebook_size": 5}
    assert (
        run("encode", "noise:n=3", directory, "codes", "--cache-dir", "cache", "--device", "cpu") == "codes\n"
    )


def test_a_report_metric_scores_a_dataset(run):
    said = "".join(f"test-{number},{'Noise ' * 2 * number}\n" for number in range(1, 4))
    Path("said.csv").write_text(f"id,report\ntest-0,Noise Noise\n{said}")
    given = ["--metric", "length:any,words=2", "--json", "card.json"]
    out = run("evaluate", "report", "file:said.csv", "noise:n=4,split=test", *given, "--device", "cpu")
    assert "| length | 1.750" in out  # the mean of 1, 1, 2, 3 times two words
    scores = json.loads(Path("card.json").read_text())["parts"]["report"]["scores"]
    assert next(one["value"] for one in scores if one["name"] == "length") == 1.75


def test_the_environment_names_plugins_too(folder, monkeypatch, capsys):
    monkeypatch.setenv("LLMCXR_PLUGINS", str(folder / "additions.py"))
    with pytest.raises(SystemExit) as ended:
        main(["hello", "world"])
    assert not ended.value.code and capsys.readouterr().out == "Hello, world.\n"


def test_a_plugin_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--plugin=nowhere.py", "info"])
    assert ended.value.code == 2 and "nowhere.py: expected a plug-in" in capsys.readouterr().err
