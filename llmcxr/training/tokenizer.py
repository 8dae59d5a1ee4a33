"""Train the image tokenizer on any dataset that llmcxr opens. The training itself is vqgan's.

Every image is read, fitted and kept as bytes once (`image_cache`), so that a step costs no decoding.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from llmcxr.codes.image_cache import cached_images, list_rejected
from llmcxr.common import config as run_config
from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_write_failures
from llmcxr.common.specs import parse_spec
from llmcxr.data import Dataset as Studies
from llmcxr.data import Rejections, open_dataset
from llmcxr.images.checks import ImageSummary, summarise_images, write_summary
from llmcxr.model.judges import fingerprint, read_loss_networks, write_loss_networks
from llmcxr.training.changes import tell_changes
from vqgan.foreign.densenet import DenseNetFeatures
from vqgan.losses import FeatureNetwork
from vqgan.training.run_directory import RunDirectory
from vqgan.training.tokenizer import TrainingConfig, check_start, train

logger = logging.getLogger(__name__)

SUMMARY_IMAGES = 2000  # at most, evenly spread: enough for the 1% and 99% quantiles


@dataclass(frozen=True)
class TokenizerRun:
    """Describes a run. `dataset` and `validation` are opening strings that should share no patient."""

    kind: str = "tokenizer"
    run_dir: str = "runs/tokenizer"
    dataset: str = "phantom:n=20000,seed=0"
    validation: str = "phantom:n=256,seed=1"
    cache_dir: str = "runs/cache"
    # Whose features training.losses.feature and .clinical compare, "" = none: a classifier directory
    # (configs/classifier), or xrv:FILE with the weights of a torchxrayvision DenseNet-121. It is remembered
    # beside the tokenizer and refused as its judge.
    loss_network: str = ""
    seed: int = 0
    threads: int = 0  # 0 leaves the choice to torch
    device: str = "auto"  # or "cpu"
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        losses = self.training.losses
        if bool(self.loss_network) != losses.needs_features:
            raise UserError(
                f"loss_network {self.loss_network!r}, training.losses.feature {losses.feature} and "
                f"training.losses.clinical {losses.clinical} do not fit: either loss needs a loss_network, "
                "and a loss_network serves nothing else"
            )


class CachedImages(Dataset):
    """Gives {"image", where there is salience "weight"}: (1, size, size) float32 in [0, 1], from bytes."""

    def __init__(self, images: np.ndarray, rejected: Collection[int] = ()) -> None:
        """images: (N, 1 or 2, size, size) uint8, of which the indices `rejected` are left out."""
        self._images = images
        self.rows = np.delete(np.arange(len(images)), list(rejected))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        channels = torch.from_numpy(self._images[self.rows[index]].astype(np.float32)) / 255
        return dict(zip(("image", "weight"), channels.unsqueeze(1), strict=False))


def run(config: TokenizerRun) -> Path:
    """Train, or resume where `config.run_dir` stands; returns the image tokenizer directory.

    Where `training.max_minutes` ended it early, its state is saved: call again to resume. Images that cannot
    be read are left out and listed in the run directory's rejected.jsonl. Raises UserError for a dataset that
    cannot be opened or of which nothing can be read, files or packages that are missing, or a run directory
    that holds a run of other settings.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    with RunDirectory(config.run_dir).alone():
        return _run_alone(config)


def _run_alone(config: TokenizerRun) -> Path:
    run_config.check_resumable(config)  # before images are read, which can take long
    check_start(config.training)
    feature_network, loss_networks = _load_loss_network(config.loss_network), _list_loss_networks(config)
    dataset, validation = open_dataset(config.dataset), open_dataset(config.validation)
    _warn_of_shared_patients(dataset, validation)
    rejections = Rejections(Path(config.run_dir) / "rejected.jsonl")
    datasets = [_open_images(config, each, rejections) for each in (dataset, validation)]
    run_config.save(config, Path(config.run_dir) / run_config.CONFIG_FILE)
    tell_changes(Path(config.run_dir), {"dataset": dataset, "validation": validation})
    rejections.write()
    summary = _summarise(datasets[0])

    def describe(directory: Path) -> None:  # at every save, so that a killed run's tokenizer has both too
        write_summary(directory, summary)
        write_loss_networks(directory, loss_networks)

    advice = "free some space, and the same command resumes at the last checkpoint"
    with telling_write_failures(config.run_dir, advice):
        result = train(
            config.training,
            datasets[0],
            config.run_dir,
            feature_network=feature_network,
            validation=datasets[1],
            seed=config.seed,
            device=config.device,
            after_saving=describe,
            settings=run_config.to_dict(config),
        )
    return result.model_dir


def _warn_of_shared_patients(dataset: Studies, validation: Studies) -> None:
    """Warn, and raise no error, since two archives may number their patients alike."""
    trained, validated = (
        {each.identify(index).patient_id for index in range(len(each))} for each in (dataset, validation)
    )
    shared = trained & validated
    if shared:
        logger.warning(
            "%d of %d patients of validation %s are in dataset %s too: the scores on validation will be too "
            "good; give each its own split=, or other patient ids where they are not the same people",
            len(shared), len(validated), validation.name, dataset.name,
        )  # fmt: skip


def _summarise(dataset: CachedImages) -> ImageSummary:
    """Summarise what the training images look like, by which another site's are recognised as different."""
    positions = np.unique(np.linspace(0, len(dataset) - 1, SUMMARY_IMAGES).astype(int))
    batches = (
        np.stack([dataset[position]["image"][0].numpy() for position in part])
        for part in np.array_split(positions, -(-len(positions) // 64))
    )
    return summarise_images(batches, dataset[0]["image"].shape[-1])


def _open_images(config: TokenizerRun, dataset: Studies, rejections: Rejections) -> CachedImages:
    """Open the images. The salience map is kept only where the loss uses it and the dataset has one."""
    size = config.training.model.image_size
    with_salience = bool(config.training.losses.salience_weight) and dataset.salience(0, size) is not None
    images = cached_images(dataset, size, config.cache_dir, with_salience)
    return CachedImages(images, list_rejected(images, dataset.name, rejections))


def _list_loss_networks(config: TokenizerRun) -> dict[str, str]:
    """List this run's, and those of the tokenizer that it began with."""
    begun = read_loss_networks(config.training.start_from) if config.training.start_from else {}
    return begun | (
        {fingerprint(config.loss_network.removeprefix("xrv:")): config.loss_network}
        if config.loss_network
        else {}
    )


def _load_loss_network(name: str) -> FeatureNetwork | None:
    if not name:
        return None
    spec = parse_spec(name, has_keys=False)
    if spec.kind != "xrv":
        from llmcxr.model.classifier import Classifier

        return Classifier.from_pretrained(name)
    try:
        return DenseNetFeatures.from_weights(spec.place)
    except UserError as error:
        raise UserError(f"loss_network {name!r}: {error}") from error
