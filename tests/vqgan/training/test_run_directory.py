import json
from concurrent.futures import ThreadPoolExecutor
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


def test_the_newest_two_whole_checkpoints_are_kept(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path).create()
    assert run.last_step() is None
    for step in (4, 8, 12):
        run.write_checkpoint(step, lambda folder: Path(folder).mkdir(mode=0o700))
    assert run.checkpoint(8).stat().st_mode & 0o055 == 0o055  # others may read what safetensors made private
    (run.checkpoints / "step_00000016.tmp").mkdir()  # of a run that was killed while it saved
    assert run.last_step() == 12
    assert not run.checkpoint(4).exists() and run.checkpoint(8).exists()


def test_what_killed_runs_left_is_removed_by_the_next_that_is_alone(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path).create()
    run.write_checkpoint(4, lambda folder: Path(folder).mkdir())
    (run.checkpoints / "step_00000008.tmp").mkdir()
    (tmp_path / "sheets").mkdir()
    for name in (".metrics.writing-abcd1234.jsonl", "sheets/.step.writing-abcd1234.png", "mine.tmp"):
        (tmp_path / name).touch()
    with run.alone(), run.alone():
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "checkpoints",
            "mine.tmp",
            "run.lock",
            "sheets",
        ]
    assert not list((tmp_path / "sheets").iterdir()) and not (tmp_path / "run.lock").exists()
    assert [path.name for path in run.checkpoints.iterdir()] == ["step_00000004"]


@pytest.mark.parametrize("name", ["log.txt", "config.yaml", "metrics.jsonl", "model", "training.json"])
def test_a_folder_with_files_of_others_by_our_names_is_no_run_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir() if name == "model" else (tmp_path / name).write_text("mine")
    with (
        pytest.raises(UserError, match=f"found {name}, which a run would replace"),
        RunDirectory(tmp_path).alone(),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_processes_of_one_training_share_its_directory(tmp_path: Path, monkeypatch) -> None:
    with RunDirectory(tmp_path).alone():
        monkeypatch.setenv("RANK", "1")
        with ThreadPoolExecutor(1) as pool:  # as another process would
            pool.submit(RunDirectory(tmp_path).alone().__enter__).result()
        monkeypatch.setenv("RANK", "0")
        with pytest.raises(UserError, match="another process is at work"), ThreadPoolExecutor(1) as pool:
            pool.submit(RunDirectory(tmp_path).alone().__enter__).result()
