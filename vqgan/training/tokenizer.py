"""Train an image tokenizer on any dataset: its networks, losses and validation. Knows no data source; steps,
checkpoints and curves are the Loop's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

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
from vqgan.files import write_text
from vqgan.foreign.lpips import LPIPS
from vqgan.json_text import from_json, to_json
from vqgan.losses import FeatureNetwork, LossConfig, check_feature_network, reconstruction_losses
from vqgan.metrics import code_statistics, evaluate, psnr
from vqgan.model import VQGAN
from vqgan.old_names import from_old_names
from vqgan.training.augmentation import AugmentationConfig, augment
from vqgan.training.loop import MAY_CHANGE, Loop, LoopConfig, Task
from vqgan.training.optim import build_optimizer
from vqgan.training.run_directory import RunDirectory, check_resumable
from vqgan.training.sheets import draw_sheet
from vqgan.training.trackers import check_installed

SHEET_IMAGES = 8
DISCRIMINATOR = "discriminator"  # the second network, and its loss


@dataclass(frozen=True)
class TrainingConfig(LoopConfig):
    """Holds all that decides what becomes of a tokenizer, but the data and the seed."""

    model: VQGANConfig = field(default_factory=VQGANConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    start_from: str = ""  # an image tokenizer directory of the same `model`, whose weights to begin with


@dataclass(frozen=True)
class TrainingResult:
    step: int
    is_finished: bool  # False where max_minutes ended it; call `train` again to resume
    model_dir: Path
    metrics: dict[str, float]  # of the last validation


def check_start(config: TrainingConfig) -> None:
    """Raise UserError for a package that is missing, or a `start_from` that does not fit."""
    check_installed(config.wandb)
    _load_start(config)


def check_training_json(config: TrainingConfig, run_dir: str | Path, seed: int) -> None:
    file = Path(run_dir) / "training.json"
    if file.is_file() and RunDirectory(run_dir).last_step() is not None:
        try:
            before = from_json(file.read_text(encoding="utf-8"))
            before["model"] = from_old_names(before["model"])
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{file}: expected the settings of the run to be resumed, found a damaged file; restore it, "
                "or remove it to resume with the settings that are given now"
            ) from error
        check_resumable(file, before, _recorded(config, seed), MAY_CHANGE, asdict(TrainingConfig()))


def _recorded(config: TrainingConfig, seed: int) -> dict[str, Any]:
    return asdict(config) | {"seed": seed}


def _load_start(config: TrainingConfig) -> VQGAN | None:
    """Load the tokenizer whose weights to begin with. Raises UserError where `model` is another."""
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
    settings: Mapping[str, Any] | None = None,
) -> TrainingResult:
    """Train, or resume where `run_dir` stands; raises UserError where it holds a run of other settings, and
    for settings, files and packages that a run cannot begin with: then nothing has been trained or written.

    The datasets yield {"image": (1, H, W) float32 in [0, 1]} and optionally "weight": (1, H, W) in 0..1,
    where small things are. `feature_network` is needed when losses.feature or losses.clinical is above 0; it
    is frozen here. `device` is "cpu", or "auto" for the accelerator if there is one. `after_saving` is called
    with each image tokenizer directory that has been written, to put beside the weights what belongs there.
    `settings` are those of a larger run whose caller keeps and checks them; without, training.json has them.
    """
    if device not in ("auto", "cpu"):
        raise UserError(f"device must be 'auto' or 'cpu', got {device!r}")
    check_feature_network(config.losses, feature_network)
    check_installed(config.wandb)
    with RunDirectory(run_dir).alone():
        return _train_alone(
            config, dataset, Path(run_dir), feature_network, validation, seed, device, after_saving, settings
        )


def _train_alone(
    config: TrainingConfig,
    dataset: Dataset,
    run_dir: Path,
    feature_network: FeatureNetwork | None,
    validation: Dataset | None,
    seed: int,
    device: str,
    after_saving: Callable[[Path], object] | None,
    settings: Mapping[str, Any] | None,
) -> TrainingResult:
    loop = Loop(config, run_dir, seed, device)
    task = _TokenizerTask(
        config, dataset, validation, run_dir, seed, loop.accelerator.device, feature_network, after_saving
    )
    if settings is None:
        settings = _recorded(config, seed)
        check_training_json(config, run_dir, seed)
        if loop.accelerator.is_main_process:
            write_text(run_dir / "training.json", to_json(settings, indent=2) + "\n")
    result = loop.run(task, settings)
    return TrainingResult(result.step, result.is_finished, run_dir / "model", result.validation)


class _CodeCounts:
    """How often each code was used since the last line of the curve."""

    def __init__(self, codebook_size: int) -> None:
        self.counts = torch.zeros(codebook_size, dtype=torch.long)

    def state_dict(self) -> dict[str, Tensor]:
        return {"counts": self.counts}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.counts = state["counts"]

    def add(self, codes: Tensor) -> None:
        self.counts += torch.bincount(codes.flatten().cpu(), minlength=len(self.counts))

    def take_usage(self) -> float:
        usage = code_statistics(self.counts)["usage"]
        self.counts = torch.zeros_like(self.counts)
        return usage


class _Statistics:
    """Return what a quantizer must remember to resume its training, and a trained tokenizer need not hold."""

    def __init__(self, quantizer: nn.Module) -> None:
        self._quantizer = quantizer

    def state_dict(self) -> dict[str, Tensor]:
        return {name: getattr(self._quantizer, name) for name in self._quantizer.statistics}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, buffer in self.state_dict().items():
            buffer.copy_(state[name])


class _TokenizerTask(Task):
    """The tokenizer first, then the discriminator on the reconstructions that the tokenizer just made."""

    name = "vqgan"
    weights = MappingProxyType({"psnr": 0.0})

    def __init__(
        self,
        config: TrainingConfig,
        dataset: Dataset,
        validation: Dataset | None,
        run_dir: Path,
        seed: int,
        device: torch.device,
        feature_network: FeatureNetwork | None,
        after_saving: Callable[[Path], object] | None,
    ) -> None:
        self.config, self.dataset, self.validation = config, dataset, validation
        self.run_dir, self.after_saving = run_dir, after_saving
        self.code_counts = _CodeCounts(config.model.codebook_size)
        self.perceptual = None
        if config.losses.lpips:
            self.perceptual = LPIPS.from_weights(config.losses.lpips_vgg, config.losses.lpips_heads).to(
                device
            )
        self.feature_network = feature_network
        if isinstance(feature_network, nn.Module):
            self.feature_network = feature_network.to(device).eval().requires_grad_(False)
        self._build_networks(seed, device)

    def _build_networks(self, seed: int, device: torch.device) -> None:
        config, of_discriminator = self.config, self.config.discriminator
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = VQGAN(config.model)
            if (begun := _load_start(config)) is not None:
                model.load_state_dict(begun.state_dict())
            discriminator = MultiScaleDiscriminator(
                of_discriminator.channels, of_discriminator.num_layers, of_discriminator.scales
            )
        self.networks = {"tokenizer": model}
        self.optimizers = {"tokenizer": _build_optimizer(config, model)}
        self.states = (self.code_counts,)
        self.lecam = None
        if of_discriminator.weight:
            self.networks[DISCRIMINATOR] = discriminator
            self.optimizers[DISCRIMINATOR] = torch.optim.AdamW(
                discriminator.parameters(), of_discriminator.learning_rate, betas=config.betas
            )
            if of_discriminator.lecam:
                self.lecam = LeCAM(of_discriminator.lecam_decay).to(device)
                self.states += (self.lecam,)
        if model.quantizer.statistics:
            self.states += (_Statistics(model.quantizer),)

    def augment(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return augment(batch, self.config.augmentation, generator)

    def is_trained(self, network: str, step: int) -> bool:
        self.is_adversarial = DISCRIMINATOR in self.networks and step >= self.config.discriminator.start_step
        return network == "tokenizer" or self.is_adversarial

    def losses(self, network: str, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        if network == DISCRIMINATOR:
            return {DISCRIMINATOR: self._discriminator_loss(batch["image"], batch["reconstruction"])}
        images = batch["image"]
        output = self.networks["tokenizer"](images)
        reconstruction = output.reconstruction.float()  # of bfloat16 or float16 under mixed precision
        parts = reconstruction_losses(
            reconstruction,
            images,
            self.config.losses,
            batch.get("weight"),
            self.feature_network,
            self.perceptual,
        )
        if self.is_adversarial:
            parts["adversarial"] = self._adversarial_part(reconstruction, sum(parts.values()))
        parts["quantizer"] = output.quantizer_loss
        batch["reconstruction"] = reconstruction.detach()  # for the discriminator, whose turn is next
        self.code_counts.add(output.codes)
        return parts | {"psnr": psnr(batch["reconstruction"].clamp(0, 1), images).mean()}

    def _adversarial_part(self, reconstruction: Tensor, reconstruction_loss: Tensor) -> Tensor:
        loss = adversarial_loss(self.networks[DISCRIMINATOR](reconstruction))
        weight = self.config.discriminator.weight
        if self.config.discriminator.adaptive:
            last_layer = self.accelerator.unwrap_model(self.networks["tokenizer"]).decoder.last_layer
            weight = weight * adaptive_weight(reconstruction_loss, loss, last_layer)
        return weight * loss

    def _discriminator_loss(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        discriminator = self.networks[DISCRIMINATOR]
        real, reconstructed = discriminator(images), discriminator(reconstruction)
        loss = hinge_loss(real, reconstructed)
        if self.lecam is not None:
            loss = loss + self.config.discriminator.lecam * self.lecam(real, reconstructed)
        return loss

    def figures(self) -> dict[str, float]:
        return {"usage": self.code_counts.take_usage()}

    def validate(self, network: VQGAN) -> dict[str, float]:
        if self.validation is None:
            return {}
        return evaluate(network, DataLoader(self.validation, batch_size=self.config.batch_size))

    def score(self, validation: Mapping[str, float]) -> float:
        return validation["psnr"]

    def sheet(self, network: VQGAN) -> np.ndarray:
        count = min(SHEET_IMAGES, len(self.validation))
        images = torch.stack([torch.as_tensor(self.validation[i]["image"]) for i in range(count)])
        decoded = network.decode(network.encode(images.to(self.accelerator.device))).cpu()
        return draw_sheet(np.asarray(images[:, 0]), np.asarray(decoded[:, 0]))

    def save(self, network: VQGAN, name: str) -> None:
        directory = self.run_dir / ("model" if name == "last" else name)
        network.save_pretrained(directory)
        if self.after_saving is not None:
            self.after_saving(directory)


def _build_optimizer(config: TrainingConfig, model: VQGAN) -> torch.optim.Optimizer:
    inner = {id(parameter) for parameter in model.inner_weights()}
    matrices = [parameter for parameter in model.parameters() if id(parameter) in inner]
    others = [parameter for parameter in model.parameters() if id(parameter) not in inner]
    decayed, plain = ([one for one in others if (one.ndim > 1) == is_matrix] for is_matrix in (True, False))
    return build_optimizer(config, matrices, decayed, plain)
