"""Show a run's curves and sheets beside metrics.jsonl: TensorBoard, Weights & Biases. Knows no training."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from vqgan.errors import UserError

WANDB_MODES = ("", "offline", "online")

logger = logging.getLogger(__name__)


class TensorBoardTracker:
    """Writes event files in `run_dir`/tensorboard: tensorboard --logdir run_dir."""

    def __init__(self, run_dir: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # steps after the checkpoint from which a killed run resumes are measured again
        self._writer = SummaryWriter(str(run_dir / "tensorboard"), purge_step=first_step + 1)

    def scalars(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def sheet(self, step: int, sheet: np.ndarray, name: str = "reconstructions") -> None:
        """Show a sheet (H, W) uint8."""
        self._writer.add_image(name, sheet, step, dataformats="HW")

    def close(self) -> None:
        self._writer.close()


class WandbTracker:
    """Writes a run in `run_dir`/wandb; offline, it is sent later by wandb sync, or never."""

    def __init__(self, run_dir: Path, mode: str, config: Mapping[str, Any], project: str) -> None:
        import wandb

        self._wandb = wandb
        place = run_dir.resolve()
        self._run = wandb.init(
            project=project,
            name=place.name,
            id=sha256(str(place).encode()).hexdigest()[:12],  # the same when a run is resumed
            resume="allow",
            dir=str(run_dir),
            mode=mode,
            config=dict(config),
        )

    def scalars(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        self._run.log({f"{kind}/{name}": value for name, value in values.items()}, step=step)

    def sheet(self, step: int, sheet: np.ndarray, name: str = "reconstructions") -> None:
        """Show a sheet (H, W) uint8."""
        self._run.log({name: self._wandb.Image(sheet)}, step=step)

    def close(self) -> None:
        self._run.finish()


Tracker = TensorBoardTracker | WandbTracker


def check_installed(wandb: str) -> None:
    if wandb and find_spec("wandb") is None:
        raise UserError(f"wandb is {wandb!r}, but the package is not installed: pip install llmcxr[wandb]")


def open_trackers(
    run_dir: Path,
    first_step: int,
    tensorboard: bool,
    wandb: str,
    config: Mapping[str, Any],
    project: str = "vqgan",
) -> list[Tracker]:
    """Open TensorBoard where it is wanted and installed (a warning where it is not), wandb in the mode that
    is asked for ("" is none).
    """
    trackers: list[Tracker] = []
    if tensorboard and find_spec("tensorboard") is None:
        logger.warning("no curves for TensorBoard, which is not installed: pip install llmcxr[log]")
    elif tensorboard:
        trackers.append(TensorBoardTracker(run_dir, first_step))
    if wandb:
        trackers.append(WandbTracker(run_dir, wandb, config, project))
    return trackers
