"""Compute a dataset's images once, by parallel processes, into one memory-mapped file of bytes.

Shared by every training that reads pixels again and again. Knows no models, labels or texts. The files can
be deleted at any time: they are made again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmcxr import images
from llmcxr.codes import sources
from llmcxr.common.errors import UserError
from llmcxr.common.files import check_writable
from llmcxr.common.terminal import progress
from vqgan.json_text import to_json
from vqgan.processes import end_with_parent, one_at_a_time

if TYPE_CHECKING:
    from llmcxr.data import Dataset, Rejections

CHUNK_IMAGES = 64  # one unit of work; also the unit that an interruption can lose
PROBE_IMAGES = 12  # images read to recognise a changed generator or changed files


def cached_images(
    dataset: Dataset,
    size: int,
    cache_dir: str | Path,
    with_salience: bool = False,
    processes: int | None = None,
) -> np.memmap:
    """Return all images of a dataset, letterboxed to `size` x `size`.

    Returns a read-only (N, C, size, size) uint8 memory map, 0..255 for 0..1: channel 0 the image, channel 1
    (only `with_salience`) the weight map of its small findings, zero where the dataset knows none. An image
    that cannot be read is black and one of `read_rejected`, until the files here are deleted. An interrupted
    call resumes where it stopped; two calls at a time share the work of one. `processes` defaults to the
    usable cores; 1 computes in this process.
    """
    shape = (len(dataset), 2 if with_salience else 1, size, size)
    path = Path(cache_dir) / f"{_cache_key(dataset, shape)}.npy"
    newest = 0 if dataset.is_synthetic else sources.find_newest(sources.list_sources(dataset))
    if not _is_whole(path, shape, newest):
        check_writable(path)
        with one_at_a_time(path.with_suffix(".lock"), path, waits=True):
            if not _is_whole(path, shape, newest):
                _build(path, dataset, shape, processes or len(os.sched_getaffinity(0)))
    return np.load(path, mmap_mode="r")


def _is_whole(path: Path, shape: tuple[int, ...], newest: int) -> bool:
    """Tell whether the file is there, and later than the `newest` image (ns); else it is made again, as one
    is that was cut short.
    """
    try:
        return path.stat().st_mtime_ns > newest and np.load(path, mmap_mode="r").shape == shape
    except (OSError, ValueError, EOFError):
        return False


def read_rejected(images: np.memmap) -> dict[int, str]:
    """Return the indices of the images that could not be read, with the reasons."""
    path = _rejected_file(Path(images.filename))
    if not path.exists():
        return {}
    entries = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {entry["index"]: entry["reason"] for entry in entries}


def list_rejected(images: np.memmap, name: str, rejections: Rejections) -> list[int]:
    """Return the indices of `read_rejected` of the dataset `name`, each added to `rejections` with its
    reason.

    Raises UserError where no image could be read.
    """
    rejected = read_rejected(images)
    if rejected and len(rejected) == len(images):
        raise UserError(
            f"{name}: expected images to train on, found none of {len(images)} that can be read; "
            f"the first: {rejected[0]}"
        )
    for index, reason in sorted(rejected.items()):
        rejections.add(f"{name}: study {index}", reason)
    return list(rejected)


def _rejected_file(path: Path) -> Path:
    return path.with_suffix(".rejected.jsonl")


def _cache_key(dataset: Dataset, shape: tuple[int, ...]) -> str:
    """Return a name that changes with the dataset's name, the shape, the ids of its images and the sizes of
    their files, and some of the pixels.
    """
    digest = hashlib.sha256(repr((dataset.name, shape)).encode())
    if not dataset.is_synthetic:
        files = (source._replace(modified=0) for source in sources.list_sources(dataset))
        digest.update(sources.digest(files).encode())
    indices = np.unique(np.linspace(0, shape[0] - 1, PROBE_IMAGES).astype(int))
    digest.update(_read_bytes(dataset, indices.tolist(), shape)[0].tobytes())
    return f"{dataset.name.partition(':')[0]}-{shape[0]}x{shape[-1]}-{digest.hexdigest()[:16]}"


def _build(path: Path, dataset: Dataset, shape: tuple[int, ...], processes: int) -> None:
    started = time.time_ns()
    partial, done_path = path.with_suffix(".partial"), path.with_suffix(".done")
    num_chunks = -(-shape[0] // CHUNK_IMAGES)
    if not (partial.exists() and done_path.exists() and done_path.stat().st_size == num_chunks):
        _take_room(partial, shape)
        _rejected_file(path).unlink(missing_ok=True)
        done_path.write_bytes(bytes(num_chunks))
    done = np.memmap(done_path, dtype=np.uint8, mode="r+", shape=(num_chunks,))
    missing = np.flatnonzero(done == 0).tolist()
    chunks = _filled_chunks(partial, dataset, shape, missing, processes)
    with progress(f"images ({CHUNK_IMAGES} a step)", len(missing), is_shown=len(missing) > 1) as advance:
        for chunk, rejected in chunks:
            if rejected:  # before the chunk counts as done, so that none is lost; twice does no harm
                with _rejected_file(path).open("a", encoding="utf-8") as file:
                    for index, reason in rejected.items():
                        file.write(to_json({"index": index, "reason": reason}) + "\n")
            done[chunk] = 1
            done.flush()
            advance(1)
    os.utime(partial, ns=(started, started))  # an image that changed since then is to be read again
    partial.rename(path)
    done_path.unlink()


def _take_room(partial: Path, shape: tuple[int, ...]) -> None:
    """Make an empty file of images with all its blocks: a disk found full when a page of a memory map is
    written ends the process with a bus error. Raises UserError where there is no room.
    """
    try:
        np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape).flush()
        with partial.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, partial.stat().st_size)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(
            f"{partial.parent}: expected room for {math.prod(shape) / 1e6:.0f} MB of computed images, found: "
            f"{error.strerror}; free some space or choose another cache_dir"
        ) from error


def _filled_chunks(
    partial: Path, dataset: Dataset, shape: tuple[int, ...], chunks: list[int], processes: int
) -> Iterator[tuple[int, dict[int, str]]]:
    """Fill the chunks in any order, yielding the number of each and what could not be read of it when its
    pixels are in the file.
    """
    if processes == 1 or len(chunks) < 2:
        for chunk in chunks:
            yield _fill_chunk(dataset, partial, shape, chunk)
        return
    workers, context = min(processes, len(chunks)), get_context("spawn")
    with ProcessPoolExecutor(workers, context, _receive, (dataset, os.getpid())) as pool:
        work = [pool.submit(_fill_chunk_of_received, partial, shape, chunk) for chunk in chunks]
        for finished in as_completed(work):
            yield finished.result()


_received: list[Dataset] = []  # of a worker process: its dataset, sent once and not with every chunk


def _receive(dataset: Dataset, parent: int) -> None:
    end_with_parent(parent)
    _received.append(dataset)


def _fill_chunk_of_received(partial: Path, shape: tuple[int, ...], chunk: int) -> tuple[int, dict[int, str]]:
    return _fill_chunk(_received[0], partial, shape, chunk)


def _fill_chunk(
    dataset: Dataset, partial: Path, shape: tuple[int, ...], chunk: int
) -> tuple[int, dict[int, str]]:
    start, stop = chunk * CHUNK_IMAGES, min((chunk + 1) * CHUNK_IMAGES, shape[0])
    images = np.load(partial, mmap_mode="r+")
    images[start:stop], rejected = _read_bytes(dataset, range(start, stop), shape)
    images.flush()
    return chunk, rejected


def _read_bytes(
    dataset: Dataset, indices: Sequence[int], shape: tuple[int, ...]
) -> tuple[np.ndarray, dict[int, str]]:
    """Read (n, C, size, size) uint8, and the reason for each index that could not be read."""
    size, rejected = shape[-1], {}
    pixels = np.zeros((len(indices), *shape[1:]), np.float32)
    try:
        pixels[:, 0] = dataset.read_many(indices, size)
        images.check_brightness(pixels)
    except UserError:  # one by one, to know which
        pixels[:] = 0
        for image, index in zip(pixels, indices, strict=True):
            try:
                read = dataset.read(index, size)
                images.check_brightness(read)
                image[0] = read
            except UserError as error:
                rejected[index] = str(error)
    if shape[1] == 2:
        for image, index in zip(pixels, indices, strict=True):
            if (weights := dataset.salience(index, size)) is not None:
                image[1] = weights
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8), rejected
