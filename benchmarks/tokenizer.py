"""How fast the image tokenizer encodes, decodes and trains, and what reading stored codes saves.

    python -m benchmarks.tokenizer [--threads 1] [--json FILE]

Each row is the same work done our way and a plain way in this run: encoding and decoding in batches against
one image at a time, gradients in channels-last layout against the default one, and reading codes from a
CodeStore against encoding the images again. `roofline_share` is the arithmetic done per second over that of a
large matrix product on the same threads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from llmcxr.data.code_store import CodeStore
from vqgan import VQGAN, VQGANConfig

NUM_IMAGES = 64
REPEATS = 5


@dataclass(frozen=True)
class Row:
    name: str
    ours: float  # images per second
    plain: float
    ratio: float
    spread: float  # of the ratio over repeats, highest minus lowest
    roofline_share: float | None


def measure(
    name: str, ours: Callable[[], object], plain: Callable[[], object], peak: float | None = None
) -> Row:
    """Alternate both ways, so that a change of the machine's pace meets both."""
    ours(), plain()
    seconds = [(_seconds(ours), _seconds(plain)) for _ in range(REPEATS)]
    ratios = [slow / fast for fast, slow in seconds]
    fast = statistics.median(pair[0] for pair in seconds)
    slow = statistics.median(pair[1] for pair in seconds)
    share = None if peak is None else _count_flops(ours) / fast / peak
    return Row(
        name,
        NUM_IMAGES / fast,
        NUM_IMAGES / slow,
        statistics.median(ratios),
        max(ratios) - min(ratios),
        share,
    )


def _measure_peak() -> float:
    """Floating-point operations per second of a matrix product, the best of some."""
    matrix = torch.rand(1024, 1024)
    return 2 * 1024**3 / min(_seconds(lambda: matrix @ matrix) for _ in range(REPEATS))


def measure_all(config: VQGANConfig) -> list[Row]:
    torch.manual_seed(0)
    model = VQGAN(config).eval()
    images = torch.rand(NUM_IMAGES, 1, config.image_size, config.image_size)
    codes = model.encode(images)
    channels_last = VQGAN(config).to(memory_format=torch.channels_last)
    singly = images.split(1), codes.split(1)
    works = [
        (
            "encode: batch, one by one",
            lambda: model.encode(images),
            lambda: [model.encode(i) for i in singly[0]],
        ),
        (
            "decode: batch, one by one",
            lambda: model.decode(codes),
            lambda: [model.decode(c) for c in singly[1]],
        ),
        (
            "gradients: channels-last, default",
            lambda: _gradients(channels_last, images),
            lambda: _gradients(model, images),
        ),
    ]
    peak = _measure_peak()
    return [measure(*work, peak) for work in works] + [_measure_store(model, images)]


def _measure_store(model: VQGAN, images: Tensor) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        ids = [str(number) for number in range(len(images))]
        store = CodeStore.build(
            Path(folder) / "codes", model, lambda start: [(ids, images)] if start == 0 else []
        )
        return measure(
            "codes: stored, encoded again",
            lambda: store.read(range(len(images))),
            lambda: model.encode(images),
        )


def _gradients(model: VQGAN, images: Tensor) -> None:
    for batch in images.split(16):
        (model(batch).reconstruction - batch).abs().mean().backward()
        model.zero_grad()


def _count_flops(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = measure_all(VQGANConfig())
    print(f"{'images/s':36} {'ours':>10} {'plain':>10} {'ratio':>8} {'spread':>7} {'roofline':>9}")
    for row in rows:
        share = "" if row.roofline_share is None else f"{row.roofline_share:9.0%}"
        print(f"{row.name:36} {row.ours:10.1f} {row.plain:10.1f} {row.ratio:8.2f} {row.spread:7.2f} {share}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
