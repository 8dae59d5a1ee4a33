"""Train a phantom classifier (a tokenizer's teacher, or the evaluator) from a dataset that knows its cases.

Images come from the image cache, truth from `dataset.case(i)`. Resumable: `max_minutes` ends a piece of the
work, the next call with the same run directory goes on. Scores on held-out phantoms are
`evaluation.classifier`'s job.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from llmcxr.data.phantom.case import FINDINGS, PhantomCase
from llmcxr.errors import UserError
from llmcxr.model.classifier import (
    RATIO_SCALE,
    SIDE_CHOICES,
    ZONE_CHOICES,
    Classifier,
    ClassifierConfig,
    ClassifierOutput,
)
from llmcxr.training.augmentation import AugmentationConfig, augment
from llmcxr.training.image_cache import cached_images

# How much a finding's presence and place count: nodules, the smallest, are learnt last.
FINDING_WEIGHTS = {name: 3.0 if name == "nodule" else 1.0 for name in FINDINGS}


@dataclass(frozen=True)
class ClassifierRun:
    kind: str = "classifier"
    run_dir: str = "runs/classifier"
    dataset: str = "phantom:n=12000,seed=100"
    validation: str = "phantom:n=300,seed=101"  # for the learning curve only
    cache_dir: str = "runs/cache"
    seed: int = 100
    num_steps: int = 2000
    batch_size: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_steps: int = 60
    validate_every: int = 200  # steps; also the rhythm of checkpoints
    max_minutes: float = 0.0  # of this piece; 0 trains to the end
    threads: int = 1
    device: str = "cpu"
    model: ClassifierConfig = field(default_factory=ClassifierConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)


@dataclass(frozen=True)
class Targets:
    """The truth of N phantoms. A choice of -1 does not apply and costs nothing."""

    presence: Tensor  # (N, len(FINDINGS)) float 0/1
    sides: Mapping[str, Tensor]  # finding -> (N,) int64, -1 or an index into SIDE_CHOICES
    zones: Mapping[str, Tensor]
    ratio: Tensor  # (N,) float

    @classmethod
    def from_cases(cls, cases: Sequence[PhantomCase]) -> Targets:
        def choice(name: str, attribute: str, choices: Sequence[str]) -> Tensor:
            found = (case.find(name) for case in cases)
            said = [getattr(finding, attribute) if finding else "" for finding in found]
            return torch.tensor([choices.index(word) if word in choices else -1 for word in said])

        presence = [[float(case.find(name) is not None) for name in FINDINGS] for case in cases]
        return cls(
            torch.tensor(presence),
            {name: choice(name, "side", choices) for name, choices in SIDE_CHOICES.items()},
            {name: choice(name, "zone", choices) for name, choices in ZONE_CHOICES.items()},
            torch.tensor([case.cardiothoracic_ratio for case in cases], dtype=torch.float32),
        )

    def select(self, rows: Tensor, device: str | torch.device = "cpu") -> Targets:
        def pick(value: Tensor) -> Tensor:
            return value[rows].to(device)

        return Targets(
            pick(self.presence),
            {name: pick(value) for name, value in self.sides.items()},
            {name: pick(value) for name, value in self.zones.items()},
            pick(self.ratio),
        )


def classifier_loss(output: ClassifierOutput, targets: Targets) -> dict[str, Tensor]:
    """Named parts, each a mean; their sum is trained. Sides and zones count only where they apply."""
    choices = [(name, output.sides[name], targets.sides[name]) for name in SIDE_CHOICES]
    choices += [(name, output.zones[name], targets.zones[name]) for name in ZONE_CHOICES]
    batch_size = len(targets.ratio)
    placed = sum(
        FINDING_WEIGHTS[name] * F.cross_entropy(logits, truth, ignore_index=-1, reduction="sum")
        for name, logits, truth in choices
    )
    weights = output.presence.new_tensor([FINDING_WEIGHTS[name] for name in FINDINGS])
    presence = F.binary_cross_entropy_with_logits(output.presence, targets.presence, weight=weights)
    return {
        "presence": presence * len(FINDINGS),
        "place": placed / batch_size,
        "ratio": F.smooth_l1_loss(output.ratio / RATIO_SCALE, targets.ratio / RATIO_SCALE),
    }


def run(config: ClassifierRun) -> Path:
    """Train, or go on training; returns the classifier directory (run_dir/classifier) when all steps are
    done.

    A piece that `max_minutes` ended returns the run directory: call again to go on.
    """
    torch.set_num_threads(config.threads)
    run_dir = Path(config.run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    images, targets = _load(config.dataset, config)
    trainer = _Trainer(config, run_dir)
    deadline = time.monotonic() + config.max_minutes * 60 if config.max_minutes else math.inf
    if not trainer.train(images, targets, deadline):
        return run_dir
    trainer.classifier.save_pretrained(run_dir / "classifier")
    return run_dir / "classifier"


def _load(name: str, config: ClassifierRun) -> tuple[np.ndarray, Targets]:
    from llmcxr.data import open_dataset

    dataset = open_dataset(name)
    if not hasattr(dataset, "case"):
        raise UserError(
            f"a classifier needs a dataset that knows its cases, such as phantom; {name!r} does not"
        )
    images = cached_images(name, config.model.image_size, config.cache_dir, processes=config.threads)
    return images[:, 0], Targets.from_cases([dataset.case(index) for index in range(len(dataset))])


class _Trainer:
    """The state of one run and its steps."""

    def __init__(self, config: ClassifierRun, run_dir: Path):
        self.config, self.run_dir = config, run_dir
        torch.manual_seed(config.seed)
        classifier = Classifier(config.model).to(config.device)
        self.classifier = classifier.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            self.classifier.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step, self.seconds = 0, 0.0
        self._resume()

    def train(self, images: np.ndarray, targets: Targets, deadline: float) -> bool:
        """Go on to the last step, or until the deadline (True when all steps are done)."""
        from tqdm import tqdm

        config, started = self.config, time.monotonic() - self.seconds
        steps = range(self.step, config.num_steps)
        for _ in tqdm(steps, desc="classifier", initial=self.step, total=config.num_steps):
            losses = self._train_step(images, targets)
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.step % config.validate_every == 0 or self.step == config.num_steps:
                self._log(losses)
                self._checkpoint()
            if time.monotonic() > deadline:
                self._checkpoint()
                break
        return self.step >= config.num_steps

    def _train_step(self, images: np.ndarray, targets: Targets) -> dict[str, float]:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * self._schedule()
        rows = _batch_rows(len(images), config.batch_size, config.seed, self.step)
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        batch = _to_batch(images[rows.numpy()], config.device)
        batch = augment(batch, config.augmentation, generator).contiguous(memory_format=torch.channels_last)
        self.classifier.train()
        losses = classifier_loss(self.classifier(batch), targets.select(rows, config.device))
        self.optimizer.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(self.classifier.parameters(), 5.0)
        self.optimizer.step()
        return {name: round(value.item(), 4) for name, value in losses.items()}

    def _schedule(self) -> float:
        warm = min(1.0, (self.step + 1) / max(self.config.warmup_steps, 1))
        return warm * 0.5 * (1 + math.cos(math.pi * self.step / self.config.num_steps))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        images, targets = _load(self.config.validation, self.config)
        self.classifier.eval()
        totals: dict[str, float] = {}
        for rows in torch.arange(len(images)).split(100):
            output = self.classifier(_to_batch(images[rows.numpy()], self.config.device))
            for name, value in classifier_loss(output, targets.select(rows, self.config.device)).items():
                totals[name] = totals.get(name, 0.0) + value.item() * len(rows) / len(images)
        return {f"validation_{name}": round(value, 4) for name, value in totals.items()}

    def _log(self, losses: Mapping[str, float]) -> None:
        line = {"step": self.step, "seconds": round(self.seconds, 1), **losses, **self.validate()}
        with open(self.run_dir / "metrics.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")

    def _checkpoint(self) -> None:
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "config": asdict(self.config.model),
            "classifier": self.classifier.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, self.run_dir / "checkpoint.partial")
        (self.run_dir / "checkpoint.partial").rename(self.run_dir / "checkpoint.pt")

    def _resume(self) -> None:
        path = self.run_dir / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.config.device, weights_only=True)
        if state["config"] != asdict(self.config.model):
            raise UserError(
                f"{path} holds a classifier of {state['config']}, the run asks for "
                f"{asdict(self.config.model)}: delete it or choose another run_dir"
            )
        self.classifier.load_state_dict(state["classifier"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]


def _batch_rows(num_images: int, batch_size: int, seed: int, step: int) -> Tensor:
    """The images of a step: every epoch shuffled by its own seed, so a resumed run sees the same batches."""
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    rows = [
        np.random.default_rng((seed, epoch)).permutation(num_images)[positions[epochs == epoch] % num_images]
        for epochs in [positions // num_images]
        for epoch in np.unique(epochs)
    ]
    return torch.from_numpy(np.concatenate(rows))


def _to_batch(images: np.ndarray, device: str) -> Tensor:
    """(B, H, W) uint8 -> (B, 1, H, W) float32 in [0, 1], channels last."""
    batch = torch.from_numpy(np.ascontiguousarray(images))[:, None].to(device)
    return (batch.float() / 255).contiguous(memory_format=torch.channels_last)
