"""Say what changed in a run's datasets since it began: rows that are new, gone or other. Knows no model.

The run directory holds a hash of each study's id and one of its content, and none of the words themselves.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from llmcxr.codes.sources import list_sources
from llmcxr.common.files import replacing
from llmcxr.data import Dataset
from vqgan.training.run_directory import RunDirectory

FILE = "studies.npz"  # in a run directory
logger = logging.getLogger(__name__)


def tell_changes(run_dir: Path, datasets: Mapping[str, Dataset]) -> bool:
    """Warn where a dataset holds other studies than when the run began, and remember what it holds now.

    Computed datasets are what their names say, and are not looked at. Returns whether there is a run to be
    resumed.
    """
    is_resumed = RunDirectory(run_dir).last_step() is not None
    now = {name: _hash(dataset) for name, dataset in datasets.items() if not dataset.is_synthetic}
    before = _read(run_dir / FILE) if is_resumed else {}
    for name in now.keys() & before.keys():
        if told := _describe(before[name], now[name]):
            logger.warning(
                "%s: %s %s changed since this run began (%s): it goes on with what is there now; for a run "
                "of one table alone choose another run_dir", run_dir, name, datasets[name].name, told,
            )  # fmt: skip
    if now:
        with replacing(run_dir / FILE) as beside, beside.open("wb") as file:
            np.savez(file, **now)
    return is_resumed


def _read(file: Path) -> dict[str, np.ndarray]:
    """Read what `tell_changes` remembered; {} of a run of before, or where the file is damaged."""
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return {}


def _hash(dataset: Dataset) -> np.ndarray:
    """Return (2, N) uint64: of each study the hash of its id, and of all that is in its rows and its file."""
    ids, contents = [], []
    for index, source in enumerate(list_sources(dataset)):
        study = dataset.identify(index)
        shown = [replace(radiograph, path="") for radiograph in study.radiographs]
        ids.append(_digest(study.study_id))
        content = (shown, study.report, study.labels, study.questions, study.split, source)
        contents.append(_digest(repr(content)))
    return np.array([ids, contents], np.uint64)


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _describe(before: np.ndarray, now: np.ndarray) -> str:
    """Count what differs; "" where nothing does."""
    old, new = (dict(zip(*studies.tolist(), strict=True)) for studies in (before, now))
    counts = {
        "new": len(new.keys() - old.keys()),
        "gone": len(old.keys() - new.keys()),
        "changed": sum(old[study] != new[study] for study in old.keys() & new.keys()),
    }
    if not any(counts.values()):
        return ""
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{before.shape[1]} studies then, {now.shape[1]} now: {told}"
