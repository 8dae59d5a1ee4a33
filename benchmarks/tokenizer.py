"""Measure how fast the image tokenizer encodes, decodes and trains, and what reading stored codes saves.

    python -m benchmarks.tokenizer [--threads 1] [--json FILE]

Each row is the same work done our way and a plain way in this run: encoding and decoding in batches against
one image at a time, gradients in channels-last layout against the default one, and reading codes from a
CodeStore against encoding the images again. `roofline_share` is the arithmetic done per second over that of a
large matrix product on the same threads.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.timing import Row, count_flops, measure, measure_peak, to_result
from llmcxr.codes.store import CodeStore
from llmcxr.pages.result import deliver
from vqgan import VQGAN, VQGANConfig

NUM_IMAGES = 64


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
    peak = measure_peak()
    rows = [measure(name, ours, plain, NUM_IMAGES, count_flops(ours), peak) for name, ours, plain in works]
    return [*rows, _measure_store(model, images)]


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
            NUM_IMAGES,
        )


def _gradients(model: VQGAN, images: Tensor) -> None:
    for batch in images.split(16):
        (model(batch).reconstruction - batch).abs().mean().backward()
        model.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    deliver("Image tokenizer", to_result(measure_all(VQGANConfig())), arguments.json)


if __name__ == "__main__":
    main()
