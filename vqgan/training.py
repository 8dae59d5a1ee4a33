"""Train an image tokenizer on any dataset, in pieces that add up to one curve. Knows no data source.

The batch, its augmentation and the learning rate of a step follow from (seed, step), and everything else is
in the checkpoint, so a run that was stopped or killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from vqgan.augmentation import AugmentationConfig, augment
from vqgan.batches import StepBatches
from vqgan.config import VQGANConfig
from vqgan.discriminator import (
    DiscriminatorConfig,
    PatchDiscriminator,
    adaptive_weight,
    adversarial_loss,
    hinge_loss,
)
from vqgan.losses import FeatureNetwork, LossConfig, reconstruction_losses
from vqgan.metrics import evaluate
from vqgan.model import VQGAN
from vqgan.muon import MuonAdamW
from vqgan.run_directory import RunDirectory
from vqgan.sheets import write_sheet

SHEET_IMAGES = 8


@dataclass(frozen=True)
class TrainingConfig:
    """A run's length is `steps`; `max_minutes` only cuts it into pieces (0 = no cut)."""

    model: VQGANConfig = field(default_factory=VQGANConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    steps: int = 5000
    batch_size: int = 16  # over all processes together
    learning_rate: float = 2.5e-3  # of AdamW
    muon_learning_rate: float = 0.02  # of the kernels and matrices inside; 0 leaves them to AdamW
    warmup_steps: int = 40
    final_learning_rate: float = 0.01  # of the peak, at the end of the cosine
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.01
    gradient_clip: float = 1.0  # of the gradient's norm
    ema_decay: float = 0.0  # of averaged weights that are validated and saved; 0 = the weights themselves
    mixed_precision: str = "no"  # "bf16" on a GPU
    num_workers: int = 0  # processes that read images; 0 reads in the training process
    max_minutes: float = 0.0
    log_every: int = 50  # steps, like the following
    validate_every: int = 500
    checkpoint_every: int = 500

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        for name in ("steps", "batch_size", "log_every", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


# What a later piece of the same run may set differently: none of these changes the curve.
MAY_CHANGE = {"max_minutes", "num_workers", "log_every", "validate_every", "checkpoint_every"}


@dataclass(frozen=True)
class TrainingResult:
    step: int
    is_finished: bool  # False when max_minutes ended this piece; call `train` again to go on
    model_dir: Path
    metrics: dict[str, float]  # of the last validation


def learning_rate_share(step: int, config: TrainingConfig) -> float:
    """Of the peak learning rate: a linear warm-up, then half a cosine down to `final_learning_rate`."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    low = config.final_learning_rate
    return low + (1 - low) * (1 + math.cos(math.pi * progress)) / 2


def train(
    config: TrainingConfig,
    dataset: Dataset,
    run_dir: str | Path,
    feature_network: FeatureNetwork | None = None,
    validation: Dataset | None = None,
    seed: int = 0,
    device: str = "auto",
) -> TrainingResult:
    """Train, or go on where `run_dir` stands; raises ResumeError where it holds a run of other settings.

    The datasets yield {"image": (1, H, W) float32 in [0, 1]} and optionally "weight": (1, H, W) in 0..1,
    where small things are. `feature_network` is needed when losses.feature > 0; it is frozen here. `device`
    is "cpu", or "auto" for the accelerator if there is one.
    """
    if device not in ("auto", "cpu"):
        raise ValueError(f"device must be 'auto' or 'cpu', got {device!r}")
    if config.losses.feature and feature_network is None:
        raise ValueError(f"losses.feature is {config.losses.feature} but no feature network was given")
    return _Trainer(config, dataset, Path(run_dir), feature_network, validation, seed, device).run()


class _Progress:
    """What a checkpoint must hold besides models and optimizers."""

    def __init__(self) -> None:
        self.step = 0
        self.best = -math.inf
        self.validation: dict[str, float] = {}
        self.sums: dict[str, float] = {}  # of the loss parts since the last log line
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def add(self, parts: Mapping[str, Tensor]) -> None:
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1

    def take_means(self) -> dict[str, float]:
        means = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        return means


class _Trainer:
    def __init__(
        self,
        config: TrainingConfig,
        dataset: Dataset,
        run_dir: Path,
        feature_network: FeatureNetwork | None,
        validation: Dataset | None,
        seed: int,
        device: str,
    ) -> None:
        self.config = config
        self.seed = seed
        self.dataset = dataset
        self.validation = validation
        self.accelerator = Accelerator(cpu=device == "cpu", mixed_precision=config.mixed_precision)
        self.directory = RunDirectory(run_dir)
        self.progress = _Progress()
        self._build_models()
        self.feature_network = self._freeze(feature_network)

    def _build_models(self) -> None:
        config = self.config
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            model = VQGAN(config.model)
            discriminator = PatchDiscriminator(config.discriminator.channels, config.discriminator.num_layers)
        optimizer = self._build_optimizer(model)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.discriminator = None
        if config.discriminator.weight:
            optimizer = torch.optim.AdamW(
                discriminator.parameters(), config.discriminator.learning_rate, betas=config.betas
            )
            self.discriminator, self.discriminator_optimizer = self.accelerator.prepare(
                discriminator, optimizer
            )
        self.averaged = None
        if config.ema_decay:
            update = torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema_decay)
            self.averaged = torch.optim.swa_utils.AveragedModel(self._bare_model, multi_avg_fn=update)
            self.accelerator.register_for_checkpointing(self.averaged)
        self.accelerator.register_for_checkpointing(self.progress)

    def _build_optimizer(self, model: VQGAN) -> MuonAdamW:
        config = self.config
        inner = {id(parameter) for parameter in model.inner_weights()} if config.muon_learning_rate else set()
        return MuonAdamW(
            [parameter for parameter in model.parameters() if id(parameter) in inner],
            [parameter for parameter in model.parameters() if id(parameter) not in inner],
            config.muon_learning_rate,
            config.learning_rate,
            config.betas,
            config.weight_decay,
        )

    def _freeze(self, network: FeatureNetwork | None) -> FeatureNetwork | None:
        if isinstance(network, nn.Module):
            network = network.to(self.accelerator.device).eval().requires_grad_(False)
        return network

    @property
    def _bare_model(self) -> VQGAN:
        return self.accelerator.unwrap_model(self.model)

    @property
    def _saved_model(self) -> VQGAN:
        """The weights that are validated and shipped."""
        return self._bare_model if self.averaged is None else self.averaged.module

    def run(self) -> TrainingResult:
        self._start_or_resume()
        config, progress = self.config, self.progress
        started = time.monotonic()
        is_main = self.accelerator.is_main_process
        with tqdm(total=config.steps, initial=progress.step, desc="tokenizer", disable=not is_main) as bar:
            for batch in self._batches():
                progress.add(self._step(batch))
                progress.step += 1
                bar.update()
                self._after_step(bar)
                if config.max_minutes and time.monotonic() - started > 60 * config.max_minutes:
                    break
        self._save_checkpoint()
        is_finished = progress.step >= config.steps
        self.directory.log(
            f"{'finished' if is_finished else 'stopped'} at step {progress.step} of {config.steps}"
        )
        return TrainingResult(
            progress.step, is_finished, self.directory.path / "model", dict(progress.validation)
        )

    def _start_or_resume(self) -> None:
        self.directory.record_config(asdict(self.config) | {"seed": self.seed}, MAY_CHANGE)
        self.directory.record_environment()
        step = self.directory.last_step()
        if step is None:
            self.directory.forget_after(-1)
            parameters = sum(parameter.numel() for parameter in self._bare_model.parameters())
            self.directory.log(f"started: {parameters} parameters, {len(self.dataset)} images")
            return
        self.accelerator.load_state(str(self.directory.checkpoint(step)))
        self.directory.forget_after(step)
        self.directory.log(f"went on from step {step}")

    def _batches(self) -> DataLoader:
        order = StepBatches(
            len(self.dataset),
            self.config.batch_size,
            self.seed,
            self.progress.step,
            self.config.steps,
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )
        return DataLoader(self.dataset, batch_sampler=order, num_workers=self.config.num_workers)

    def _step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of the tokenizer, and of the discriminator if there is one; returns the loss parts."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.progress.step)
        batch = augment(batch, self.config.augmentation, generator)
        batch = {name: values.to(self.accelerator.device) for name, values in batch.items()}
        images = batch["image"]
        output = self.model(images)
        parts = reconstruction_losses(
            output.reconstruction, images, self.config.losses, batch.get("weight"), self.feature_network
        )
        is_adversarial = (
            self.discriminator is not None and self.progress.step >= self.config.discriminator.start_step
        )
        if is_adversarial:
            parts["adversarial"] = self._adversarial_part(output.reconstruction, sum(parts.values()))
        parts["quantizer"] = output.quantizer_loss
        share = learning_rate_share(self.progress.step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = share * group["initial_lr"]
        self._update(self.model, self.optimizer, sum(parts.values()))
        if self.averaged is not None:
            self.averaged.update_parameters(self._bare_model)
        if is_adversarial:
            parts["discriminator"] = self._update_discriminator(images, output.reconstruction.detach())
        return parts

    def _adversarial_part(self, reconstruction: Tensor, reconstruction_loss: Tensor) -> Tensor:
        loss = adversarial_loss(self.discriminator(reconstruction))
        weight = self.config.discriminator.weight
        if self.config.discriminator.adaptive:
            weight = weight * adaptive_weight(reconstruction_loss, loss, self._bare_model.decoder.last_layer)
        return weight * loss

    def _update_discriminator(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        loss = hinge_loss(self.discriminator(images), self.discriminator(reconstruction))
        self._update(self.discriminator, self.discriminator_optimizer, loss)
        return loss

    def _update(self, module: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.accelerator.backward(loss)
        if self.config.gradient_clip:
            self.accelerator.clip_grad_norm_(module.parameters(), self.config.gradient_clip)
        optimizer.step()

    def _after_step(self, bar: tqdm) -> None:
        config, progress = self.config, self.progress
        is_last = progress.step == config.steps
        if progress.step % config.log_every == 0 or is_last:
            means = progress.take_means()
            loss = sum(value for name, value in means.items() if name != "discriminator")
            if self.accelerator.is_main_process:
                self.directory.write_metrics(progress.step, {"kind": "train", "loss": loss, **means})
            bar.set_postfix(loss=f"{loss:.4f}", psnr=f"{progress.validation.get('psnr', math.nan):.2f}")
        if self.validation is not None and (progress.step % config.validate_every == 0 or is_last):
            self._validate()
        if progress.step % config.checkpoint_every == 0 or is_last:
            self._save_checkpoint()

    def _validate(self) -> None:
        if not self.accelerator.is_main_process:
            return
        progress = self.progress
        model = self._saved_model.eval()
        progress.validation = evaluate(model, DataLoader(self.validation, batch_size=self.config.batch_size))
        self.directory.write_metrics(progress.step, {"kind": "validation", **progress.validation})
        self._write_sheet(model)
        if progress.validation["psnr"] > progress.best:
            progress.best = progress.validation["psnr"]
            model.save_pretrained(self.directory.path / "best")
        model.train()

    def _write_sheet(self, model: VQGAN) -> None:
        count = min(SHEET_IMAGES, len(self.validation))
        images = torch.stack([torch.as_tensor(self.validation[i]["image"]) for i in range(count)])
        decoded = model.decode(model.encode(images.to(self.accelerator.device))).cpu()
        path = self.directory.path / "sheets" / f"step_{self.progress.step:08d}.png"
        write_sheet(path, np.asarray(images[:, 0]), np.asarray(decoded[:, 0]))

    def _save_checkpoint(self) -> None:
        if self.accelerator.is_main_process:
            self._saved_model.save_pretrained(self.directory.path / "model")
            self.directory.write_checkpoint(self.progress.step, self.accelerator.save_state)
