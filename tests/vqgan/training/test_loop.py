import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.vqgan.test_processes import ends
from vqgan.errors import UserError
from vqgan.training.loop import Loop, LoopConfig, LoopResult, Task
from vqgan.training.optim import build_optimizer
from vqgan.training.run_directory import RunDirectory

CONFIG = LoopConfig(
    tensorboard=False,
    steps=6,
    batch_size=8,
    log_every=1,
    validate_every=2,
    checkpoint_every=2,
    warmup_steps=2,
)


class Line(Task):
    """Fits a matrix to points, of which some do not count; batches differ in how many do."""

    name = "line"

    def __init__(self, config: LoopConfig, spoil_at: int = -1, dropout: float = 0.0) -> None:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Dropout(dropout), nn.Linear(3, 3))
        self.networks = {"line": network}
        self.optimizers = {"line": build_optimizer(config, [network[1].weight], [], [network[1].bias])}
        points = torch.randn(20, 3)
        self.dataset = [
            {"image": points[i], "goal": 2 * points[i] + 1, "is_counted": i % 3 > 0} for i in range(20)
        ]
        self.saved: list[str] = []
        self.spoil_at, self.steps = spoil_at, 0

    def losses(self, network: str, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        self.steps += 1
        error = (self.networks[network](batch["image"]) - batch["goal"]).square().mean(1)
        counted = error[batch["is_counted"]].sum() / batch["is_counted"].sum().clamp(min=1)
        every = error.mean() * (float("nan") if self.steps == self.spoil_at else 1)
        return {"counted": counted, "every": every}

    def count(self, batch: dict[str, Tensor], loss: str) -> float:
        return int(batch["is_counted"].sum()) if loss == "counted" else len(batch["image"])

    def validate(self, network: nn.Module) -> dict[str, float]:
        return {"distance": float((network[1].weight.detach() - 2 * torch.eye(3)).norm())}

    def score(self, validation: Mapping[str, float]) -> float:
        return -validation["distance"]

    def sheet(self, network: nn.Module) -> np.ndarray:
        return np.zeros((4, 4), np.uint8)

    def save(self, network: nn.Module, name: str) -> None:
        self.saved.append(name)


def fit(run_dir: Path, config: LoopConfig = CONFIG, **task) -> tuple[LoopResult, Tensor, Line]:
    loop, line = Loop(config, run_dir, seed=3, device="cpu"), Line(config, **task)
    result = loop.run(line, {})
    return result, loop.network[1].weight.detach(), line


def curve_of(run_dir: Path) -> list[dict]:
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_run_is_a_whole_run_to_the_bit(tmp_path: Path) -> None:
    config = replace(CONFIG, ema_decay=0.5)
    _, whole, _ = fit(tmp_path / "whole", config, dropout=0.5)
    for step in range(1, 7):
        result, weight, _ = fit(tmp_path / "pieces", replace(config, max_minutes=1e-9), dropout=0.5)
        assert (result.step, result.is_finished) == (step, step == 6)
    assert torch.equal(weight, whole)
    assert curve_of(tmp_path / "pieces") == curve_of(tmp_path / "whole")
    log = (tmp_path / "pieces" / "log.txt").read_text()
    assert "stopped at step 1 of 6" in log and "went on from step 5" in log and "finished at step 6" in log


def test_the_best_and_the_last_are_saved_and_sheets_drawn(tmp_path: Path) -> None:
    result, _, line = fit(tmp_path)
    assert line.saved.count("best") >= 1 and line.saved[-1] == "last"
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step_00000004", "step_00000006"]
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir())[0] == "step_00000002.png"
    assert set(result.validation) == {"distance"}


@pytest.mark.parametrize("muon", [0.0, 0.02])
def test_a_batch_gives_one_loss_and_one_step_however_it_is_cut(tmp_path: Path, muon: float) -> None:
    runs = []
    for accumulate in (1, 2, 8):
        config = replace(CONFIG, accumulate=accumulate, muon_learning_rate=muon)
        _, weight, _ = fit(tmp_path / str(accumulate), config)
        losses = [line["loss"] for line in curve_of(tmp_path / str(accumulate)) if line["kind"] == "train"]
        runs.append((weight, losses))
    for weight, losses in runs[1:]:
        torch.testing.assert_close(weight, runs[0][0])
        assert losses == pytest.approx(runs[0][1], rel=1e-5)


def test_a_batch_that_cannot_be_cut_so_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="batch_size 8 cannot be split over 1 processes and 3 micro-batches"):
        fit(tmp_path, replace(CONFIG, accumulate=3))


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"at step 4 the loss 'every' is nan.*step 2 is as it was.*lower"):
        fit(tmp_path, spoil_at=4)
    assert RunDirectory(tmp_path).last_step() == 2
    assert fit(tmp_path)[0].is_finished


