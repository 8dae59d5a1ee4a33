"""The bar that a training shows on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def training_bar(name: str, first: int, total: int, is_shown: bool) -> Iterator[Callable[..., None]]:
    """Yields a function of the step and, where there are new ones, of the figures to show."""
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
    settings = {"disable": not (is_shown and console.is_terminal)}
    settings |= {"redirect_stdout": False, "redirect_stderr": False}  # stdout is left to the results
    with bars.Progress(*columns, console=console, **settings) as bar:
        task = bar.add_task(name, completed=first, total=total, figures="")

        def show(step: int, figures: Mapping[str, float] | None = None) -> None:
            text = (
                {} if figures is None else {"figures": " ".join(f"{k} {v:.4g}" for k, v in figures.items())}
            )
            bar.update(task, completed=step, **text)

        yield show
