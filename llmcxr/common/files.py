"""Write a file whole or not at all, as the image tokenizer does; where it fails, say why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vqgan import files
from vqgan.files import telling_read_failures, telling_write_failures

__all__ = ["check_writable", "replacing", "telling_read_failures", "telling_write_failures"]


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Do as `vqgan.files.replacing`, and raise UserError also where writing fails later."""
    advice = "free some space or choose another place"
    with telling_write_failures(path, advice), files.replacing(path) as beside:
        yield beside


def check_writable(path: str | os.PathLike) -> None:
    """Raise UserError where `replacing` could not write to `path`: to be asked before long work."""
    with suppress(_Rehearsed), replacing(path):
        raise _Rehearsed


class _Rehearsed(Exception):
    """Leaves `replacing` without a file."""
