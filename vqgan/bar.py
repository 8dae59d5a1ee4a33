"""Show the one progress bar, on stderr where that is a terminal. Knows nothing of the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial


@contextmanager
def open_bar(
    name: str, total: int | None, is_shown: bool = True, is_transient: bool = False
) -> Iterator[Callable[..., None]]:
    """Yield a function that moves the bar: `completed` in all or `advance` by, and `figures`, a text to show.

    A bar that is transient is gone when the work is done.
    """
    from rich import progress as bars
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        bars.TextColumn(name),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[figures]}"),
    )
    settings = {"disable": not (is_shown and console.is_terminal), "transient": is_transient}
    # what is printed meanwhile goes above the bar: through rich, to stderr, so not where stdout is a file
    settings |= dict.fromkeys(("redirect_stdout", "redirect_stderr"), sys.stdout.isatty())
    with bars.Progress(*columns, console=console, **settings) as bar:
        yield partial(bar.update, bar.add_task(name, total=total, figures=""))
