"""Train a classifier, a tokenizer's loss network or its judge, on the findings that a dataset's studies have.

Images come from the image cache. Truth is `dataset.case(i)` where the dataset knows its cases, as the phantom
does (finding, side, zone, heart size), else the labels of the studies (findings alone). Scores on held-out
phantoms and on radiographs are the evaluations' job.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import send_to_device
from torch import Tensor
from torch.utils.data import DataLoader

from llmcxr.codes.image_cache import cached_images, list_rejected
from llmcxr.common import config as run_config
from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_write_failures
from llmcxr.data import Rejections, open_dataset
from llmcxr.data.dataset import Dataset
from llmcxr.model.classifier import Classifier, ClassifierConfig
from llmcxr.records import Label
from llmcxr.training.changes import tell_changes
from llmcxr.training.targets import Targets, aurocs, choose_findings, classifier_loss
from llmcxr.training.tokenizer import CachedImages
from vqgan.training.augmentation import AugmentationConfig, augment
from vqgan.training.loop import Loop, LoopConfig, Task
from vqgan.training.optim import build_optimizer
from vqgan.training.run_directory import RunDirectory
from vqgan.training.trackers import check_installed

VALIDATION_BATCH = 100  # images


@dataclass(frozen=True)
class ClassifierTrainingConfig(LoopConfig):
    """Gives the loop's settings defaults of their own."""

    steps: int = 2000
    batch_size: int = 48
    learning_rate: float = 2e-3
    muon_learning_rate: float = 0.0
    warmup_steps: int = 60
    decay: str = "full_cosine"
    final_learning_rate: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.02
    gradient_clip: float = 5.0
    validate_every: int = 200
    checkpoint_every: int = 200
    augmentation: AugmentationConfig = field(
        default_factory=lambda: AugmentationConfig(
            gamma=math.expm1(0.25), contrast=0.2, noise=0.03, blur=0.00625, shift=0.03125
        )
    )


@dataclass(frozen=True)
class ClassifierRun:
    kind: str = "classifier"
    run_dir: str = "runs/classifier"
    dataset: str = "phantom:n=12000,seed=100"
    validation: str = "phantom:n=300,seed=101"  # for the learning curve only
    # Which findings to learn from the studies' labels. () means all: of the phantom, with their locations; of
    # another dataset, those that at least `min_positives` studies have and as many have not.
    findings: tuple[str, ...] = ()
    min_positives: int = 20
    # With labels, a present finding counts (absent / present) times as much as an absent one, at most this.
    max_positive_weight: float = 20.0
    cache_dir: str = "runs/cache"
    seed: int = 100
    threads: int = 1
    device: str = "cpu"
    model: ClassifierConfig = field(default_factory=ClassifierConfig)
    training: ClassifierTrainingConfig = field(default_factory=ClassifierTrainingConfig)


def run(config: ClassifierRun) -> Path:
    """Train, or resume a training; returns the classifier directory (run_dir/classifier) when all steps are
    done.

    Where `training.max_minutes` ended it early, returns the run directory: call again to resume. The best by
    the validation is left in run_dir/best. Images that cannot be read are left out and listed in the run
    directory's rejected.jsonl. Raises UserError for a dataset without labels or with too few, or of which
    nothing can be read, and for a run directory that holds a run of other settings.
    """
    torch.set_num_threads(config.threads)
    check_installed(config.training.wandb)
    with RunDirectory(config.run_dir).alone():
        return _run_alone(config, Path(config.run_dir))


def _run_alone(config: ClassifierRun, run_dir: Path) -> Path:
    run_config.check_resumable(config)  # before images are read, which can take long
    datasets = open_dataset(config.dataset), open_dataset(config.validation)
    targets = _load_targets(config, *datasets)
    rejections = Rejections(run_dir / "rejected.jsonl")
    examples = [
        _open_examples(config, dataset, truth, rejections)
        for dataset, truth in zip(datasets, targets, strict=True)
    ]
    run_config.save(config, run_dir / run_config.CONFIG_FILE)
    tell_changes(run_dir, dict(zip(("dataset", "validation"), datasets, strict=True)))
    rejections.write()
    loop = Loop(config.training, run_dir, config.seed, "cpu" if config.device == "cpu" else "auto")
    with telling_write_failures(run_dir, "free some space, and the same command resumes"):
        result = loop.run(_ClassifierTask(config, *examples), run_config.to_dict(config))
        if not result.is_finished:
            return run_dir
        if loop.accelerator.is_main_process:
            loop.network.save_pretrained(run_dir / "classifier")
    return run_dir / "classifier"


