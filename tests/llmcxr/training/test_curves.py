from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.training.curves import _name, draw_curves, read_curves, read_runs

LINES = [
    {"step": 1, "kind": "train", "loss": 3.0, "stage": "warmup"},
    {"step": 2, "kind": "train", "loss": 2.0, "nan": float("nan")},
    {"step": 2, "kind": "validation", "loss": 2.5, "psnr": 20},
    {"step": 4, "kind": "validation", "loss": 2.25, "psnr": 25},
]


@pytest.fixture
def run_dir(tmp_path) -> Path:
    lines = [json.dumps(line) for line in LINES]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 5, "lo')
    return tmp_path


def test_curves_are_the_numbers_of_each_step(run_dir):
    assert read_curves(run_dir) == {
        "loss": {"train": [(1, 3.0), (2, 2.0)], "validation": [(2, 2.5), (4, 2.25)]},
        "psnr": {"validation": [(2, 20), (4, 25)]},
    }


def test_curves_are_drawn(run_dir):
    pytest.importorskip("matplotlib")
    curves = read_curves(run_dir)
    out = draw_curves({run_dir: curves, run_dir / "other": curves}, run_dir / "curves.png")
    with Image.open(out) as picture:
        assert picture.size == (1260, 520)


@pytest.mark.parametrize(
    "lines",
    [
        '{"step": 1, "kind": "train", "loss": 2}',
        '{"loss": 1}\n[2]\n{"step": 1, "loss": 2, "ok": true}\n{"st\udcff',
    ],
)
def test_one_step_is_drawn_as_a_dot(tmp_path, lines):
    pytest.importorskip("matplotlib")
    (tmp_path / "metrics.jsonl").write_text(lines, errors="surrogateescape")
    curves = read_curves(tmp_path)
    assert list(curves) == ["loss"] and list(curves["loss"].values()) == [[(1, 2)]]
    with Image.open(draw_curves({tmp_path: curves}, tmp_path / "curves.png")) as picture:
        # a blue dot of some pixels, in the middle of one plot of three columns
        blue = np.all(np.asarray(picture.convert("RGB")) == (31, 119, 180), axis=-1)
        assert 10 < blue.sum() < 200


def test_runs_without_figures_are_named(run_dir):
    (run_dir / "begun").mkdir()
    (run_dir / "begun" / "metrics.jsonl").write_text("")
    runs, missing = read_runs([run_dir / "nowhere", run_dir, run_dir / "begun"])
    assert list(runs) == [run_dir]
    assert ["nowhere" in str(missing[0]), "begun" in str(missing[1]), len(missing)] == [True, True, 2]
    with pytest.raises(UserError, match=r"nowhere.metrics\.jsonl: missing.*found none yet"):
        read_runs([run_dir / "nowhere", run_dir / "begun"])


def test_runs_of_one_name_are_told_apart_by_their_paths():
    assert _name([Path("a/lm"), Path("b/lm")]) == {Path("a/lm"): "a/lm", Path("b/lm"): "b/lm"}
    assert _name([Path("a/lm"), Path("b/tokenizer")])[Path("a/lm")] == "lm"
