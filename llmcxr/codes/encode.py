"""Encode a dataset's images into a CodeStore, once. Computed images come from the image cache, files are read
here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from llmcxr import images
from llmcxr.codes.image_cache import cached_images, read_rejected
from llmcxr.codes.store import CodeStore, Ranks, Rejected, tell_repeated
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, find_frontal
from llmcxr.data.read_ahead import read_ahead
from vqgan import VQGAN
from vqgan.training.augmentation import AugmentationConfig, augment

BATCH_IMAGES = 32

ReadItem = Callable[[int], "tuple[str, np.ndarray] | Rejected"]  # an image's id and its (size, size) pixels


@dataclass
class EncodingConfig:
    augmentations: int = 1  # codes of each image: the first of the image as it is, the others of changed ones
    augmentation: AugmentationConfig = field(
        default_factory=lambda: AugmentationConfig(shift=0.02, zoom=0.05, rotation=3.0, gamma=0.1)
    )

    def __post_init__(self) -> None:
        if self.augmentations < 1:
            raise ValueError(f"augmentations must be at least 1, got {self.augmentations}")


def find_ranks() -> Ranks:
    """Find the processes that `accelerate launch` started, or this one alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Ranks()
    from accelerate import PartialState

    # without cpu=True it joins no processes on a machine without a GPU: each would be the only one;
    # and a process waits for as long as the slowest part takes
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=7))
    if state.num_processes != int(os.environ["WORLD_SIZE"]):
        raise UserError(
            f"expected to be one of {os.environ['WORLD_SIZE']} processes, as WORLD_SIZE says, found "
            f"{state.num_processes}; start them with accelerate launch or torchrun"
        )
    return Ranks(state.process_index, state.num_processes, state.wait_for_everyone)


def encode_dataset(
    dataset: Dataset,
    image_tokenizer: VQGAN,
    path: str | Path,
    cache_dir: str | Path,
    config: EncodingConfig | None = None,
    ranks: Ranks | None = None,
    workers: int = 0,
) -> CodeStore:
    """Encode every study's first frontal radiograph; a whole store at `path` is opened.

    Images that cannot be read are left out and listed in the store's rejected.jsonl. Resumes where an
    interrupted call stopped. Each of several `ranks` (by default those of `accelerate launch`) encodes its
    part. `workers` threads read files while the network runs; 0 is one per usable core.
    """
    config, ranks = config or EncodingConfig(), ranks or find_ranks()
    part = ranks.part(len(dataset))
    _refuse_repeated_ids(dataset)

    def open_batches(start: int) -> Iterator[tuple[list[str | Rejected], Tensor]]:
        read = _choose_reader(dataset, image_tokenizer.config.image_size, cache_dir)
        indices = part[start:]
        return _batches(indices, read_ahead(read, indices, workers, 2 * BATCH_IMAGES), config)

    return CodeStore.build(
        path,
        image_tokenizer,
        open_batches,
        config.augmentations,
        len(part),
        dataset.name,
        ranks,
        dataset.rejections,
    )


def _refuse_repeated_ids(dataset: Dataset) -> None:
    """Raise UserError before hours of work; the store looks again when it is whole."""
    frontals = (find_frontal(dataset.identify(index)) for index in range(len(dataset)))
    ids = [radiograph.image_id for radiograph in frontals if radiograph is not None]
    if repeated := len(ids) - len(set(ids)):
        raise UserError(f"{dataset.name}: {tell_repeated(repeated, len(ids))}")


def _choose_reader(dataset: Dataset, size: int, cache_dir: str | Path) -> ReadItem:
    if not dataset.is_synthetic:
        return lambda index: _read_file(dataset, index, size)
    # the salience channel is not needed here; asking for it shares the file that tokenizer training made
    cached = cached_images(dataset, size, cache_dir, with_salience=True)
    rejected = read_rejected(cached)

    def read(index: int) -> tuple[str, np.ndarray] | Rejected:
        if index in rejected:
            return Rejected(f"study {index}", rejected[index])
        return _name(dataset, index, _read_cached(cached, index))

    return read


def _read_file(dataset: Dataset, index: int, size: int) -> tuple[str, np.ndarray] | Rejected:
    try:
        pixels = dataset.read(index, size)
        images.check_brightness(pixels)
        return _name(dataset, index, pixels)
    except UserError as error:
        return Rejected(f"study {index}", str(error))


def _name(dataset: Dataset, index: int, pixels: np.ndarray) -> tuple[str, np.ndarray] | Rejected:
    """Put the image id beside a study's pixels, which a source may give without knowing their radiograph."""
    frontal = find_frontal(dataset.identify(index))
    if frontal is None:
        return Rejected(f"study {index}", "expected a frontal radiograph, found none; skip it")
    return frontal.image_id, pixels


def _read_cached(cached: np.memmap, index: int) -> np.ndarray:
    """Read (size, size) float32 past the memory map, whose pages would count as our memory for good."""
    size = cached.shape[-1]
    offset = cached.offset + index * cached.strides[0]
    pixels = np.fromfile(cached.filename, np.uint8, size * size, offset=offset)
    return pixels.reshape(size, size).astype(np.float32) / 255


def _batches(
    indices: Sequence[int], items: Iterator[tuple[str, np.ndarray] | Rejected], config: EncodingConfig
) -> Iterator[tuple[list[str | Rejected], Tensor]]:
    """Yield batches of BATCH_IMAGES items, whose readable images are (B, augmentations, 1, size, size)."""
    done: list[str | Rejected] = []
    read: list[Tensor] = []
    for index, item in zip(indices, items, strict=True):
        if isinstance(item, Rejected):
            done.append(item)
        else:
            done.append(item[0])
            read.append(_augment(torch.from_numpy(np.ascontiguousarray(item[1])), index, config))
        if len(done) == BATCH_IMAGES or index == indices[-1]:
            yield done, torch.stack(read) if read else torch.zeros(0, config.augmentations, 1, 1, 1)
            done, read = [], []


def _augment(image: Tensor, index: int, config: EncodingConfig) -> Tensor:
    """Make (augmentations, 1, H, W) of (H, W): as it is, then changed by chance, alike for one study."""
    copies = image.expand(config.augmentations, 1, *image.shape)
    if config.augmentations == 1:
        return copies
    changed = augment(
        {"image": copies[1:].clone()}, config.augmentation, torch.Generator().manual_seed(index)
    )
    return torch.cat([copies[:1], changed["image"].clamp(0, 1)])
