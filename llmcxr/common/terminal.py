"""Write messages and progress bars to stderr. stdout is left to the results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STDOUT = Path("-")  # as the name of a file to write


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress(what: str, total: int | None, is_shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, where that is a terminal; yields a function that advances it by a count."""
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.SpinnerColumn(),
        bars.TextColumn(what),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    settings = {
        "disable": not (is_shown and console.is_terminal),
        "transient": True,
        # rich would send what is printed to stdout to its own console, also where stdout is a file
        "redirect_stdout": False,
        "redirect_stderr": False,
    }
    with bars.Progress(*columns, console=console, **settings) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
