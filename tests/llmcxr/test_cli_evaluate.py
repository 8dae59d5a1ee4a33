"""The commands that judge: what they print and write, and what a user's mistakes get."""

import json

import pytest
from typer.testing import CliRunner

from llmcxr.cli import app
from llmcxr.errors import UserError

PHANTOMS = "phantom:n=4,seed=1,split=test"


def test_one_part_prints_a_table_and_writes_everything(tmp_path):
    out = tmp_path / "card.json"
    done = CliRunner().invoke(
        app, ["evaluate", "questions", "phantom", PHANTOMS, "--n", "9", "--json", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "presence accuracy" in done.output
    card = json.loads(out.read_text())
    assert card["n"] == 4 and card["dataset"] == PHANTOMS and list(card["parts"]) == ["questions"]


def test_a_file_against_itself_is_no_better(tmp_path):
    from llmcxr.data import open_dataset

    dataset = open_dataset(PHANTOMS)
    file = tmp_path / "said.csv"
    rows = [f"{dataset[i].study_id},No pneumothorax seen today." for i in range(4)]
    file.write_text("\n".join(["id,report", *rows]) + "\n")
    done = CliRunner().invoke(
        app, ["evaluate", "compare", str(file), str(file), PHANTOMS, "--resamples", "100"]
    )
    assert done.exit_code == 0, done.output
    assert "| BLEU-1 |" in done.output and "1.000 |" in done.output  # p


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "nowhere", PHANTOMS], "no directory"),
        (["report", "file:nowhere.csv", PHANTOMS], "nowhere.csv"),
        (["labeler", PHANTOMS], "openi:DIR"),
    ],
)
def test_mistakes_are_named(arguments, message):
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert isinstance(done.exception, UserError) and message in str(done.exception)


def test_a_tokenizer_is_judged_on_phantoms(tmp_path):
    out, sheet = tmp_path / "fidelity.json", tmp_path / "worst.png"
    rejected = ["--rejected", str(tmp_path / "rejected.jsonl")]
    given = ["phantom", PHANTOMS, "--json", str(out), "--sheet", str(sheet), *rejected]
    done = CliRunner().invoke(app, ["evaluate", "tokenizer", *given])
    assert done.exit_code == 0, done.output
    scores = json.loads(out.read_text())
    assert {"psnr", "ssim", "ms_ssim", "frechet", "usage", "perplexity", "per_finding"} <= set(scores)
    assert scores["n"] == 4 and scores["psnr"] > 15 and 0 < scores["usage"] <= 1
    assert sheet.is_file() and "| tokenizer |" in done.output and not (tmp_path / "rejected.jsonl").exists()


def test_a_tokenizer_that_is_none_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["evaluate", "tokenizer", "nowhere", PHANTOMS])
    assert isinstance(done.exception, UserError) and "nowhere" in str(done.exception)
