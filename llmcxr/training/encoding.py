"""Encode a dataset's images into a CodeStore, once. Computed images come from the image cache, files are read
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from llmcxr.data import Dataset, Rejections, find_frontal, open_dataset
from llmcxr.data.code_store import CodeStore
from llmcxr.training.image_cache import cached_images
from vqgan import VQGAN
from vqgan.augmentation import AugmentationConfig, augment

BATCH_IMAGES = 32


@dataclass
class EncodingConfig:
    codings: int = (
        1  # of each image of a file; the first is of the image as it is, the others of changed ones
    )
    augmentation: AugmentationConfig = field(
        default_factory=lambda: AugmentationConfig(shift=0.02, zoom=0.05, rotation=3.0, gamma=0.1)
    )

    def __post_init__(self) -> None:
        if self.codings < 1:
            raise ValueError(f"codings must be at least 1, got {self.codings}")


def encode_dataset(
    name: str,
    image_tokenizer: VQGAN,
    path: str | Path,
    cache_dir: str | Path,
    config: EncodingConfig | None = None,
) -> CodeStore:
    """The codes of every study's first frontal radiograph, by image id; a whole store at `path` is opened.

    name: a dataset's opening string. Images that cannot be read are left out and listed in rejected.jsonl
    beside the store. Goes on where an interrupted call stopped.
    """
    path = Path(path)
    if path.exists():
        return CodeStore.open(path, image_tokenizer.fingerprint)
    dataset = open_dataset(name)
    if name.startswith("phantom:"):
        # the salience channel is not needed here; asking for it shares the file that tokenizer training made
        pixels = cached_images(name, image_tokenizer.config.image_size, cache_dir, with_salience=True)
        return CodeStore.build(
            path,
            image_tokenizer,
            lambda start: _cached_batches(dataset, pixels, start),
            num_images=len(dataset),
        )
    size, config = image_tokenizer.config.image_size, config or EncodingConfig()
    with Rejections(path.with_name("rejected.jsonl")) as rejections:
        return CodeStore.build(
            path,
            image_tokenizer,
            lambda start: _file_batches(dataset, size, start, rejections, config),
            augmentations=config.codings,
            num_images=len(dataset),
        )


def _cached_batches(dataset: Dataset, pixels: np.ndarray, start: int) -> Iterator[tuple[list[str], Tensor]]:
    for first in range(start, len(dataset), BATCH_IMAGES):
        indices = range(first, min(first + BATCH_IMAGES, len(dataset)))
        images = torch.from_numpy(pixels[indices.start : indices.stop, :1].astype(np.float32) / 255)
        yield [find_frontal(dataset[i]).image_id for i in indices], images


def _file_batches(
    dataset: Dataset, size: int, start: int, rejections: Rejections, config: EncodingConfig
) -> Iterator[tuple[list[str], Tensor]]:
    """Batches from the `start`-th readable image on."""
    ids, images, num_read = [], [], 0
    for index in range(len(dataset)):
        image = None
        with rejections.skip(f"study {index}"):
            image = dataset.read(index, size)
        if image is None:
            continue
        num_read += 1
        if num_read <= start:
            continue
        ids.append(find_frontal(dataset[index]).image_id)
        images.append(_codings(torch.from_numpy(np.ascontiguousarray(image)), num_read, config))
        if len(ids) == BATCH_IMAGES:
            yield ids, torch.stack(images)
            ids, images = [], []
    if ids:
        yield ids, torch.stack(images)


def _codings(image: Tensor, number: int, config: EncodingConfig) -> Tensor:
    """(H, W) -> (codings, 1, H, W): as it is, then changed by chance, the same for the same number."""
    copies = image.expand(config.codings, 1, *image.shape)
    if config.codings == 1:
        return copies
    changed = augment(
        {"image": copies[1:].clone()}, config.augmentation, torch.Generator().manual_seed(number)
    )
    return torch.cat([copies[:1], changed["image"].clamp(0, 1)])
