from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from llmcxr.common.errors import UserError
from llmcxr.training.curves import draw_curves, read_curves

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


def test_curves_are_the_numbers_that_have_two_steps(run_dir):
    assert read_curves(run_dir) == {
        "loss": {"train": [(1, 3.0), (2, 2.0)], "validation": [(2, 2.5), (4, 2.25)]},
        "psnr": {"validation": [(2, 20), (4, 25)]},
    }


def test_curves_are_drawn(run_dir):
    pytest.importorskip("matplotlib")
    out = draw_curves([run_dir, run_dir], run_dir / "curves.png")
    with Image.open(out) as picture:
        assert picture.size == (1260, 520)


def test_a_folder_without_metrics_is_named(tmp_path):
    with pytest.raises(UserError, match=r"metrics\.jsonl: missing"):
        draw_curves([tmp_path], tmp_path / "curves.png")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2}\n')
    with pytest.raises(UserError, match="at least two steps"):
        read_curves(tmp_path)
