"""Measure how much memory `llmcxr encode` holds while it encodes phantoms, which it computes on the way.

    OMP_NUM_THREADS=1 taskset -c 0 python -m benchmarks.encoding_memory [--images 100000] [--size 64]

At a small size, so that 100,000 are drawn in some 16 minutes of one idle core, by a tokenizer with random
weights: what is held depends on neither. Prints the peak of each tenth of the time, MB, of the command and
the processes that it starts, pages that they share counted once: first drawing and encoding, then encoding
what is drawn. A command that held what it has done would climb. Needs Linux.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from llmcxr.codes.store import CodeStore
from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig

SECONDS_BETWEEN = 0.25
DATASET = "phantom:n={},seed=0"


def run_and_watch(command: Sequence[str]) -> list[float]:
    """Run it to its end -> the megabytes that it held, every SECONDS_BETWEEN."""
    held = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            held.append(sum(map(_megabytes, _family(process.pid))))
            time.sleep(SECONDS_BETWEEN)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return held


def _family(process: int) -> list[int]:
    """List the process and all that it started."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended meanwhile
        return []
    return [process, *(member for child in children for member in _family(child))]


def _megabytes(process: int) -> float:
    """Return its proportional share of the memory, of which shared pages count once over all processes."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def peaks_of_tenths(held: Sequence[float]) -> list[float]:
    parts = [held[len(held) * tenth // 10 : len(held) * (tenth + 1) // 10] for tenth in range(10)]
    return [max(part, default=0.0) for part in parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    narrow = CXRConfig(stem_channels=8, grid_channels=8, grid_blocks=1)
    config = VQGANConfig(image_size=arguments.size, cxr=narrow)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        VQGAN(config).save_pretrained(place / "tokenizer")
        for work in ("drawing and encoding", "encoding"):
            command = [sys.executable, "-m", "llmcxr", "encode", DATASET.format(arguments.images)]
            command += [str(place / "tokenizer"), str(place / work), "--cache-dir", str(place / "cache")]
            started = time.monotonic()
            held = run_and_watch(command)
            minutes = (time.monotonic() - started) / 60
            num_images = len(CodeStore.open(place / work))
            print(f"{work} {num_images} phantoms of {arguments.size} px: {minutes:.1f} min")
            print("  peak of each tenth, MB: " + " ".join(f"{peak:.0f}" for peak in peaks_of_tenths(held)))


if __name__ == "__main__":
    main()
