"""Run the one loop of every training: steps, checkpoints, curves. Knows no images, no text and no losses.

What a kind of training is, its networks, data, losses and validation, is a `Task`. Data, chance and learning
rate of a step follow from (seed, step), and everything else is in the checkpoint: a run that was stopped or
killed is resumed exactly as if it had not been.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, send_to_device
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from vqgan.bar import open_bar
from vqgan.errors import UserError, check_counts
from vqgan.processes import end_with_parent
from vqgan.training.batches import StepBatches
from vqgan.training.optim import OptimConfig, learning_rate_share
from vqgan.training.run_directory import RunDirectory
from vqgan.training.sheets import write_sheet
from vqgan.training.trackers import WANDB_MODES, Tracker, open_trackers

PRECISIONS = ("no", "bf16", "fp16")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class LoopConfig(OptimConfig):
    """Holds the settings of a loop and of its optimizer, the same keys in every kind of training.

    A run's length is `steps`; `max_minutes` ends it early, to be resumed (0 = does not).
    """

    steps: int = 5000
    batch_size: int = 16  # of a step, over all processes and micro-batches together
    accumulate: int = 1  # micro-batches, one after the other, that a step's batch is cut into
    mixed_precision: str = "no"  # or "bf16" or "fp16", on a GPU
    num_workers: int = 0  # processes that read the data; 0 reads in the training process
    max_minutes: float = 0.0  # after which it stops, to be resumed; 0 = to the end
    log_every: int = 50  # steps, like the following
    validate_every: int = 500
    checkpoint_every: int = 500
    tensorboard: bool = True  # event files in the run directory, where tensorboard is installed
    wandb: str = ""  # "offline" or "online" logs to Weights & Biases as well

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = ("steps", "batch_size", "accumulate", "log_every", "validate_every", "checkpoint_every")
        check_counts(self, counts)
        if self.mixed_precision not in PRECISIONS:
            raise UserError(
                f"mixed_precision must be one of {', '.join(PRECISIONS)}, got {self.mixed_precision!r}"
            )
        if self.wandb not in WANDB_MODES:
            raise UserError(f"wandb must be '', 'offline' or 'online', got {self.wandb!r}")


# What a resumed run may set differently: none of these changes the curve, but for `steps`, with which a run
# goes on after its end.
MAY_CHANGE = (
    "steps", "max_minutes", "num_workers", "log_every", "validate_every", "checkpoint_every", "tensorboard",
    "wandb",
)  # fmt: skip


class Task:
    """Describes a kind of training: its networks, data, losses and validation.

    The first of `networks` is the one that is averaged, validated and saved.
    """

    name = "training"  # beside the bar, and of the project in Weights & Biases
    sheet_name = "reconstructions"  # what the sheets show
    networks: dict[str, nn.Module]  # trained one after the other in each step; the Loop prepares them
    optimizers: dict[str, torch.optim.Optimizer]  # a group with `initial_lr` follows the schedule
    dataset: Dataset
    collate: Callable[[list], Any] | None = None  # items of the dataset -> a micro-batch; None is torch's
    is_in_order: bool = False  # the dataset's items are those of the steps in turn, and not to be shuffled
    weights: Mapping[str, float] = MappingProxyType({})  # loss -> weight, where not 1; 0 is only reported
    states: tuple[Any, ...] = ()  # what a checkpoint must hold besides networks and optimizers
    accelerator: Accelerator  # given by the Loop

    @property
    def main(self) -> str:
        return next(iter(self.networks))

    def weight(self, loss: str) -> float:
        return self.weights.get(loss, 1.0)

    def augment(self, batch: Any, generator: torch.Generator) -> Any:
        """Change a micro-batch as it is to be trained on. All chance comes from `generator`."""
        return batch

    def is_trained(self, network: str, step: int) -> bool:
        """Tell whether a network takes part in a step, counted from 0."""
        return True

    def losses(self, network: str, batch: Any) -> dict[str, Tensor]:
        """Return the losses (scalars) of a micro-batch by name, each a mean over its `count`."""
        raise NotImplementedError

    def count(self, batch: Any, loss: str) -> float:
        """Return how many images, or tokens, the mean loss of that name is over."""
        return len(batch["image"])

    def figures(self) -> dict[str, float]:
        """Return more for the curve, about the steps since this was last asked."""
        return {}

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Score held-out data; {} where there are none. `network` is in evaluation mode."""
        return {}

    def score(self, validation: Mapping[str, float]) -> float:
        """Rank a validation: the highest is the best."""
        raise NotImplementedError

    def sheet(self, network: nn.Module) -> np.ndarray | None:
        """Draw a grey picture (H, W) uint8 of what the network does with held-out data."""
        return None

    def save(self, network: nn.Module, name: str) -> None:
        """Keep the network: "best" after the best validation so far, "last" with each checkpoint."""