def _load_targets(config: ClassifierRun, dataset: Dataset, validation: Dataset) -> tuple[Targets, Targets]:
    """Load the truth of both datasets, with the same findings."""
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


class _Examples(CachedImages):
    """N images that can be read, and their truth."""

    def __init__(self, images: np.ndarray, rejected: Collection[int], targets: Targets) -> None:
        """Take `images` as CachedImages does, and the `targets` of all of them."""
        super().__init__(images, rejected)
        self.targets = targets.select(torch.from_numpy(self.rows))

    def __getitem__(self, row: int) -> dict[str, Tensor | int]:
        return {**super().__getitem__(row), "row": row}


def _open_examples(
    config: ClassifierRun, dataset: Dataset, targets: Targets, rejections: Rejections
) -> _Examples:
    """Open the images that can be read; `targets` are of all. Raises UserError where none can be read."""
    images = cached_images(dataset, config.model.image_size, config.cache_dir, processes=config.threads)
    return _Examples(images, list_rejected(images, dataset.name, rejections), targets)


class _ClassifierTask(Task):
    name = "classifier"

    def __init__(self, config: ClassifierRun, examples: _Examples, held_out: _Examples) -> None:
        self.config, self.dataset, self.held_out = config, examples, held_out
        torch.manual_seed(config.seed)
        targets = examples.targets
        classifier = Classifier(config.model, targets.findings, predicts_location=targets.ratio is not None)
        classifier = classifier.to(memory_format=torch.channels_last)
        inner = {id(parameter) for parameter in classifier.blocks.parameters() if parameter.ndim > 1}
        matrices = [parameter for parameter in classifier.parameters() if id(parameter) in inner]
        others = [parameter for parameter in classifier.parameters() if id(parameter) not in inner]
        self.networks = {"classifier": classifier}
        self.optimizers = {"classifier": build_optimizer(config.training, matrices, others, [])}

    def augment(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        changed = augment({"image": batch["image"]}, self.config.training.augmentation, generator)
        return batch | changed

    def losses(self, network: str, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return self._losses(self.networks[network], self.dataset, batch)[0]

    def _losses(
        self, classifier: Classifier, examples: _Examples, batch: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The losses, and the logits of presence (B, F)."""
        images = batch["image"].contiguous(memory_format=torch.channels_last)  # (B, 1, H, W)
        output = classifier(images)
        truth = examples.targets.select(batch["row"].cpu(), images.device)
        return classifier_loss(output, truth), output.presence

    @torch.no_grad()
    def validate(self, network: Classifier) -> dict[str, float]:
        """Each part of the loss, and the AUROC of each finding that has one, with their mean."""
        totals: dict[str, float] = {}
        logits = []
        loader = DataLoader(self.held_out, VALIDATION_BATCH, generator=torch.Generator())
        for batch in loader:
            batch = send_to_device(batch, self.accelerator.device)
            losses, presence = self._losses(network, self.held_out, batch)
            logits.append(presence.cpu())
            for name, value in losses.items():
                share = len(presence) / len(self.held_out)
                totals[name] = totals.get(name, 0.0) + value.item() * share
        by_finding = aurocs(torch.cat(logits), self.held_out.targets)
        scores = totals | {f"auroc: {name}": value for name, value in by_finding.items()}
        if by_finding:
            scores["auroc"] = sum(by_finding.values()) / len(by_finding)
        return scores

    def score(self, validation: Mapping[str, float]) -> float:
        return -sum(validation.get(part, 0.0) for part in ("presence", "place", "ratio"))

    def save(self, network: Classifier, name: str) -> None:
        """The best alone: the last is in the checkpoint, and written when all steps are done."""
        if name == "best":
            network.save_pretrained(Path(self.config.run_dir) / name)
