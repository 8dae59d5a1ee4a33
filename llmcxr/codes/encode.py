"""Encode a dataset's images into a CodeStore, once. Computed images come from the image cache, files are read
here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from llmcxr import images
from llmcxr.codes.image_cache import cached_images, read_rejected
from llmcxr.codes.sources import Source, digest, find_checksum, list_sources
from llmcxr.codes.store import CodeStore, CodeStoreMetadata, Ranks, Rejected, rescue, tell_repeated
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, find_frontal
from llmcxr.data.read_ahead import read_ahead
from vqgan import VQGAN
from vqgan.processes import one_at_a_time
from vqgan.training.augmentation import AugmentationConfig, augment

BATCH_IMAGES = 32
KNOWN_AT_ONCE = 4096  # images whose known codes are in memory

logger = logging.getLogger(__name__)

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
    interrupted call stopped. Where the dataset has other images or files than a store at `path` was made of,
    that is said, and the store becomes one of the dataset as it is, with the codes that it has. A process
    that comes while another is at work waits. Each of several `ranks` (by default those of `accelerate
    launch`) encodes its part. `workers` threads read files while the network runs; 0 is one per usable core.
    """
    config, ranks, path = config or EncodingConfig(), ranks or find_ranks(), Path(path)
    sources = list_sources(dataset)
    _refuse_repeated_ids(dataset, sources)
    metadata = CodeStoreMetadata(
        image_tokenizer.fingerprint, image_tokenizer.config.grid, image_tokenizer.config.codebook_size,
        config.augmentations, dataset=dataset.name,
    )  # fmt: skip
    compared = _Comparison(dataset, sources)
    _check_place(path)
    if path.exists():
        store = CodeStore.open_same(path, metadata)
        if store.metadata.sources == digest(sources):
            return store
        if not os.access(path.parent, os.W_OK) and not compared.tell_changes(store):
            return store
    lock = one_at_a_time(path.with_name(f"{path.name}.lock"), path, waits=True)
    with lock if ranks.index == 0 else nullcontext():
        if ranks.index == 0:
            rescue(path, digest(sources))
        ranks.wait()  # until the first has the lock
        known = CodeStore.open_same(path, metadata) if path.exists() else None
        changes = compared.tell_changes(known) if known else ""
        if known and not changes:
            if ranks.index == 0:
                known.remember_sources(sources)
            return known
        if changes and ranks.index == 0:
            logger.warning("%s: %s changed since these codes were made: %s", path, dataset.name, changes)
        build = _Build(dataset, sources, image_tokenizer.config.image_size, cache_dir, config, workers)
        if known:
            build.reuse(known, compared.list_same(known))
        part = ranks.part(len(dataset))
        return CodeStore.build(
            path,
            image_tokenizer,
            lambda start: build.open_batches(part[start:]),
            config.augmentations,
            len(part),
            dataset.name,
            ranks,
            dataset.rejections,
            digest(sources),
        )


def _check_place(path: Path) -> None:
    """Take an empty folder as none. Raises UserError where `path` is something else than codes."""
    with suppress(OSError):  # not empty; or gone, to another process
        path.rmdir()
    if path.exists() and not (path / "metadata.json").is_file():
        raise UserError(
            f"{path}: expected codes of an earlier run, or no such name yet, found another "
            f"{'folder' if path.is_dir() else 'file'}; choose another name"
        )


def _refuse_repeated_ids(dataset: Dataset, sources: Sequence[Source]) -> None:
    """Raise UserError before hours of work; the store looks again when it is whole."""
    ids = [source.image_id for source in sources if source.image_id]
    if repeated := len(ids) - len(set(ids)):
        raise UserError(f"{dataset.name}: {tell_repeated(repeated, len(ids))}")


