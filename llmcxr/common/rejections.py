"""Continue past a bad input, record why, and say so at the end. Knows nothing of what the work is."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing
from llmcxr.common.guard import Kind
from vqgan.json_text import to_json

logger = logging.getLogger(__name__)


def _recognise(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        return all(_is_entry(json.loads(line)) for line in iter(lambda: file.readline(LONGEST_LINE), ""))


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and {"name", "reason"} == set(entry)


LONGEST_LINE = 1_000_000  # characters: a file of one endless line is another's
REJECTIONS = Kind("a list of rejections", _recognise)


class Rejections(Sequence[tuple[str, str]]):
    """Collects the inputs that had to be left out: a sequence of (name, reason), also as `entries`.

    As a context manager it writes them to `path` as JSON lines (`{"name": ..., "reason": ...}`) on leaving,
    also when the work is interrupted, and logs the count; with none, no earlier list is left at `path`.
    Raises UserError where there is another file.

        with Rejections(run_dir / "rejected.jsonl") as rejections:
            for name in names:
                with rejections.skip(name):
                    ...
    """

    def __init__(self, path: str | os.PathLike | None = None, entries: Iterable[tuple[str, str]] = ()):
        self.path = None if path is None else Path(path)
        if self.path is not None and not REJECTIONS.has(self.path):
            raise UserError(
                f"{path}: expected {REJECTIONS.words}, or no file yet, found another file; move it"
            )
        self.entries: list[tuple[str, str]] = list(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> tuple[str, str]:
        return self.entries[index]

    def __enter__(self) -> Rejections:
        return self

    def __exit__(self, *exception: object) -> None:
        self.write()

    def add(self, name: str, reason: str) -> None:
        self.entries.append((name, reason))

    @contextmanager
    def skip(self, name: str) -> Iterator[None]:
        """Turn a UserError of the enclosed work on `name` into an entry."""
        try:
            yield
        except UserError as error:
            self.add(name, str(error))

    def write(self) -> None:
        """Write the entries to `path` (where there is one) and log how many there are."""
        if self.path is not None and self.path.is_file() and self.path.stat().st_size:
            self.path.unlink()
        if not self.entries:
            return
        if self.path is not None:
            with replacing(self.path) as beside, beside.open("w", encoding="utf-8") as file:
                for name, reason in self.entries:
                    file.write(to_json({"name": name, "reason": reason}) + "\n")
        where = f"; see {self.path.name}" if self.path is not None else f"; the first: {self.entries[0][1]}"
        logger.warning("left out %d that could not be read%s", len(self.entries), where)
