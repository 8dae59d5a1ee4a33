"""Time ways of doing the same work against each other in one run. Knows nothing of what the work is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from llmcxr.pages.document import Table
from llmcxr.pages.result import Result

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    name: str
    ours: float  # images, or what else is counted, per second
    plain: float
    ratio: float  # median over the repeats
    spread: float  # of the ratio over the repeats, highest minus lowest
    roofline_share: float | None  # of the machine's measured peak that ours reaches


def seconds(work: Work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleave(works: Mapping[str, Work], repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each work in each repeat. Every work runs once before the clock does, and they
    take turns, so that a change of the machine's pace meets all of them.
    """
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def compare(
    name: str,
    ours: Sequence[float],
    plain: Sequence[float],
    num_ours: int,
    num_plain: int,
    flops: float | None = None,
    peak: float | None = None,
) -> Row:
    """Make a row of seconds per repeat for `num_ours` and `num_plain` images; `flops` are those of ours."""
    ratios = [(slow / num_plain) / (fast / num_ours) for fast, slow in zip(ours, plain, strict=True)]
    fast, slow = statistics.median(ours), statistics.median(plain)
    share = None if flops is None or peak is None else flops / fast / peak
    return Row(
        name, num_ours / fast, num_plain / slow, statistics.median(ratios), max(ratios) - min(ratios), share
    )


def measure(
    name: str,
    ours: Work,
    plain: Work,
    num_items: int,
    flops: float | None = None,
    peak: float | None = None,
    repeats: int = 5,
) -> Row:
    """Make a row of two ways of the same work on `num_items` items, timed in turn."""
    times = interleave({"ours": ours, "plain": plain}, repeats)
    return compare(name, times["ours"], times["plain"], num_items, num_items, flops, peak)


def count_flops(work: Work) -> int:
    """Count floating-point operations of the products and convolutions in it, a multiply-add counting two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def measure_peak(repeats: int = 5) -> float:
    """Measure floating-point operations per second of the faster of a large matrix product and a large
    convolution, at their best repeat: what the threads in use can reach.
    """
    matrix = torch.rand(1024, 1024)
    conv = nn.Conv2d(128, 128, 3, padding=1).to(memory_format=torch.channels_last)
    images = torch.rand(1, 128, 128, 128).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        works = {"product": lambda: matrix @ matrix, "convolution": lambda: conv(images)}
        times = interleave(works, repeats)
        return max(count_flops(works[name]) / min(times[name]) for name in works)


def to_result(rows: Sequence[Row], unit: str = "images/s", **about: object) -> Result:
    """Make a table of the rows in `unit`; its JSON has what else is known of the run too."""
    cells = [
        [
            row.name,
            *(f"{value:.2f}" for value in (row.ours, row.plain, row.ratio, row.spread)),
            "" if row.roofline_share is None else f"{row.roofline_share:.0%}",
        ]
        for row in rows
    ]
    table = Table([unit, "ours", "plain", "ratio", "spread", "roofline"], cells)
    return Result({**about, "rows": [asdict(row) for row in rows]}, [table])
