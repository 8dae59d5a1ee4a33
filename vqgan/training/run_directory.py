"""What a training run leaves on disk: config, environment, log, metrics, checkpoints. Knows nothing of
images.

training.json       the resolved training config
environment.json    python, packages, machine, git revision
log.txt             one line per event
metrics.jsonl       one JSON object per line, each with its step
checkpoints/step_*  everything needed to go on; the last one is kept
sheets/             reconstructions during training
model/, best/       image tokenizer directories: the latest and the best on validation
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from vqgan.errors import UserError
from vqgan.files import write_text

PACKAGES = ("torch", "accelerate", "numpy", "torchmetrics")


class RunDirectory:
    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.checkpoints.mkdir(parents=True, exist_ok=True)

    def check_config(
        self, config: Mapping[str, Any], may_change: set[str], defaults: Mapping[str, Any]
    ) -> None:
        """Check that a run that goes on has the config it began with; writes nothing.

        A setting that there was not yet when the run began has its default. Raises UserError naming the
        first setting that differs, unless it is one of `may_change` (top-level keys).
        """
        file = self.path / "training.json"
        config = json.loads(json.dumps(config))
        if file.exists() and self.last_step() is not None:
            before = _filled(json.loads(file.read_text(encoding="utf-8")), json.loads(json.dumps(defaults)))
            for key in sorted((config.keys() | before.keys()) - may_change):
                if config.get(key) != before.get(key):
                    raise UserError(
                        f"{file}: the run that is to go on has {key} = {before.get(key)}, "
                        f"now {key} = {config.get(key)} is asked for; give that or another run_dir"
                    )

    def record_config(
        self, config: Mapping[str, Any], may_change: set[str], defaults: Mapping[str, Any]
    ) -> None:
        """Write the config, if `check_config` has nothing against it."""
        self.check_config(config, may_change, defaults)
        write_text(self.path / "training.json", json.dumps(config, indent=2) + "\n")

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
        """Drop metrics later than the checkpoint from which a killed run goes on: they will be measured
        again.
        """
        file = self.path / "metrics.jsonl"
        if file.exists():
            lines = file.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step_of(line) <= step]
            write_text(file, "".join(line + "\n" for line in kept))

    def last_step(self) -> int | None:
        """The step of the newest whole checkpoint."""
        steps = [int(path.name.removeprefix("step_")) for path in self.checkpoints.glob("step_*[0-9]")]
        return max(steps, default=None)

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step_{step:08d}"

    def write_checkpoint(self, step: int, save_state: Callable[[str], Any]) -> None:
        """Let `save_state` write into a fresh folder, rename it into place and remove the older ones."""
        target = self.checkpoint(step)
        if target.exists():
            return
        temporary = target.with_name(target.name + ".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        save_state(str(temporary))
        os.replace(temporary, target)
        for other in self.checkpoints.iterdir():
            if other != target:
                shutil.rmtree(other)


def _filled(values: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with defaults for the keys that they lack, at every depth."""
    for name, default in defaults.items():
        if name not in values:
            values[name] = default
        elif isinstance(default, dict) and isinstance(values[name], dict):
            _filled(values[name], default)
    return values


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
