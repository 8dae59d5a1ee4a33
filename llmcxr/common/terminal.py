"""Write messages and progress bars to stderr. stdout is left to the results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from vqgan.bar import open_bar

STDOUT = Path("-")  # as the name of a file to write


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str, total: int | None, is_shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, where that is a terminal; yields a function that advances it by a count."""
    with open_bar(what, total, is_shown, is_transient=True) as update:
        yield lambda count: update(advance=count)


class StdoutError(BaseException):
    """Says why stdout takes no more; no command answers it, so that the door does."""


class CheckedStdout:
    """Stands for stdout, and raises StdoutError where it is full or closed: other files raise OSError."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with _telling():
            return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        with _telling():
            self._stream.writelines(lines)

    def flush(self) -> None:
        with _telling():
            self._stream.flush()


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StdoutError(error.strerror or type(error).__name__) from error


def drop_stdout() -> None:
    """Let what waits for a stdout that takes no more go nowhere, so that the end of Python meets no error."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
