"""Say where each image of a dataset comes from, so that rows and files that changed are recognised."""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from llmcxr.data import Dataset, find_frontal

BLOCK = 1 << 20  # bytes


class Source(NamedTuple):
    """Names the frontal radiograph of a study ("" where it has none), and its file as it is now."""

    image_id: str
    size: int = 0  # bytes of the file; 0 where the image is computed or the file not there
    modified: int = 0  # nanoseconds
    checksum: int = 0  # CRC-32 of the file, where it was read


def list_sources(dataset: Dataset) -> list[Source]:
    """List the source of each study. Opens no file."""
    return [_find_source(dataset, index) for index in range(len(dataset))]


def digest(sources: Iterable[Source]) -> str:
    """Return a name that changes with any id, its place, or the size or time of its file."""
    hashed = hashlib.sha256()
    for source in sources:
        hashed.update(repr(source[:3]).encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:16]


def find_newest(sources: Iterable[Source]) -> int:
    """Return the time (ns) of the latest file; clocks that are wrong may have put some into the future."""
    now = time.time_ns()
    return max((source.modified for source in sources if source.modified <= now), default=0)


def find_checksum(dataset: Dataset, index: int) -> int:
    """Return the CRC-32 of the file of a study's frontal radiograph; 0 where there is none."""
    radiograph = find_frontal(dataset.identify(index))
    checksum = 0
    if radiograph is not None and radiograph.path:
        with suppress(OSError, ValueError), open(radiograph.path, "rb") as file:
            while block := file.read(BLOCK):
                checksum = zlib.crc32(block, checksum)
    return checksum


def _find_source(dataset: Dataset, index: int) -> Source:
    radiograph = find_frontal(dataset.identify(index))
    if radiograph is None:
        return Source("")
    if not radiograph.path:
        return Source(radiograph.image_id)
    try:
        status = os.stat(radiograph.path)
    except (OSError, ValueError):
        return Source(radiograph.image_id)
    return Source(radiograph.image_id, status.st_size, status.st_mtime_ns)