def test_a_gradient_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    line = Line(CONFIG)
    line.networks["line"][1].weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(UserError, match=r"at step 1 the norm of the gradient .*no checkpoint yet"):
        Loop(CONFIG, tmp_path, seed=0, device="cpu").run(line, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_validation_score_that_is_not_finite_ends_the_run_and_is_never_the_best(
    tmp_path: Path, value: float
) -> None:
    class Spoilt(Line):
        def validate(self, network: nn.Module) -> dict[str, float]:
            self.validated = getattr(self, "validated", 0) + 1
            return {"distance": 1.0, "other": value if self.validated == 2 else 3.0}

        def score(self, validation: Mapping[str, float]) -> float:
            return validation["other"]

    line = Spoilt(CONFIG)
    expected = rf"at step 4 the validation score 'other' is {value}, .*step 2 is as it was.*the held-out data"
    with pytest.raises(UserError, match=expected):
        Loop(CONFIG, tmp_path, seed=3, device="cpu").run(line, {})
    assert line.saved == ["best", "last"]  # both of step 2
    validations = [row for row in curve_of(tmp_path) if row["kind"] == "validation"]
    assert validations == [{"step": 2, "kind": "validation", "distance": 1.0, "other": 3.0}]
    assert not (tmp_path / "sheets" / "step_00000004.png").exists()


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    fit(tmp_path, replace(CONFIG, max_minutes=1e-9))
    other = Line(CONFIG)
    other.networks["line"] = nn.Linear(3, 2)
    other.optimizers["line"] = build_optimizer(CONFIG, [], list(other.networks["line"].parameters()), [])
    with pytest.raises(UserError, match="expected the state of this run, found another's"):
        Loop(CONFIG, tmp_path, seed=0, device="cpu").run(other, {})


def _spoil(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "missing":
        file.unlink()
    elif how == "flipped":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        file.write_bytes(b"" if how == "empty" else content[: len(content) // 2])


@pytest.mark.parametrize("how", ["cut", "empty", "missing", "flipped"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(
    tmp_path: Path, how: str, caplog
) -> None:
    config = replace(CONFIG, steps=4, ema_decay=0.5)
    _, whole, _ = fit(tmp_path / "whole", config, dropout=0.5)
    last = tmp_path / "whole" / "checkpoints" / "step_00000004"
    for name in [path.name for path in last.iterdir() if how != "missing" or path.name != "files.json"]:
        run_dir = tmp_path / name
        shutil.copytree(tmp_path / "whole", run_dir)
        _spoil(run_dir / "checkpoints" / last.name / name, how)
        caplog.clear()
        _, weight, _ = fit(run_dir, config, dropout=0.5)
        assert "step_00000004 is damaged" in caplog.text
        assert "went on from step 2" in (run_dir / "log.txt").read_text()
        assert torch.equal(weight, whole) and curve_of(run_dir) == curve_of(tmp_path / "whole")
        kept = sorted(path.name for path in (run_dir / "checkpoints").iterdir())
        assert kept == ["step_00000002", last.name]


def test_the_only_checkpoint_damaged_is_named_and_kept(tmp_path: Path) -> None:
    fit(tmp_path, replace(CONFIG, steps=2))
    file = tmp_path / "checkpoints" / "step_00000002" / "optimizer.bin"
    whole = file.read_bytes()
    _spoil(file, "cut")
    told = (
        rf"step_00000002: expected .* found {len(whole) // 2} of {len(whole)} bytes of optimizer.bin, and no"
    )
    with pytest.raises(UserError, match=told):
        fit(tmp_path)
    file.write_bytes(whole)  # restored, as the message advises
    assert fit(tmp_path)[0].is_finished


def test_a_finished_run_goes_on_with_more_steps_and_not_with_fewer(tmp_path: Path) -> None:
    assert fit(tmp_path, replace(CONFIG, steps=2))[0].step == 2
    result, _, _ = fit(tmp_path)
    assert (result.step, result.is_finished) == (6, True)
    assert [line["step"] for line in curve_of(tmp_path) if line["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(UserError, match=r"expected at least the 6 steps .* found steps=4"):
        fit(tmp_path, replace(CONFIG, steps=4))


def test_files_of_a_user_among_the_checkpoints_are_left_alone(tmp_path: Path) -> None:
    for name in ("step_00000001.backup", "mine"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    (tmp_path / "checkpoints" / "notes.txt").touch()
    fit(tmp_path)
    assert {"step_00000001.backup", "mine", "notes.txt"} < {
        path.name for path in (tmp_path / "checkpoints").iterdir()
    }


SCRIPT = """
import sys, time
from dataclasses import replace
from tests.vqgan.training.test_loop import CONFIG, Line, Loop

class Slow(Line):
    def augment(self, batch, generator):
        time.sleep(0.2)
        return batch

config = replace(CONFIG, steps=1000, checkpoint_every=1000)
Loop(config, sys.argv[1], seed=0, device="cpu").run(Slow(config), {})
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_step_says_so_and_ends(tmp_path: Path, number: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (tmp_path / "metrics.jsonl").exists() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert f"{number.name}: saving after this step" in errors and "KeyboardInterrupt" in errors
    step = RunDirectory(tmp_path).last_step()
    assert step == curve_of(tmp_path)[-1]["step"] and 0 < step < 1000
    assert f"stopped by {number.name} at step {step}" in (tmp_path / "log.txt").read_text()


WORKERS = """
import os, sys, time
from dataclasses import replace
from tests.vqgan.training.test_loop import CONFIG, Line, Loop

class Told(list):
    def __getitem__(self, index):
        open(f"{sys.argv[1]}/worker-{os.getpid()}", "w").close()
        time.sleep(0.05)
        return list.__getitem__(self, index)

line = Line(CONFIG)
line.dataset = Told(line.dataset)
Loop(replace(CONFIG, steps=1000, num_workers=2), sys.argv[1], seed=0, device="cpu").run(line, {})
"""


def test_the_workers_of_a_killed_training_end_with_it(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-c", WORKERS, str(tmp_path)], env=environment) as process:
        while len(workers := list(tmp_path.glob("worker-*"))) < 2 and process.poll() is None:
            time.sleep(0.1)
        process.kill()
    assert len(workers) == 2 and all(ends(int(file.name.partition("-")[2])) for file in workers)
