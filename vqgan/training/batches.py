"""Which images make up the batch of a step, from (seed, step) alone, so that a resumed run goes on with the
same data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

from vqgan.errors import UserError


@dataclass(frozen=True)
class StepBatches(Sampler[list[int]]):
    """The indices of the batches of steps first_step..last_step-1, for `DataLoader(batch_sampler=...)`.

    The dataset is shuffled anew on every pass; batches run on across the border of two passes. With several
    processes each takes its own slice of every batch.
    """

    num_images: int
    batch_size: int
    seed: int
    first_step: int
    last_step: int
    rank: int = 0
    num_processes: int = 1

    def __post_init__(self) -> None:
        if self.num_images < 1:
            raise UserError("the training dataset is empty")
        if self.batch_size % self.num_processes:
            raise UserError(
                f"batch_size {self.batch_size} cannot be split over {self.num_processes} processes"
            )

    def __len__(self) -> int:
        return self.last_step - self.first_step

    def __iter__(self) -> Iterator[list[int]]:
        shuffled: dict[int, np.ndarray] = {}
        for step in range(self.first_step, self.last_step):
            positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
            positions = positions[self.rank :: self.num_processes]
            passes = positions // self.num_images
            needed = set(passes.tolist())
            shuffled = {number: shuffled.get(number) for number in needed}
            for number in needed:
                if shuffled[number] is None:
                    generator = np.random.default_rng(np.random.SeedSequence((self.seed, number)))
                    shuffled[number] = generator.permutation(self.num_images)
            yield [int(shuffled[p][i]) for p, i in zip(passes, positions % self.num_images, strict=True)]
