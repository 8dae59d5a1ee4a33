"""docs/architecture.md is true: its table of rooms, the files to edit, and its plug-in, which is run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_imports import ROOMS

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
CONFIGURATION = """
kind: tokenizer
run_dir: run
dataset: noise:n=4
validation: noise:n=2,split=validate
training: {model: {image_size: 64, quantizer: grey}, steps: 1, batch_size: 2}
"""


def _table(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading."""
    below = TEXT.partition(f"\n{heading}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", below, re.M)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_room_has_its_line_from_the_top_down():
    rows = _table("## The rooms, from the top down")
    names = [re.findall(r"`(\S+?)`", row[0]) or [row[0]] for row in rows]
    listed = [name.removesuffix("/").removesuffix(".py") for row in names for name in row]
    listed = [name.removesuffix("/__init__").replace("/", ".") for name in listed]
    assert set(listed) == set(ROOMS) and len(listed) == len(ROOMS)
    floors = [ROOMS[name] for name in listed]
    assert floors == sorted(floors, reverse=True)


def test_each_addition_edits_at_most_two_files_that_exist():
    rows = _table("## To add something")
    kinds = " ".join(row[0] for row in rows)
    for kind in ("quantizer", "dataset", "report metric", "language-model family", "measurement", "command"):
        assert kind in kinds
    for kind, _, edited in rows:
        files = re.findall(r"`([\w./]+\.py)`", edited)
        assert 1 <= len(files) <= 2 and all((REPOSITORY / file).is_file() for file in files), kind


@pytest.fixture(scope="module")
def with_plugin(tmp_path_factory):
    """Runs the program with the plug-in that the document shows, in `with_plugin.folder`."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "toy.py").write_text(re.search(r"^```python\n(.*?)^```", TEXT, re.M | re.S)[1])
    (folder / "tokenizer.yaml").write_text(CONFIGURATION)

    def run(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "LLMCXR_PLUGINS": "toy.py"}
        command = [sys.executable, "-m", "llmcxr", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.folder = folder
    return run


def test_a_command_of_a_plug_in_runs(with_plugin):
    assert with_plugin("hello", "World") == "Hello, World.\n"


def test_a_quantizer_and_a_dataset_of_a_plug_in_train_and_encode(with_plugin):
    with_plugin("train", "tokenizer.yaml")
    config = json.loads((with_plugin.folder / "run" / "model" / "config.json").read_text())["config"]
    assert (config["quantizer"], config["grey"]) == ("grey", {"codebook_size": 16})
    assert with_plugin("encode", "noise:n=3", "run/model", "codes") == "codes\n"


def test_a_report_metric_of_a_plug_in_scores(with_plugin):
    # the prior writes the commonest report, "Noise.": 1 word
    with_plugin(
        *("evaluate", "report", "prior:noise:n=4", "noise:n=4,split=test", "--n", "4"),
        *("--metric", "length:any,words=1", "--json", "scores.json"),
    )
    scores = (with_plugin.folder / "scores.json").read_text()
    assert re.search(r'"name": "length",\s*"value": (\S+?),', scores)[1] == "1.0"
