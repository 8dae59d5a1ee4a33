"""Measure the cardiothoracic ratio of phantoms by geometry and compare it with the truth.

    python benchmarks/measure_ratio.py --seed 79 --n 250

Prints r and mean error without and with effusions, how many are not assessable and why, the line that would
correct the raw ratio best (SLOPE and OFFSET come from seed 78), and the milliseconds per image.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from llmcxr.data.phantom import PhantomDataset
from llmcxr.measure import measure_cardiothoracic_ratio
from llmcxr.metrics.scores import agreement


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=250)
    arguments = parser.parse_args()
    dataset = PhantomDataset(arguments.n, arguments.seed)
    images = [dataset.read(index, 128) for index in range(arguments.n)]
    cases = [dataset.case(index) for index in range(arguments.n)]
    started = time.process_time()
    measured = [measure_cardiothoracic_ratio(image) for image in images]
    milliseconds = (time.process_time() - started) / arguments.n * 1000
    true = np.array([case.cardiothoracic_ratio for case in cases])
    fluid = np.array([case.find("pleural effusion") is not None for case in cases])
    for name, rows in (("without effusion", ~fluid), ("with effusion", fluid), ("all", fluid | ~fluid)):
        score = agreement(
            true[rows].tolist(), [m.ratio for m, row in zip(measured, rows, strict=True) if row]
        )
        print(f"{name}: r {score['r']:.3f}, mean error {score['mae']:.4f}, assessed {score['known']:.3f}")
    raw = [m.heart_width / m.thorax_width for m in measured]
    slope, offset = np.polyfit(np.array(raw)[~fluid], true[~fluid], 1)
    print(f"best line without effusion: {slope:.3f} * raw + {offset:.3f}")
    print(dict(Counter(m.reason for m in measured if m.reason)))
    print(f"{milliseconds:.1f} ms per image (one core)")


if __name__ == "__main__":
    main()
