"""Choose the images of a step's batch from (seed, step) alone, so that a resumed run reads the same data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

from vqgan.errors import UserError


@dataclass(frozen=True)
class StepBatches(Sampler[list[int]]):
    """Gives the indices of the batches of steps first_step..last_step-1, for `DataLoader(batch_sampler=...)`.

    The dataset is shuffled anew on every pass, or, without a seed, taken in its order; batches run on across
    the border of two passes. With several processes each takes its own slice of every batch, cut into
    `num_micro` micro-batches, one after the other.
    """

    num_images: int
    batch_size: int
    seed: int | None
    first_step: int
    last_step: int
    rank: int = 0
    num_processes: int = 1
    num_micro: int = 1

    def __post_init__(self) -> None:
        if self.num_images < 1:
            raise UserError("the training dataset is empty")
        if self.batch_size % (self.num_processes * self.num_micro):
            micro = f" and {self.num_micro} micro-batches" if self.num_micro > 1 else ""
            raise UserError(
                f"batch_size {self.batch_size} cannot be split over {self.num_processes} processes{micro}"
            )

    def __len__(self) -> int:
        return (self.last_step - self.first_step) * self.num_micro

    def __iter__(self) -> Iterator[list[int]]:
        for indices in self._steps():
            size = len(indices) // self.num_micro
            yield from (indices[start : start + size] for start in range(0, len(indices), size))

    def _steps(self) -> Iterator[list[int]]:
        shuffled: dict[int, np.ndarray] = {}
        for step in range(self.first_step, self.last_step):
            positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
            positions = positions[self.rank :: self.num_processes]
            passes = positions // self.num_images
            needed = set(passes.tolist())
            shuffled = {number: shuffled.get(number) for number in needed}
            for number in needed:
                if shuffled[number] is None:
                    shuffled[number] = self._order(number)
            yield [int(shuffled[p][i]) for p, i in zip(passes, positions % self.num_images, strict=True)]

    def _order(self, number: int) -> np.ndarray:
        """Return (num_images,), the indices of pass `number`."""
        if self.seed is None:
            return np.arange(self.num_images)
        generator = np.random.default_rng(np.random.SeedSequence((self.seed, number)))
        return generator.permutation(self.num_images)
