"""Train an image tokenizer on any dataset, in pieces that add up to one curve. Knows no data source.

The batch, its augmentation and the learning rate of a step follow from (seed, step), and everything else is
in the checkpoint, so a run that was stopped or killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from vqgan.config import VQGANConfig, differing_settings
from vqgan.discriminator import (
    DiscriminatorConfig,
    LeCAM,
    MultiScaleDiscriminator,
    adaptive_weight,
    adversarial_loss,
    hinge_loss,
)
from vqgan.errors import UserError
from vqgan.foreign.lpips import LPIPS
from vqgan.losses import FeatureNetwork, LossConfig, check_feature_network, reconstruction_losses
from vqgan.metrics import code_statistics, evaluate, psnr
from vqgan.model import VQGAN
from vqgan.training.augmentation import AugmentationConfig, augment
from vqgan.training.batches import StepBatches
from vqgan.training.muon import MuonAdamW
from vqgan.training.run_directory import RunDirectory
from vqgan.training.sheets import draw_sheet, write_sheet
from vqgan.training.trackers import WANDB_MODES, Tracker, check_installed, open_trackers

SHEET_IMAGES = 8
PRECISIONS = ("no", "bf16", "fp16")


@dataclass(frozen=True)
class TrainingConfig:
    """A run's length is `steps`; `max_minutes` only cuts it into pieces (0 = no cut)."""

    model: VQGANConfig = field(default_factory=VQGANConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    start_from: str = ""  # an image tokenizer directory of the same `model`, whose weights to begin with
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
    tensorboard: bool = True  # event files in the run directory, where tensorboard is installed
    wandb: str = ""  # "offline" or "online" logs to Weights & Biases as well

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        for name in ("steps", "batch_size", "log_every", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.mixed_precision not in PRECISIONS:
            raise UserError(
                f"mixed_precision must be one of {', '.join(PRECISIONS)}, got {self.mixed_precision!r}"
            )
        if self.wandb not in WANDB_MODES:
            raise UserError(f"wandb must be '', 'offline' or 'online', got {self.wandb!r}")


# What a later piece of the same run may set differently: none of these changes the curve.
MAY_CHANGE = {
    "max_minutes",
    "num_workers",
    "log_every",
    "validate_every",
    "checkpoint_every",
    "tensorboard",
    "wandb",
}
NOT_OF_THE_LOSS = {"discriminator", "psnr", "usage"}  # of what a step reports


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


def check_run(config: TrainingConfig, run_dir: str | Path, seed: int = 0) -> None:
    """Raise what `train` would of a run of other settings in `run_dir` and of `start_from`, before images are
    read; writes nothing.
    """
    if (Path(run_dir) / "training.json").is_file():
        RunDirectory(run_dir).check_config(_recorded(config, seed), MAY_CHANGE, asdict(TrainingConfig()))
    check_installed(config.wandb)
    _load_start(config)


def _recorded(config: TrainingConfig, seed: int) -> dict[str, Any]:
    return asdict(config) | {"seed": seed}


def _load_start(config: TrainingConfig) -> VQGAN | None:
    """The tokenizer whose weights to begin with. Raises UserError where `model` is another."""
    if not config.start_from:
        return None
    begun = VQGAN.from_pretrained(config.start_from)
    differing = differing_settings(begun.config, config.model)
    if differing:
        each = "; ".join(f"{name} is {theirs} there, {ours} here" for name, theirs, ours in differing)
        raise UserError(
            f"start_from {config.start_from} does not fit model: {each}; give model what is there"
        )
    return begun


def train(
    config: TrainingConfig,
    dataset: Dataset,
    run_dir: str | Path,
    feature_network: FeatureNetwork | None = None,
    validation: Dataset | None = None,
    seed: int = 0,
    device: str = "auto",
    after_saving: Callable[[Path], object] | None = None,
) -> TrainingResult:
    """Train, or go on where `run_dir` stands; raises UserError where it holds a run of other settings, and
    for settings, files and packages that a run cannot begin with: then nothing has been trained or written.

    The datasets yield {"image": (1, H, W) float32 in [0, 1]} and optionally "weight": (1, H, W) in 0..1,
    where small things are. `feature_network` is needed when losses.feature or losses.clinical is above 0; it
    is frozen here. `device` is "cpu", or "auto" for the accelerator if there is one. `after_saving` is called
    with each image tokenizer directory that has been written, to put beside the weights what belongs there.
    """
    if device not in ("auto", "cpu"):
        raise UserError(f"device must be 'auto' or 'cpu', got {device!r}")
    check_feature_network(config.losses, feature_network)
    check_installed(config.wandb)
    trainer = _Trainer(
        config, dataset, Path(run_dir), feature_network, validation, seed, device, after_saving
    )
    return trainer.run()


class _Progress:
    """What a checkpoint must hold besides models and optimizers."""

    def __init__(self) -> None:
        self.step = 0
        self.best = -math.inf
        self.validation: dict[str, float] = {}
        self.sums: dict[str, float] = {}  # of what steps reported since the last log line
        self.count = 0
        self.code_counts: Tensor | None = None  # (K,), since then

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def add(self, parts: Mapping[str, Tensor], codes: Tensor, codebook_size: int) -> None:
        for name, value in parts.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        counts = torch.bincount(codes.flatten().cpu(), minlength=codebook_size)
        self.code_counts = counts if self.code_counts is None else self.code_counts + counts
        self.count += 1

    def take_means(self) -> dict[str, float]:
        means = {name: total / self.count for name, total in self.sums.items()}
        means["usage"] = code_statistics(self.code_counts)["usage"]
        self.sums, self.count, self.code_counts = {}, 0, None
        return means


class _Statistics:
    """What a quantizer must remember to go on training, and a trained tokenizer need not hold."""

    def __init__(self, quantizer: nn.Module) -> None:
        self._quantizer = quantizer

    def state_dict(self) -> dict[str, Tensor]:
        return {name: getattr(self._quantizer, name) for name in self._quantizer.statistics}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, buffer in self.state_dict().items():
            buffer.copy_(state[name])


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
        after_saving: Callable[[Path], object] | None,
    ) -> None:
        self.config = config
        self.seed = seed
        self.dataset = dataset
        self.validation = validation
        self.after_saving = after_saving
        self.accelerator = Accelerator(cpu=device == "cpu", mixed_precision=config.mixed_precision)
        self.progress = _Progress()
        self.perceptual = self._load_perceptual(config.losses)
        self.feature_network = self._freeze(feature_network)
        self._build_models()
        self.trackers: list[Tracker] = []
        self.directory = RunDirectory(run_dir)  # last, so that nothing is written where the rest fails

    def _build_models(self) -> None:
        config = self.config
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            model = self._build_tokenizer()
            discriminator = MultiScaleDiscriminator(
                config.discriminator.channels, config.discriminator.num_layers, config.discriminator.scales
            )
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
        self.lecam = None
        if config.discriminator.weight and config.discriminator.lecam:
            self.lecam = LeCAM(config.discriminator.lecam_decay).to(self.accelerator.device)
            self.accelerator.register_for_checkpointing(self.lecam)
        self.averaged = None
        if config.ema_decay:
            update = torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema_decay)
            self.averaged = torch.optim.swa_utils.AveragedModel(self._bare_model, multi_avg_fn=update)
            self.accelerator.register_for_checkpointing(self.averaged)
        self.accelerator.register_for_checkpointing(self.progress)
        if self._bare_model.quantizer.statistics:
            self.accelerator.register_for_checkpointing(_Statistics(self._bare_model.quantizer))

    def _build_tokenizer(self) -> VQGAN:
        model, begun = VQGAN(self.config.model), _load_start(self.config)
        if begun is not None:
            model.load_state_dict(begun.state_dict())
        return model

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

    def _load_perceptual(self, config: LossConfig) -> LPIPS | None:
        if not config.lpips:
            return None
        return LPIPS.from_weights(config.lpips_vgg, config.lpips_heads).to(self.accelerator.device)

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
                progress.add(*self._step(batch), config.model.codebook_size)
                progress.step += 1
                bar.update()
                self._after_step(bar)
                if config.max_minutes and self._is_over(time.monotonic() - started):
                    break
        self._save_checkpoint()
        for tracker in self.trackers:
            tracker.close()
        is_finished = progress.step >= config.steps
        if is_main:
            self.directory.log(
                f"{'finished' if is_finished else 'stopped'} at step {progress.step} of {config.steps}"
            )
        self.accelerator.wait_for_everyone()  # none returns before the weights are there
        return TrainingResult(
            progress.step, is_finished, self.directory.path / "model", dict(progress.validation)
        )

    def _is_over(self, elapsed: float) -> bool:
        """Whether the clock of any process says so: all must stop after the same step."""
        is_late = torch.tensor(float(elapsed > 60 * self.config.max_minutes), device=self.accelerator.device)
        return bool(self.accelerator.reduce(is_late, "sum"))

    def _start_or_resume(self) -> None:
        settings, step = _recorded(self.config, self.seed), self.directory.last_step()
        self.directory.check_config(settings, MAY_CHANGE, asdict(TrainingConfig()))
        self.accelerator.wait_for_everyone()  # before the first process writes what the others have read
        if step is not None:
            self.accelerator.load_state(str(self.directory.checkpoint(step)))
        if self.accelerator.is_main_process:
            self._record_start(settings, step)

    def _record_start(self, settings: dict[str, Any], step: int | None) -> None:
        config, directory = self.config, self.directory
        directory.record_config(settings, MAY_CHANGE, asdict(TrainingConfig()))
        directory.record_environment()
        self.trackers = open_trackers(directory.path, step or 0, config.tensorboard, config.wandb, settings)
        directory.forget_after(-1 if step is None else step)
        parameters = sum(parameter.numel() for parameter in self._bare_model.parameters())
        directory.log(
            f"started: {parameters} parameters, {len(self.dataset)} images"
            if step is None
            else f"went on from step {step}"
        )

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

    def _step(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        """One update of the tokenizer, and of the discriminator if there is one; returns the loss parts with
        the batch's PSNR, and the codes.
        """
        of_step = self.seed * 1_000_003 + self.progress.step
        share = of_step * self.accelerator.num_processes + self.accelerator.process_index
        generator = torch.Generator().manual_seed(share)
        batch = augment(batch, self.config.augmentation, generator)
        batch = {name: values.to(self.accelerator.device) for name, values in batch.items()}
        images = batch["image"]
        output = self.model(images)
        reconstruction = output.reconstruction.float()  # of bfloat16 or float16 under mixed precision
        parts = reconstruction_losses(
            reconstruction,
            images,
            self.config.losses,
            batch.get("weight"),
            self.feature_network,
            self.perceptual,
        )
        is_adversarial = (
            self.discriminator is not None and self.progress.step >= self.config.discriminator.start_step
        )
        if is_adversarial:
            parts["adversarial"] = self._adversarial_part(reconstruction, sum(parts.values()))
        parts["quantizer"] = output.quantizer_loss
        rate = learning_rate_share(self.progress.step, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["initial_lr"]
        self._update(self.model, self.optimizer, sum(parts.values()))
        if self.averaged is not None:
            self.averaged.update_parameters(self._bare_model)
        if is_adversarial:
            parts["discriminator"] = self._update_discriminator(images, reconstruction.detach())
        parts["psnr"] = psnr(reconstruction.detach().clamp(0, 1), images).mean()
        return parts, output.codes

    def _adversarial_part(self, reconstruction: Tensor, reconstruction_loss: Tensor) -> Tensor:
        loss = adversarial_loss(self.discriminator(reconstruction))
        weight = self.config.discriminator.weight
        if self.config.discriminator.adaptive:
            weight = weight * adaptive_weight(reconstruction_loss, loss, self._bare_model.decoder.last_layer)
        return weight * loss

    def _update_discriminator(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        real, reconstructed = self.discriminator(images), self.discriminator(reconstruction)
        loss = hinge_loss(real, reconstructed)
        if self.lecam is not None:
            loss = loss + self.config.discriminator.lecam * self.lecam(real, reconstructed)
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
            loss = sum(value for name, value in means.items() if name not in NOT_OF_THE_LOSS)
            self._report("train", {"loss": loss, **means})
            shown = {"loss": loss, **means}
            if progress.validation:
                shown["validation_psnr"] = progress.validation["psnr"]
            bar.set_postfix({name: f"{value:.4g}" for name, value in shown.items()})
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
        self._report("validation", progress.validation)
        self._write_sheet(model)
        if progress.validation["psnr"] > progress.best:
            progress.best = progress.validation["psnr"]
            self._save(self.directory.path / "best")
        model.train()

    def _report(self, kind: str, values: Mapping[str, float]) -> None:
        if not self.accelerator.is_main_process:
            return
        self.directory.write_metrics(self.progress.step, {"kind": kind, **values})
        for tracker in self.trackers:
            tracker.scalars(self.progress.step, kind, values)

    def _write_sheet(self, model: VQGAN) -> None:
        count = min(SHEET_IMAGES, len(self.validation))
        images = torch.stack([torch.as_tensor(self.validation[i]["image"]) for i in range(count)])
        decoded = model.decode(model.encode(images.to(self.accelerator.device))).cpu()
        path = self.directory.path / "sheets" / f"step_{self.progress.step:08d}.png"
        sheet = draw_sheet(np.asarray(images[:, 0]), np.asarray(decoded[:, 0]))
        write_sheet(path, sheet)
        for tracker in self.trackers:
            tracker.sheet(self.progress.step, sheet)

    def _save_checkpoint(self) -> None:
        if self.accelerator.is_main_process:
            self._save(self.directory.path / "model")
            self.directory.write_checkpoint(self.progress.step, self.accelerator.save_state)

    def _save(self, directory: Path) -> None:
        self._saved_model.save_pretrained(directory)
        if self.after_saving is not None:
            self.after_saving(directory)