@dataclass(frozen=True)
class LoopResult:
    step: int
    is_finished: bool  # False where max_minutes ended it
    validation: dict[str, float]  # the last


class _Progress:
    """Where a run stands: what a checkpoint holds besides networks and optimizers."""

    def __init__(self) -> None:
        self.step = 0
        self.best = -math.inf
        self.validation: dict[str, float] = {}
        self.sums: dict[str, float] = {}  # of what steps reported since the last log line
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def add(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1

    def take_means(self) -> dict[str, float]:
        means = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


class Loop:
    """Trains a Task in a run directory, and resumes it there."""

    def __init__(
        self,
        config: LoopConfig,
        run_dir: str | Path,
        seed: int,
        device: str = "auto",
        uses_all_parameters: bool = True,
    ) -> None:
        """`device` is "cpu", or "auto" for the accelerator if there is one. uses_all_parameters: every
        parameter of a network takes part in the losses of every batch.
        """
        self.config, self.seed, self.run_dir = config, seed, Path(run_dir)
        # without cpu=True processes on a machine without a GPU do not join: each would be the only one
        is_cpu = device == "cpu" or not torch.accelerator.is_available()
        shared = DistributedDataParallelKwargs(find_unused_parameters=not uses_all_parameters)
        self.accelerator = Accelerator(
            cpu=is_cpu, mixed_precision=config.mixed_precision, kwargs_handlers=[shared]
        )
        self.progress = _Progress()
        self.trackers: list[Tracker] = []
        self._signal = ""  # that asked the run to stop

    def run(self, task: Task, settings: Mapping[str, Any]) -> LoopResult:
        """Train, or resume where the run directory stands; `settings` are shown beside the curves.

        Raises UserError for a checkpoint of another run, where a loss, gradient or score is not finite, and
        KeyboardInterrupt after a SIGTERM or Ctrl-C, when the step under way has been saved.
        """
        config, progress = self.config, self.progress
        self._prepare(task)
        self._start_or_resume(settings)
        started = time.monotonic()
        bar = open_bar(task.name, config.steps, self.accelerator.is_main_process)
        with self._heeding_signals(), bar as update:
            for batches in self._batches():
                self._step(batches)
                update(completed=progress.step, **self._after_step())
                if progress.step < config.steps and self._must_stop(time.monotonic() - started):
                    break
            self._save_checkpoint()
        self._end()
        return LoopResult(progress.step, progress.step >= config.steps, dict(progress.validation))

    @property
    def network(self) -> nn.Module:
        """Return the weights that are validated and saved."""
        return self._bare_network if self.averaged is None else self.averaged.module

    @property
    def _bare_network(self) -> nn.Module:
        return self.accelerator.unwrap_model(self.task.networks[self.task.main])

    # -- beginning and end -----------------------------------------------------------------------------------

    def _prepare(self, task: Task) -> None:
        self.task, task.accelerator, self.averaged = task, self.accelerator, None
        for name, network in task.networks.items():
            task.networks[name], task.optimizers[name] = self.accelerator.prepare(
                network, task.optimizers[name]
            )
        states = [self.progress, *task.states]
        if self.config.ema_decay:
            update = torch.optim.swa_utils.get_ema_multi_avg_fn(self.config.ema_decay)
            self.averaged = torch.optim.swa_utils.AveragedModel(self._bare_network, multi_avg_fn=update)
            states.append(self.averaged)
        self.accelerator.register_for_checkpointing(*states)

    def _start_or_resume(self, settings: Mapping[str, Any]) -> None:
        self.directory = RunDirectory(self.run_dir).create()  # after what can fail
        if self.accelerator.is_main_process:
            self.directory.set_aside_damaged()
        self.accelerator.wait_for_everyone()
        step = self.directory.last_step()
        self.directory.check_steps(self.config.steps)
        self.accelerator.wait_for_everyone()  # before the first process writes what the others have read
        if step is not None:
            self._load_checkpoint(self.directory.checkpoint(step))
        if not self.accelerator.is_main_process:
            return
        config, directory = self.config, self.directory
        directory.record_environment()
        self.trackers = open_trackers(
            directory.path, step or 0, config.tensorboard, config.wandb, settings, self.task.name
        )
        directory.forget_after(-1 if step is None else step)
        parameters = sum(parameter.numel() for parameter in self._bare_network.parameters())
        directory.log(
            f"started: {parameters} parameters, {len(self.task.dataset)} items of data"
            if step is None
            else f"went on from step {step}"
        )

    def _load_checkpoint(self, checkpoint: Path) -> None:
        try:
            self.accelerator.load_state(str(checkpoint))
        except (RuntimeError, ValueError, KeyError, OSError, EOFError, UnpicklingError) as error:
            reason = str(error).strip().split("\n")[0]
            raise UserError(
                f"{checkpoint}: expected the state of this run, found another's or an older version's "
                f"({reason}); finish it with what began it, or choose another run_dir"
            ) from error

    def _end(self) -> None:
        progress, steps = self.progress, self.config.steps
        for tracker in self.trackers:
            tracker.close()
        if self.accelerator.is_main_process:
            outcome = (
                "finished" if progress.step >= steps else f"stopped{self._signal and ' by ' + self._signal}"
            )
            self.directory.log(f"{outcome} at step {progress.step} of {steps}")
        self.accelerator.wait_for_everyone()  # none returns before the weights are there
        if self._signal and progress.step < steps:
            raise KeyboardInterrupt

    @contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        """Let the first SIGTERM or Ctrl-C end the run after its step, and a second one end it at once."""

        def ask_to_stop(number: int, frame: object) -> None:
            if os.getpid() != process:  # one that reads data, and ends with this
                return
            self._signal = signal.Signals(number).name
            print(f"{self._signal}: saving after this step; a second one ends at once", file=sys.stderr)
            restore()

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        process = os.getpid()
        is_main_thread = threading.current_thread() is threading.main_thread()
        before = {number: signal.getsignal(number) for number in SIGNALS if is_main_thread}
        for number in before:
            signal.signal(number, ask_to_stop)
        try:
            yield
        finally:
            restore()

    def _must_stop(self, elapsed: float) -> bool:
        """Tell whether the clock or a signal of any process says so: all must stop after the same step."""
        is_late = bool(self.config.max_minutes) and elapsed > 60 * self.config.max_minutes
        return bool(self._sum_over_processes([float(is_late or bool(self._signal))])[0])

    # -- a step ----------------------------------------------------------------------------------------------

    def _batches(self) -> Iterator[tuple[Any, ...]]:
        """Yield the micro-batches of each step to come."""
        order = StepBatches(
            len(self.task.dataset),
            self.config.batch_size,
            None if self.task.is_in_order else self.seed,
            self.progress.step,
            self.config.steps,
            self.accelerator.process_index,
            self.accelerator.num_processes,
            self.config.accumulate,
        )
        micro = DataLoader(
            self.task.dataset,
            batch_sampler=order,
            collate_fn=self.task.collate,
            num_workers=self.config.num_workers,
            worker_init_fn=partial(end_with_parent, os.getpid()),
            generator=torch.Generator(),  # else starting would draw from the chance of the first step
        )
        return zip(*[iter(micro)] * self.config.accumulate, strict=True)

    def _step(self, batches: tuple[Any, ...]) -> None:
        """Update each network that is trained at this step."""
        task, step = self.task, self.progress.step
        of_step = (self.seed * 1_000_003 + step) * self.accelerator.num_processes
        chance = of_step + self.accelerator.process_index
        torch.manual_seed(chance)  # of dropout and the like
        prepared = []
        for number, batch in enumerate(batches):
            generator = torch.Generator().manual_seed(chance * len(batches) + number)
            prepared.append(send_to_device(task.augment(batch, generator), self.accelerator.device))
        share = learning_rate_share(step, self.config.steps, self.config)
        report = {}
        for name in task.networks:
            if task.is_trained(name, step):
                report |= self._update(name, prepared, share)
        self.progress.add(report | {"learning_rate": share * self.config.learning_rate})
        self.progress.step += 1

    def _update(self, name: str, batches: list[Any], share: float) -> dict[str, float]:
        """Return the means of the losses over the whole batch, and the norm of the gradient."""
        task, network, optimizer = self.task, self.task.networks[name], self.task.optimizers[name]
        step = self.progress.step + 1
        for group in optimizer.param_groups:
            group["lr"] = share * group["initial_lr"] if "initial_lr" in group else group["lr"]
        optimizer.zero_grad()
        means = self._backward(name, batches)
        report = dict(zip(means, self._sum_over_processes([float(x) for x in means.values()]), strict=True))
        trained = {part: value for part, value in report.items() if task.weight(part)}
        self._check_finite({f"loss {part!r}": value for part, value in trained.items()}, step)
        norm = float(
            self.accelerator.clip_grad_norm_(network.parameters(), self.config.gradient_clip or math.inf)
        )
        scaler = self.accelerator.scaler
        if scaler is None or scaler.get_scale() < 1:  # else such a step is skipped and the scale lowered
            self._check_finite({f"norm of the gradient of {name!r}": norm}, step)
        optimizer.step()
        if name != task.main:
            return report
        if self.averaged is not None:
            self.averaged.update_parameters(self._bare_network)
        loss = sum(task.weight(part) * value for part, value in trained.items())
        return {"loss": loss, **report, "gradient_norm": norm}

    def _backward(self, name: str, batches: list[Any]) -> dict[str, Tensor]:
        """Add up the gradients of the micro-batches; returns this process's shares of the mean losses.

        What is counted first are the images or tokens of the whole batch, so that each of them weighs the
        same, however the batch is cut.
        """
        task, network = self.task, self.task.networks[name]
        totals: dict[str, float] = {}
        means: dict[str, Tensor] = {}
        for number, batch in enumerate(batches, start=1):
            with nullcontext() if number == len(batches) else self.accelerator.no_sync(network):
                losses = task.losses(name, batch)
                totals = totals or self._totals(list(losses), batches)
                parts = {part: task.count(batch, part) / totals[part] * losses[part] for part in losses}
                loss = sum(task.weight(part) * value for part, value in parts.items() if task.weight(part))
                # gradients are averaged over processes, and each part is a share of the whole already
                self.accelerator.backward(loss * self.accelerator.num_processes)
            means = {part: means.get(part, 0.0) + value.detach() for part, value in parts.items()}
        return means

    def _totals(self, losses: list[str], batches: list[Any]) -> dict[str, float]:
        """Count what each loss is a mean over, over the micro-batches of all processes: at least 1."""
        counts = [float(sum(self.task.count(batch, loss) for batch in batches)) for loss in losses]
        totals = self._sum_over_processes(counts)
        return {loss: max(1.0, total) for loss, total in zip(losses, totals, strict=True)}

    def _check_finite(self, values: Mapping[str, float], step: int, data: str = "data of that step") -> None:
        for name, value in values.items():
            if not math.isfinite(value):
                last = self.directory.last_step()
                kept = "no checkpoint yet" if last is None else f"the checkpoint of step {last} is as it was"
                raise UserError(
                    f"{self.run_dir}: at step {step} the {name} is {value}, expected a "
                    f"finite number ({kept}); begin another run_dir with a lower learning_rate, a longer "
                    f"warm-up or a smaller gradient_clip, and look at the {data}"
                )

    def _sum_over_processes(self, values: list[float]) -> list[float]:
        if self.accelerator.num_processes == 1:
            return values
        return self.accelerator.reduce(torch.tensor(values, device=self.accelerator.device), "sum").tolist()

    # -- what is kept of it ----------------------------------------------------------------------------------

    def _after_step(self) -> dict[str, str]:
        """Log, validate and save where it is time; returns what is new to show in the bar."""
        config, progress, shown = self.config, self.progress, {}
        is_last = progress.step == config.steps
        if progress.step % config.log_every == 0 or is_last:
            figures = progress.take_means() | self.task.figures()
            shown = {"figures": " ".join(f"{name} {value:.4g}" for name, value in figures.items())}
            self._report("train", figures)
        if progress.step % config.validate_every == 0 or is_last:
            self._validate()
        if progress.step % config.checkpoint_every == 0 or is_last:
            self._save_checkpoint()
        return shown

    def _validate(self) -> None:
        if not self.accelerator.is_main_process:
            return
        task, progress, network = self.task, self.progress, self.network.eval()
        values = task.validate(network)
        if values:
            scores = {f"validation score {name!r}": value for name, value in values.items()}
            self._check_finite(scores, progress.step, "held-out data")  # before any of it is kept
            progress.validation = values
            self._report("validation", values)
            if (sheet := task.sheet(network)) is not None:
                write_sheet(self.directory.path / "sheets" / f"step_{progress.step:08d}.png", sheet)
                for tracker in self.trackers:
                    tracker.sheet(progress.step, sheet, task.sheet_name)
            if (score := task.score(values)) > progress.best:
                progress.best = score
                task.save(network, "best")
        network.train()

    def _report(self, kind: str, values: Mapping[str, float]) -> None:
        if not self.accelerator.is_main_process:
            return
        self.directory.write_metrics(self.progress.step, {"kind": kind, **values})
        for tracker in self.trackers:
            tracker.scalars(self.progress.step, kind, values)

    def _save_checkpoint(self) -> None:
        accelerator, step = self.accelerator, self.progress.step
        if accelerator.is_main_process:
            self.task.save(self.network, "last")
        self.directory.write_checkpoint(
            step, accelerator.save_state, accelerator.is_main_process, accelerator.wait_for_everyone
        )
