"""Measure what streaming saves: features and the Fréchet distance of many images, against all of them in
memory.

    python -m benchmarks.frechet [--images 10000] [--size 256] [--threads 2] [--json FILE]

Both ways take the same generated images, the same network and half of the images for real, half for drawn.
Ours reads them in batches, keeps the features and uses `frechet_distance`; the plain way stacks all images
first and uses torchmetrics. Each runs in a process of its own, one after the other, so that its peak memory
is its own; seconds do not count importing torch and loading the network. CPU seconds, of all threads, say
what the work costs where other processes share the cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vqgan.json_text import to_json

BATCH = 64


def generate(n: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Draw two blurred lungs of random place and darkness with noise: as cheap as reading a small file."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    for _ in range(n):
        across, down, darkness = rng.uniform(0.35, 0.55), rng.uniform(-0.2, 0.2), rng.uniform(0.3, 0.6)
        columns = np.exp(-(((np.abs(axis) - across) / 0.25) ** 4))
        rows = np.exp(-(((axis - down) / 0.7) ** 4))
        grain = rng.random((size, size), dtype=np.float32)
        yield np.clip(0.8 - darkness * np.outer(rows, columns) + 0.1 * grain, 0, 1).astype(np.float32)


def measure_ours(n: int, size: int) -> dict:
    from llmcxr.metrics.images.features import extract, open_extractor
    from llmcxr.metrics.images.frechet import frechet_distance

    extractor = open_extractor("classifier")
    start, cpu = time.perf_counter(), time.process_time()
    real, drawn = (extract(extractor, generate(n // 2, size, seed), batch=BATCH) for seed in (0, 1))
    extracted = time.perf_counter()
    distance = frechet_distance(real, drawn)
    done = time.perf_counter()
    return {
        "seconds": done - start,
        "CPU seconds": time.process_time() - cpu,
        "distance seconds": done - extracted,
        "distance": distance,
    }


def measure_plain(n: int, size: int) -> dict:
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    from llmcxr.metrics.images.features import open_extractor

    extractor = open_extractor("classifier")

    class Net(torch.nn.Module):
        num_features = extractor.dimension

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(extractor(images[:, 0].float().numpy()))

    metric = FrechetInceptionDistance(Net(), normalize=True, input_img_size=(1, size, size))
    metric.set_dtype(torch.float64)
    start, cpu = time.perf_counter(), time.process_time()
    for seed, is_real in ((0, True), (1, False)):
        images = torch.from_numpy(np.stack(list(generate(n // 2, size, seed))))[:, None]
        for batch in images.split(BATCH):
            metric.update(batch, real=is_real)
    extracted = time.perf_counter()
    distance = float(metric.compute())
    done = time.perf_counter()
    return {
        "seconds": done - start,
        "CPU seconds": time.process_time() - cpu,
        "distance seconds": done - extracted,
        "distance": distance,
    }


WAYS = {"ours": measure_ours, "plain": measure_plain}


def run(way: str, arguments: argparse.Namespace) -> dict:
    """Run one way in a process of its own."""
    options = ("images", "size", "threads")
    numbers = [f"--{name}={getattr(arguments, name)}" for name in options]
    command = [sys.executable, __file__, f"--way={way}", *numbers]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=256, help="pixels of a side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    parser.add_argument("--way", choices=WAYS, help="measure one way in this process and print it as JSON")
    arguments = parser.parse_args()
    if arguments.way:
        import torch

        torch.set_num_threads(arguments.threads)
        row = WAYS[arguments.way](arguments.images, arguments.size)
        row["peak GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # Linux counts in KiB
        print(to_json(row | {"images/s": arguments.images / row["seconds"]}))
        return
    rows = {way: run(way, arguments) for way in WAYS}
    print(f"{arguments.images} images of {arguments.size} pixels, {arguments.threads} threads")
    print("".join(f"{name:>18}" for name in ("", *rows["ours"])))
    for way, row in rows.items():
        print(f"{way:>18}" + "".join(f"{value:18.4g}" for value in row.values()))
    if arguments.json:
        arguments.json.write_text(to_json({"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