class _Comparison:
    """Compares the files of a dataset with those that a store was made of."""

    def __init__(self, dataset: Dataset, sources: Sequence[Source]) -> None:
        self.dataset = dataset
        self.now = {
            source.image_id: (index, source) for index, source in enumerate(sources) if source.image_id
        }
        self.checksums: dict[int, int] = {}

    def tell_changes(self, store: CodeStore) -> str:
        """Say how many images are new, changed or gone since the store was made; "" where none is."""
        before = store.image_ids
        num_new, gone = len(self.now.keys() - set(before)), len(set(before) - self.now.keys())
        if not store.metadata.sources and num_new <= len(store.rejected):  # of before digests were kept
            num_new = 0
        changed = len(before) - gone - len(self.list_same(store))
        if not (num_new or gone or changed):
            return ""
        return (
            f"{num_new} images are new or could not be read, {changed} changed, {gone} are gone; the codes "
            "of the others stay"
        )

    def list_same(self, store: CodeStore) -> dict[str, int]:
        """List the rows of the images that are as they were, by their ids."""
        files = [()] * len(store) if store.files is None else store.files.tolist()
        before = (Source(name, *file) for name, file in zip(store.image_ids, files, strict=True))
        return {source.image_id: row for row, source in enumerate(before) if self._is_same(source)}

    def _is_same(self, before: Source) -> bool:
        """Tell whether a file is as it was. One of another time is read: it may be a copy."""
        index, now = self.now.get(before.image_id, (-1, None))
        if now is None:
            return False
        if not before.modified or before[:3] == now[:3]:  # nothing is known of it, or nothing differs
            return True
        if before.size != now.size:
            return False
        if index not in self.checksums:
            self.checksums[index] = find_checksum(self.dataset, index)
        return self.checksums[index] == before.checksum


class _Build:
    """Gives the batches of a dataset: known codes where an image is as it was, else images to be encoded."""

    def __init__(
        self,
        dataset: Dataset,
        sources: Sequence[Source],
        size: int,
        cache_dir: str | Path,
        config: EncodingConfig,
        workers: int,
    ) -> None:
        self.dataset, self.sources, self.size = dataset, sources, size
        self.cache_dir, self.config, self.workers = cache_dir, config, workers
        self.indices = {source.image_id: index for index, source in enumerate(sources)}
        self.checksums: dict[int, int] = {}  # of the files that were read
        self.rows: dict[str, int] = {}

    def reuse(self, known: CodeStore, rows: dict[str, int]) -> None:
        """Take the codes of some images, whose rows in a store are given, from there."""
        self.known, self.rows = known, rows

    def open_batches(
        self, indices: Sequence[int]
    ) -> Iterator[tuple[list[Source | Rejected], Tensor | np.ndarray]]:
        """Yield batches of the studies `indices`, in their order."""
        read = None
        for is_known, run in groupby(indices, lambda index: self.sources[index].image_id in self.rows):
            run = list(run)
            if is_known:
                yield from self._known_batches(run)
                continue
            read = read or _choose_reader(self.dataset, self.size, self.cache_dir)
            items = read_ahead(partial(self._read, read), run, self.workers, 2 * BATCH_IMAGES)
            for batch, pixels in _batches(run, items, self.config):
                yield [self._describe(item) for item in batch], pixels

    def _read(self, read: ReadItem, index: int) -> tuple[str, np.ndarray] | Rejected:
        """Read an image, and the checksum of its file, which is in memory then."""
        item = read(index)
        if self.sources[index].modified:
            self.checksums[index] = find_checksum(self.dataset, index)
        return item

    def _known_batches(self, indices: Sequence[int]) -> Iterator[tuple[list[Source | Rejected], np.ndarray]]:
        for start in range(0, len(indices), KNOWN_AT_ONCE):
            sources = [self.sources[index] for index in indices[start : start + KNOWN_AT_ONCE]]
            rows = [self.rows[source.image_id] for source in sources]
            if self.known.files is not None:
                checksums = self.known.files[rows, 2].tolist()
                sources = [
                    one._replace(checksum=value) for one, value in zip(sources, checksums, strict=True)
                ]
            yield sources, self.known.read(rows)

    def _describe(self, item: str | Rejected) -> Source | Rejected:
        if isinstance(item, Rejected):
            return item
        index = self.indices[item]
        return self.sources[index]._replace(checksum=self.checksums.pop(index, 0))


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
