"""Keep what a training run leaves on disk: config, environment, log, metrics, checkpoints. Knows nothing of
images.

config.yaml         the settings, of a run of llmcxr; training.json of one of vqgan alone
environment.json    python, packages, machine, git revision
log.txt             one line per event
metrics.jsonl       one JSON object per line, each with its step
checkpoints/step_*  everything needed to resume; the last one is kept
sheets/             what the network did with held-out data, at each validation
model/, best/       the latest and the best on validation
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from vqgan.config import flatten
from vqgan.errors import UserError
from vqgan.files import write_text

OLD_CHECKPOINTS = ("checkpoints/checkpoint-*[0-9]", "checkpoint.pt")  # of the loops that came before this one
PACKAGES = ("torch", "accelerate", "numpy", "torchmetrics")


def check_resumable(
    file: Path,
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    may_change: Collection[str],
    defaults: Mapping[str, Any],
) -> None:
    """Check that a resumed run has the settings it began with: those of `file`, or `defaults` where there was
    no such setting yet.

    Settings are named by their path ("training.steps"); one of `may_change`, and what is inside it, may
    differ. Raises UserError naming the first that does.
    """
    old, new = _flat(defaults) | _flat(before), _flat(now)
    for name in sorted(old.keys() | new.keys()):
        parts = name.split(".")
        is_free = any(".".join(parts[: i + 1]) in may_change for i in range(len(parts)))
        if not is_free and old.get(name) != new.get(name):
            raise UserError(
                f"{file}: the run to be resumed has {name} = {old.get(name)}, now {name} = "
                f"{new.get(name)} is asked for; give that or another run_dir"
            )


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings by their path; tuples as lists, as files have them."""
    values = flatten(settings).items()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


class RunDirectory:
    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"

    def create(self) -> RunDirectory:
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        return self

    def record_environment(self) -> None:
        environment = {
            "python": platform.python_version(),
            "packages": {name: _version(name) for name in PACKAGES},
            "machine": platform.machine(),
            "cpu_threads": torch.get_num_threads(),
            "cpu_count": os.cpu_count(),
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "git_revision": _git_revision(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        }
        write_text(self.path / "environment.json", json.dumps(environment, indent=2) + "\n")

    def log(self, message: str) -> None:
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n")

    def write_metrics(self, step: int, values: Mapping[str, Any]) -> None:
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop metrics later than the checkpoint from which a killed run resumes: they will be measured
        again.
        """
        file = self.path / "metrics.jsonl"
        if file.exists():
            lines = file.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step_of(line) <= step]
            write_text(file, "".join(line + "\n" for line in kept))

    def last_step(self) -> int | None:
        """Return the step of the newest whole checkpoint. Raises UserError for one of an older version."""
        steps = [int(path.name.removeprefix("step_")) for path in self.checkpoints.glob("step_*[0-9]")]
        older = sorted(path for pattern in OLD_CHECKPOINTS for path in self.path.glob(pattern))
        if older and not steps:
            raise UserError(
                f"{older[-1]}: expected a checkpoint of this version, found one of an older, with which no "
                "run can be resumed; finish it with that version, or choose another run_dir"
            )
        return max(steps, default=None)

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step_{step:08d}"

    def write_checkpoint(
        self,
        step: int,
        save_state: Callable[[str], Any],
        is_main_process: bool = True,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        """Let `save_state` of every process write into a fresh folder, rename it into place and remove the
        older ones.
        """
        target = self.checkpoint(step)
        if target.exists():
            return
        temporary = target.with_name(target.name + ".tmp")
        if is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
        wait()
        save_state(str(temporary))
        wait()
        if is_main_process:
            os.replace(temporary, target)
            for other in self.checkpoints.iterdir():
                if other != target:
                    shutil.rmtree(other)
        wait()


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (json.JSONDecodeError, KeyError):  # the last line of a killed run may be cut off
        return float("inf")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        result = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return result.stdout.strip() or None
