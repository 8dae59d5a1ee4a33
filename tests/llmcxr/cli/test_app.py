"""The doors: exit codes, help, and who may judge; with a model that only remembers what it was asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import llmcxr
from llmcxr.cli import app as cli
from llmcxr.common.errors import UserError
from llmcxr.model.judges import EVALUATOR, fingerprint
from llmcxr.pages.document import Paragraph
from llmcxr.pages.result import Result
from tests.llmcxr.cli.fakes import FakeCXR

pytestmark = pytest.mark.usefixtures("house")
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "arguments",
    [
        ("draw", "Normal.", "--n", "0"),
        ("draw", "Normal.", "--best-of", "0"),
        ("draw", "Normal.", "--top-p", "1.5"),
        ("draw", "Normal.", "--seed", "-1"),
        ("draw",),
        ("report",),
        ("paint", "Normal."),
    ],
)
def test_wrong_usage_exits_with_2_and_draws_nothing(run, house, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and "Usage" in err
    assert list(house.iterdir()) == [] and FakeCXR.loaded == []


def test_an_unknown_model_or_device_is_a_users_mistake(run, radiograph):
    assert run("report", radiograph, "--model", "nowhere")[::2] == (
        2,
        "error: nowhere: no such model directory\n",
    )
    code, _, err = run("report", radiograph, "--device", "gpu7")
    assert code == 2 and "device must be auto" in err


def test_debug_shows_the_traceback(radiograph):
    with pytest.raises(UserError, match="prompt is empty"):
        cli.main(["draw", " ", "--debug"])


# -- training and moving models


def test_demo_prints_where_the_results_are(run, monkeypatch):
    summary = {"reading_f1": {"macro": 0.9}, "drawing_agreement": {"macro": 0.8}}
    asked = []
    monkeypatch.setattr(
        "llmcxr.evaluation.demo.run.run_demo",
        lambda *given, announce: asked.append(given) or Result(summary, []),
    )
    code, out, _ = run("demo", "--out", "show", "--n", "16")
    assert code == 0
    assert out.split() == ["show/demo.png", "show/index.html", "show/summary.json"]
    assert asked[0][:3] == (Path("show"), 0, 16)


def test_evaluate_prints_tables_or_json(run, monkeypatch):
    def evaluate(cxr, n, seed, best_of, announce):
        return Result({"n": n, "best_of": list(best_of)}, [Paragraph(f"n {n}")])

    monkeypatch.setattr("llmcxr.evaluation.phantom.run.evaluate_phantom", evaluate)
    assert run("evaluate", "phantom", "phantom", "--n", "8")[1].endswith("\n\nn 8\n\n")
    out = run("evaluate", "phantom", "phantom", "--n", "8", "--best-of", "2", "--json")[1]
    assert json.loads(out) == {"n": 8, "best_of": [2]}


@pytest.mark.parametrize("arguments", [("demo", "--n", "2"), ("evaluate", "phantom", "phantom", "--n", "2")])
def test_a_model_is_not_judged_by_its_loss_network(run, monkeypatch, arguments):
    taught = {fingerprint(EVALUATOR): "runs/loss_network"}
    monkeypatch.setattr(FakeCXR, "loss_networks", taught, raising=False)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and "found one of its loss networks (runs/loss_network)" in err
    assert FakeCXR.calls == []


# -- help


@pytest.mark.parametrize("program", [cli.main, cli.generate, cli.train])
def test_the_version_is_printed(run, program):
    code, out, err = run("--version", program=program)
    assert (code, out, err) == (0, f"llmcxr {llmcxr.__version__}\n", "")


COMMANDS = ["draw", "report", "answer", "train", "curves", "encode", "export", "info", "demo"]


@pytest.mark.parametrize("command", [*COMMANDS, "evaluate phantom", "evaluate tokenizer"])
def test_help_shows_an_example(run, command):
    code, out, _ = run(*command.split(), "--help")
    assert code == 0 and "Example" in out and f"llmcxr {command}" in out


@pytest.mark.parametrize("script", ["generate.py", "train.py", "-m llmcxr"])
def test_scripts_open(script):
    command = [sys.executable, *script.split(), "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0 and "Usage" in done.stdout


# -- stdout that takes no more


@pytest.mark.parametrize("arguments", ["info cxr --json", "--version"])
@pytest.mark.parametrize("where", ["> /dev/full", ">&-", "> >(exec true)"])
def test_a_full_or_closed_stdout_ends_with_one_line(arguments, where):
    command = f"{sys.executable} -m llmcxr {arguments} {where}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: stdout")
