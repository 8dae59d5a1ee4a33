"""Say where each image of a dataset comes from, so that rows and files that changed are recognised."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import NamedTuple

from llmcxr.data import Dataset, find_frontal


class Source(NamedTuple):
    """Names the frontal radiograph of a study ("" where it has none), and its file as it is now."""

    image_id: str
    size: int = 0  # bytes of the file; 0 where the image is computed or the file not there
    modified: int = 0  # nanoseconds


def list_sources(dataset: Dataset) -> list[Source]:
    """List the source of each study. Opens no file."""
    return [_find_source(dataset, index) for index in range(len(dataset))]


def digest(sources: Iterable[Source]) -> str:
    """Return a name that changes with any id, its place, or its file."""
    hashed = hashlib.sha256()
    for source in sources:
        hashed.update(repr(tuple(source)).encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:16]


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
