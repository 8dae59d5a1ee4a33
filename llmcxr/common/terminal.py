"""Write messages and progress bars to stderr. stdout is left to the results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vqgan.bar import open_bar

STDOUT = Path("-")  # as the name of a file to write


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str, total: int | None, is_shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, where that is a terminal; yields a function that advances it by a count."""
    with open_bar(what, total, is_shown, is_transient=True) as update:
        yield lambda count: update(advance=count)
