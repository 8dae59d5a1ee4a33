import json
from pathlib import Path

import pytest

from vqgan.errors import UserError
from vqgan.training.run_directory import RunDirectory, check_resumable


def test_settings_of_a_resumed_run_are_compared_by_their_path(tmp_path: Path) -> None:
    before = {"seed": 0, "training": {"steps": 4, "betas": [0.9, 0.95], "max_minutes": 1.0}}
    now = {"seed": 0, "training": {"steps": 4, "betas": (0.9, 0.95), "max_minutes": 0.0, "accumulate": 1}}
    defaults = {"training": {"accumulate": 1}}
    file = tmp_path / "config.yaml"
    check_resumable(file, before, now, {"training.max_minutes"}, defaults)
    with pytest.raises(UserError, match=r"training.max_minutes = 1.0, now training.max_minutes = 0.0"):
        check_resumable(file, before, now, {"seed"}, defaults)
    check_resumable(file, before, now, {"training"}, {})


def test_old_checkpoints_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "checkpoint-500").mkdir(parents=True)
    with pytest.raises(UserError, match="checkpoint-500: expected a checkpoint of this version"):
        RunDirectory(tmp_path).last_step()


def test_metrics_after_the_checkpoint_are_forgotten_and_a_cut_line_too(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path).create()
    for step in (1, 2, 3):
        run.write_metrics(step, {"loss": 1 / step})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    run.forget_after(2)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]


def test_the_newest_whole_checkpoint_is_kept_alone(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path).create()
    assert run.last_step() is None
    for step in (4, 8):
        run.write_checkpoint(step, lambda folder: Path(folder).mkdir())
    (run.checkpoints / "step_00000012.tmp").mkdir()  # of a run that was killed while it saved
    assert run.last_step() == 8
    assert not run.checkpoint(4).exists()
