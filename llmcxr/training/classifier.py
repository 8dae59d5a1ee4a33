"""Train a classifier, a tokenizer's loss network or its judge, on the findings that a dataset's studies have.

Images come from the image cache. Truth is `dataset.case(i)` where the dataset knows its cases, as the phantom
does (finding, side, zone, heart size), else the labels of the studies (findings alone). Resumable:
`max_minutes` ends a piece of the work, the next call with the same run directory goes on. Scores on held-out
phantoms are `evaluation.classifier`'s job, those on films `evaluation.fidelity`'s.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from llmcxr.codes.image_cache import cached_images, list_rejected
from llmcxr.common import config as run_config
from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_write_failures
from llmcxr.data import Dataset, Rejections, open_dataset
from llmcxr.model.classifier import Classifier, ClassifierConfig
from llmcxr.records import Label
from llmcxr.training.augmentation import AugmentationConfig, augment
from llmcxr.training.targets import Targets, aurocs, choose_findings, classifier_loss

# What may differ in a run that goes on: for how long and where, not what it is of
FREE_SETTINGS = ("run_dir", "cache_dir", "max_minutes", "threads", "device")


@dataclass(frozen=True)
class ClassifierRun:
    kind: str = "classifier"
    run_dir: str = "runs/classifier"
    dataset: str = "phantom:n=12000,seed=100"
    validation: str = "phantom:n=300,seed=101"  # for the learning curve only
    # Which to learn from the studies' labels. () = of the phantom all, with their places; of another dataset
    # all that at least `min_positives` studies have, and as many have not.
    findings: tuple[str, ...] = ()
    min_positives: int = 20
    # Of labels: where a finding is present it counts absent : present times as much, at most so many times
    max_positive_weight: float = 20.0
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


def run(config: ClassifierRun) -> Path:
    """Train, or go on training; returns the classifier directory (run_dir/classifier) when all steps are
    done.

    A piece that `max_minutes` ended returns the run directory: call again to go on. Images that cannot be
    read are left out and listed in the run directory's rejected.jsonl. Raises UserError for a dataset without
    labels or with too few, or of which nothing can be read, and for a run directory that holds a run of other
    settings.
    """
    torch.set_num_threads(config.threads)
    run_dir = Path(config.run_dir)
    settings = run_dir / "config.yaml"
    has_begun = (run_dir / "checkpoint.pt").exists() or (run_dir / "classifier").exists()
    if has_begun and settings.is_file():  # before images are read, which can take long
        run_config.check_goes_on(config, settings, FREE_SETTINGS)
    datasets = open_dataset(config.dataset), open_dataset(config.validation)
    targets = _load_targets(config, *datasets)
    rejections = Rejections(run_dir / "rejected.jsonl")
    examples = [
        _open_examples(config, dataset, truth, rejections)
        for dataset, truth in zip(datasets, targets, strict=True)
    ]
    run_config.save(config, settings)
    rejections.write()
    trainer = _Trainer(config, run_dir, *examples)
    deadline = time.monotonic() + config.max_minutes * 60 if config.max_minutes else math.inf
    with telling_write_failures(run_dir, "free some space, and the same command goes on"):
        if not trainer.train(deadline):
            return run_dir
        trainer.classifier.save_pretrained(run_dir / "classifier")
    return run_dir / "classifier"


def _load_targets(config: ClassifierRun, dataset: Dataset, validation: Dataset) -> tuple[Targets, Targets]:
    """The truth of both datasets, with the same findings."""
    if dataset.case(0) is not None and not config.findings:
        if validation.case(0) is None:
            raise UserError(
                f"validation {config.validation!r} does not know its cases, as {config.dataset!r} does: give "
                "another of its kind, or name the findings to learn"
            )
        return _targets_of_cases(dataset), _targets_of_cases(validation)
    labels = [_list_labels(one) for one in (dataset, validation)]
    findings = choose_findings(labels[0], config.findings, config.min_positives, config.dataset)
    if not any(labels[1]):
        raise UserError(
            f"{config.validation}: expected studies with labels of findings, found none that has any"
        )
    targets = Targets.from_labels(labels[0], findings, config.max_positive_weight)
    return targets, replace(Targets.from_labels(labels[1], findings), weights=targets.weights)


def _targets_of_cases(dataset: Dataset) -> Targets:
    return Targets.from_cases([dataset.case(index) for index in range(len(dataset))])


def _list_labels(dataset: Dataset) -> list[Mapping[str, Label]]:
    return [dataset[index].labels for index in range(len(dataset))]


@dataclass(frozen=True)
class _Examples:
    """N images that can be read, and their truth."""

    images: np.ndarray  # (all, H, W) uint8
    places: Tensor  # (N,) int64, those that can be read among all
    targets: Targets  # of the N

    def __len__(self) -> int:
        return len(self.places)

    def read(self, rows: Tensor) -> np.ndarray:
        """(B,) -> (B, H, W) uint8."""
        return self.images[self.places[rows].numpy()]


def _open_examples(
    config: ClassifierRun, dataset: Dataset, targets: Targets, rejections: Rejections
) -> _Examples:
    """`targets` are of all images of the dataset. Raises UserError where none can be read."""
    images = cached_images(dataset, config.model.image_size, config.cache_dir, processes=config.threads)
    rejected = list_rejected(images, dataset.name, rejections)
    places = torch.from_numpy(np.delete(np.arange(len(images)), rejected))
    return _Examples(images[:, 0], places, targets.select(places))


class _Trainer:
    """The state of one run and its steps."""

    def __init__(self, config: ClassifierRun, run_dir: Path, examples: _Examples, held_out: _Examples):
        self.config, self.run_dir, self.examples, self.held_out = config, run_dir, examples, held_out
        torch.manual_seed(config.seed)
        targets = examples.targets
        classifier = Classifier(config.model, targets.findings, knows_places=targets.ratio is not None)
        self.classifier = classifier.to(config.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            self.classifier.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step, self.seconds = 0, 0.0
        self._resume()

    def train(self, deadline: float) -> bool:
        """Go on to the last step, or until the deadline (True when all steps are done)."""
        from tqdm import tqdm

        config, started = self.config, time.monotonic() - self.seconds
        steps = range(self.step, config.num_steps)
        for _ in tqdm(steps, desc="classifier", initial=self.step, total=config.num_steps):
            losses = self._train_step()
            self.step += 1
            self.seconds = time.monotonic() - started
            if self.step % config.validate_every == 0 or self.step == config.num_steps:
                self._log(losses)
                self._checkpoint()
            if time.monotonic() > deadline:
                self._checkpoint()
                break
        return self.step >= config.num_steps

    def _train_step(self) -> dict[str, float]:
        config, examples = self.config, self.examples
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * self._schedule()
        rows = _batch_rows(len(examples), config.batch_size, config.seed, self.step)
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        batch = _to_batch(examples.read(rows), config.device)
        batch = augment(batch, config.augmentation, generator).contiguous(memory_format=torch.channels_last)
        self.classifier.train()
        losses = classifier_loss(self.classifier(batch), examples.targets.select(rows, config.device))
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
        """Each part of the loss, and the AUROC of each finding that has one, with their mean."""
        held_out, targets = self.held_out, self.held_out.targets
        self.classifier.eval()
        totals: dict[str, float] = {}
        logits = []
        for rows in torch.arange(len(held_out)).split(100):
            output = self.classifier(_to_batch(held_out.read(rows), self.config.device))
            logits.append(output.presence.cpu())
            for name, value in classifier_loss(output, targets.select(rows, self.config.device)).items():
                totals[name] = totals.get(name, 0.0) + value.item() * len(rows) / len(held_out)
        scores = {f"validation_{name}": value for name, value in totals.items()}
        by_finding = aurocs(torch.cat(logits), targets)
        scores |= {f"auroc: {name}": value for name, value in by_finding.items()}
        if by_finding:
            scores["auroc"] = sum(by_finding.values()) / len(by_finding)
        return {name: round(value, 4) for name, value in scores.items()}

    def _log(self, losses: Mapping[str, float]) -> None:
        line = {"step": self.step, "seconds": round(self.seconds, 1), **losses, **self.validate()}
        with open(self.run_dir / "metrics.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")

    def _checkpoint(self) -> None:
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "config": self.classifier.describe(),
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
        if state["config"] != self.classifier.describe():
            raise UserError(
                f"{path} holds a classifier of {state['config']}, the run asks for "
                f"{self.classifier.describe()}: delete it or choose another run_dir"
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
