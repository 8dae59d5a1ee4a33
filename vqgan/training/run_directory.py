"""Keep what a training run leaves on disk: config, environment, log, metrics, checkpoints. Knows nothing of
images.

config.yaml         the settings, of a run of llmcxr; training.json of one of vqgan alone
environment.json    python, packages, machine, git revision
log.txt             one line per event
metrics.jsonl       one JSON object per line, each with its step
checkpoints/step_*  everything needed to resume; the last two are kept, should the last be damaged
run.lock            while a process trains here
sheets/             what the network did with held-out data, at each validation
model/, best/       the latest and the best on validation
"""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from vqgan.config import flatten
from vqgan.errors import UserError
from vqgan.files import remove_abandoned, share, write_text
from vqgan.json_text import from_json, to_json
from vqgan.processes import one_at_a_time
from vqgan.training.manifest import find_damage, write_manifest

OLD_CHECKPOINTS = ("checkpoints/checkpoint-*[0-9]", "checkpoint.pt")  # of the loops that came before this one
KEPT_CHECKPOINTS = 2
# What a run writes, and by which of it an earlier run is known
OWN_NAMES = (
    "config.yaml", "training.json", "environment.json", "log.txt", "metrics.jsonl", "rejected.jsonl",
    "checkpoints", "sheets", "model", "best", "best.safetensors", "compact", "classifier", "codes",
    "codes-validation", "text_tokenizer", "studies.npz",
)  # fmt: skip
SIGNS = {"config.yaml": "run_dir:", "training.json": '"model"', "environment.json": '"cpu_threads"'}
PACKAGES = ("torch", "accelerate", "numpy", "torchmetrics")


logger = logging.getLogger(__name__)


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

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Do the enclosed work while no other process trains here, but those of the same training.

        What killed ones left unfinished is removed. Raises UserError where another trains, and where files
        are that a run would write and no run wrote.
        """
        if os.environ.get("RANK", "0") != "0":  # the first process holds the lock for all
            yield
            return
        with one_at_a_time(self.path / "run.lock", self.path):
            self._refuse_others_files()
            for folder in (self.path, *(path for path in self.path.iterdir() if path.is_dir())):
                remove_abandoned(folder)
            for unfinished in self.checkpoints.glob("step_*.tmp"):
                shutil.rmtree(unfinished, ignore_errors=True)
            yield

    def _refuse_others_files(self) -> None:
        others = [name for name in OWN_NAMES if (self.path / name).exists()]
        if others and not self._step_folders() and not any(map(self._has_sign, SIGNS)):
            raise UserError(
                f"{self.path}: expected a new or empty folder, or that of an earlier run, found {others[0]}, "
                "which a run would replace; choose another run_dir"
            )

    def _has_sign(self, name: str) -> bool:
        file = self.path / name
        return file.is_file() and SIGNS[name] in file.read_text(encoding="utf-8", errors="replace")

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
        write_text(self.path / "environment.json", to_json(environment, indent=2) + "\n")

    def log(self, message: str) -> None:
        with (self.path / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}\n")

    def write_metrics(self, step: int, values: Mapping[str, Any]) -> None:
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(to_json({"step": step, **values}) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop metrics later than the checkpoint from which a killed run resumes: they will be measured
        again.
        """
        file = self.path / "metrics.jsonl"
        if file.exists():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            kept = [line for line in lines if _step_of(line) <= step]
            write_text(file, "".join(line + "\n" for line in kept))

    def last_step(self) -> int | None:
        """Return the step of the newest whole checkpoint. Raises UserError for one of an older version."""
        steps = self._step_folders()
        older = sorted(path for pattern in OLD_CHECKPOINTS for path in self.path.glob(pattern))
        if older and not steps:
            raise UserError(
                f"{older[-1]}: expected a checkpoint of this version, found one of an older, with which no "
                "run can be resumed; finish it with that version, or choose another run_dir"
            )
        return max(steps, default=None)

    def check_steps(self, steps: int) -> None:
        """Raise UserError where the run has done more than `steps` already."""
        done = self.last_step()
        if done is not None and done > steps:
            raise UserError(
                f"{self.path}: expected at least the {done} steps that this run has done, found "
                f"steps={steps}; give more, or another run_dir"
            )

    def _step_folders(self) -> dict[int, Path]:
        found = ((re.fullmatch(r"step_(\d+)", path.name), path) for path in self.checkpoints.glob("step_*"))
        return {int(match[1]): path for match, path in found if match}

    def set_aside_damaged(self) -> None:
        """Rename the newest checkpoints that are damaged, so that the one before them is the last.

        Raises UserError where no other is whole; then nothing is renamed.
        """
        damaged: list[tuple[Path, str]] = []
        for _, path in sorted(self._step_folders().items(), reverse=True):
            if not (damage := find_damage(path)):
                break
            damaged.append((path, damage))
        else:
            if damaged:
                path, damage = damaged[0]
                raise UserError(
                    f"{path}: expected the checkpoint as it was written, found {damage}, and no other "
                    "that is whole; restore it from a copy, or remove it to begin anew"
                )
        for path, damage in damaged:
            message = f"{path.name} is damaged, found {damage}: going on from the checkpoint before it"
            logger.warning("%s: %s", self.path, message)
            self.log(message)
            shutil.rmtree(path.with_name(f"{path.name}.damaged"), ignore_errors=True)
            path.rename(path.with_name(f"{path.name}.damaged"))

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step_{step:08d}"

    def write_checkpoint(
        self,
        step: int,
        save_state: Callable[[str], Any],
        is_main_process: bool = True,
        wait: Callable[[], None] = lambda: None,
    ) -> None:
        """Let `save_state` of every process write into a fresh folder, rename it into place and remove all
        but it and the one before.
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
            write_manifest(temporary)
            share(temporary)
            os.replace(temporary, target)
            folders = [path for _, path in sorted(self._step_folders().items())]
            for older in (*folders[:-KEPT_CHECKPOINTS], *self.checkpoints.glob("step_*.damaged")):
                shutil.rmtree(older)
        wait()


def _step_of(line: str) -> float:
    try:
        return from_json(line)["step"]
    except (ValueError, KeyError, TypeError):  # the last line of a killed run may be cut off
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
