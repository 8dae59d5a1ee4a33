"""How fast phantoms are drawn: images per second on one core at 128 and 256 px.

    OMP_NUM_THREADS=1 python -m benchmarks.phantom

One thread, so that numpy's matrix products keep to that core.
"""

from __future__ import annotations

import time

from llmcxr.data.phantom import render, sample_case

NUM_IMAGES, NUM_REPEATS = 64, 3


def measure_speed(size: int) -> float:
    """Images per second of processor time, the best of some repeats: others may be using the machine."""
    cases = [sample_case(0, index) for index in range(NUM_IMAGES)]
    render(cases[:2], size)
    seconds = []
    for _ in range(NUM_REPEATS):
        start = time.process_time()
        render(cases, size)
        seconds.append(time.process_time() - start)
    return NUM_IMAGES / min(seconds)


if __name__ == "__main__":
    for size in (128, 256):
        print(f"{size} px: {measure_speed(size):.0f} images/s")
