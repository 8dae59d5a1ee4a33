"""Time one piece of work done our way and a plain way in one run. Knows no models."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

REPEATS = 5


@dataclass(frozen=True)
class Row:
    """`ours` and `plain` are items per second, `ratio` and `spread` of ours over plain."""

    name: str
    ours: float
    plain: float
    ratio: float  # median over repeats
    spread: float  # of the ratio over repeats, highest minus lowest
    roofline_share: float | None  # arithmetic per second over that of a large matrix product


def measure(
    name: str,
    ours: Callable[[], object],
    plain: Callable[[], object],
    num_items: int,
    flops: float | None = None,
    repeats: int = REPEATS,
) -> Row:
    """Alternate both ways, so that a change of the machine's pace meets both; `flops` are those of `ours`."""
    ours(), plain()
    taken = [(seconds(ours), seconds(plain)) for _ in range(repeats)]
    ratios = [slow / fast for fast, slow in taken]
    fast = statistics.median(pair[0] for pair in taken)
    slow = statistics.median(pair[1] for pair in taken)
    share = None if flops is None else flops / fast / measure_peak()
    return Row(
        name,
        num_items / fast,
        num_items / slow,
        statistics.median(ratios),
        max(ratios) - min(ratios),
        share,
    )


def measure_peak() -> float:
    """Floating-point operations per second of a matrix product on torch's threads, the best of some."""
    matrix = torch.rand(1024, 1024)
    return 2 * 1024**3 / min(seconds(lambda: matrix @ matrix) for _ in range(REPEATS))


def count_flops(work: Callable[[], object]) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(rows: Sequence[Row], unit: str) -> str:
    """The rows as plain text; `unit` names what `ours` and `plain` count, such as images/s."""
    lines = [f"{unit:52} {'ours':>10} {'plain':>10} {'ratio':>8} {'spread':>7} {'roofline':>9}"]
    for row in rows:
        share = "" if row.roofline_share is None else f"{row.roofline_share:9.0%}"
        lines.append(
            f"{row.name:52} {row.ours:10.2f} {row.plain:10.2f} {row.ratio:8.2f} {row.spread:7.2f} {share}"
        )
    return "\n".join(lines)


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """{"rows": [...]} as JSON."""
    path.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2) + "\n")
