import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from vqgan.training.trackers import check_installed, open_trackers

SHEET = np.arange(64, dtype=np.uint8).reshape(8, 8)


def events_of(run_dir: Path):
    pytest.importorskip("tensorboard", reason="needs pip install llmcxr[log]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(run_dir / "tensorboard")).Reload()


def test_tensorboard_has_the_curves_and_the_sheets(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs pip install llmcxr[log]")
    (tracker,) = open_trackers(tmp_path, 0, tensorboard=True, wandb="", config={})
    for step in (1, 2):
        tracker.scalars(step, "train", {"loss": 0.5 * step, "usage": 0.25})
    tracker.sheet(2, SHEET)
    tracker.close()
    events = events_of(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(1, 0.5), (2, 1.0)]
    assert [event.step for event in events.Images("reconstructions")] == [2]


def test_what_a_killed_run_measured_after_its_checkpoint_is_not_shown_twice(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs pip install llmcxr[log]")
    for first, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        (tracker,) = open_trackers(tmp_path, first, tensorboard=True, wandb="", config={})
        for step in steps:
            tracker.scalars(step, "train", {"loss": step})
        tracker.close()
    assert [event.step for event in events_of(tmp_path).Scalars("train/loss")] == [1, 2, 3, 4]


def test_no_tracker_where_none_is_wanted(tmp_path: Path) -> None:
    assert open_trackers(tmp_path, 0, tensorboard=False, wandb="", config={}) == []
    assert not list(tmp_path.iterdir())


def test_wandb_gets_the_mode_the_config_and_the_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in that records what it is told; the real one starts a service of its own."""
    told: list = []
    run = SimpleNamespace(
        log=lambda values, step: told.append((step, values)), finish=lambda: told.append("finished")
    )
    wandb = ModuleType("wandb")
    wandb.init = lambda **settings: told.append(settings) or run
    wandb.Image = lambda sheet: ("image", sheet.shape)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    for _ in range(2):
        (tracker,) = open_trackers(tmp_path, 0, tensorboard=False, wandb="offline", config={"steps": 8})
    tracker.scalars(3, "train", {"loss": 0.5})
    tracker.sheet(4, SHEET)
    tracker.close()
    first, again, *rest = told
    assert first["mode"] == "offline" and first["config"] == {"steps": 8} and first["dir"] == str(tmp_path)
    assert first["id"] == again["id"] and first["resume"] == "allow"  # pieces of a run are one run
    assert rest == [(3, {"train/loss": 0.5}), (4, {"reconstructions": ("image", (8, 8))}), "finished"]


def test_a_missing_wandb_is_said_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vqgan.training.trackers.find_spec", lambda name: None)
    check_installed("")
    with pytest.raises(ValueError, match=r"wandb is 'online', but the package is not installed: pip install"):
        check_installed("online")


def test_a_missing_tensorboard_is_left_out_with_a_word_on_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vqgan.training.trackers.find_spec", lambda name: None)
    assert open_trackers(tmp_path, 0, tensorboard=True, wandb="", config={}) == []
    assert "TensorBoard, which is not installed: pip install llmcxr[log]" in caplog.text
    caplog.clear()
    assert open_trackers(tmp_path, 0, tensorboard=False, wandb="", config={}) == [] and not caplog.text
