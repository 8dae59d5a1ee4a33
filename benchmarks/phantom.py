"""Measure how fast phantoms are drawn, in images per second on one core at 128 and 256 px, and show them.

    OMP_NUM_THREADS=1 python -m benchmarks.phantom
    python -m benchmarks.phantom --sheet sheet.png --beside nih:DIR,split=validate

One thread, so that numpy's matrix products keep to that core. With --sheet nothing is timed: a contact sheet
is written, phantoms of the full variation, below them of the default one, below them those of --beside.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from llmcxr import images
from llmcxr.data import open_dataset
from llmcxr.data.phantom import render, sample_case

NUM_IMAGES, NUM_REPEATS = 64, 3
NUM_COLUMNS, SHEET_SIZE = 8, 256  # pictures in a row of the sheet, px a side


def measure_speed(size: int) -> float:
    """Return images per second of processor time, the best of some repeats: others may use the machine."""
    cases = [sample_case(0, index) for index in range(NUM_IMAGES)]
    render(cases[:2], size)
    seconds = []
    for _ in range(NUM_REPEATS):
        start = time.process_time()
        render(cases, size)
        seconds.append(time.process_time() - start)
    return NUM_IMAGES / min(seconds)


def draw_sheet(beside: str | None, size: int = SHEET_SIZE) -> np.ndarray:
    """Draw (rows * size, NUM_COLUMNS * size) in [0, 1]: two rows of phantoms, and one of the first images of
    a dataset, letterboxed.
    """
    names = [
        f"phantom:n={NUM_COLUMNS},variation=1",
        f"phantom:n={NUM_COLUMNS}",
        *([beside] if beside else []),
    ]
    rows = []
    for dataset in map(open_dataset, names):
        pictures = [dataset.read(index, size) for index in range(min(NUM_COLUMNS, len(dataset)))]
        empty = [np.zeros((size, size), np.float32)] * (NUM_COLUMNS - len(pictures))
        rows.append(np.concatenate(pictures + empty, axis=1))
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet, a PNG")
    parser.add_argument("--beside", metavar="DATASET", help="real radiographs on it: KIND:PATH,key=value...")
    options = parser.parse_args()
    if options.sheet:
        print(images.write_png(options.sheet, draw_sheet(options.beside)))
        return
    for size in (128, 256):
        print(f"{size} px: {measure_speed(size):.0f} images/s")


if __name__ == "__main__":
    main()
