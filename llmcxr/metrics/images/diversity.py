"""Measure how unlike one another drawings are: mean MS-SSIM over pairs (Wang et al. 2003, Odena 2017).

Lower is more varied. It means little alone: give the same number for the real images beside it. Equal
drawings give 1. B pairs, H = W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmcxr.metrics.metric import Inputs

BATCH = 16


@dataclass(frozen=True)
class Diversity:
    """Average the MS-SSIM of `pairs` pairs of drawings of different studies, as a `metric.Metric`."""

    pairs: int = 500
    seed: int = 0
    name: str = "pairwise ms-ssim"
    inputs: tuple[str, ...] = ("drawn_images",)
    resamples: int = 0  # a resample holds an image twice, and a pair of it would be 1

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return the drawings as they are, (N, H, W); a memory-mapped array stays on disk."""
        return np.asanyarray(inputs.drawn_images)

    def value(self, rows: np.ndarray) -> float | None:
        return mean_pairwise_ms_ssim(rows, self.pairs, self.seed)


def mean_pairwise_ms_ssim(images: Sequence[np.ndarray], pairs: int = 500, seed: int = 0) -> float | None:
    """Average over at most `pairs` pairs of different images, drawn by `seed`; None below two images.

    `images` are (H, W) float in [0, 1] of one size, and only those of the pairs are read. Images below
    176 pixels are compared at fewer scales: see `vqgan.metrics.scale_weights`. Raises ValueError below 11.
    """
    if len(images) < 2:
        return None
    chosen = choose_pairs(len(images), pairs, seed)
    batches = (chosen[start : start + BATCH] for start in range(0, len(chosen), BATCH))
    return float(np.concatenate([_ms_ssim(images, batch) for batch in batches]).mean())


def choose_pairs(n: int, pairs: int, seed: int) -> np.ndarray:
    """Draw (P, 2) indices of different images, no pair twice; P = `pairs`, or all n (n - 1) / 2 if fewer."""
    every = n * (n - 1) // 2
    numbers = np.random.default_rng(seed).choice(every, min(pairs, every), replace=False)
    # the pairs, first < second, are numbered along the rows of a triangle; row `second` starts at
    # second (second - 1) / 2
    second = ((1 + np.sqrt(1 + 8 * numbers.astype(np.float64))) / 2).astype(np.int64)
    return np.stack([numbers - second * (second - 1) // 2, second], axis=1)


def _ms_ssim(images: Sequence[np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """Return (B,) for the pairs (B, 2) of indices of `images`."""
    import torch

    from vqgan.metrics import ms_ssim

    first, second = (
        torch.from_numpy(np.stack([images[place] for place in places]).astype(np.float32))[:, None]
        for places in pairs.T
    )  # (B, 1, H, W) each
    return ms_ssim(first, second).numpy().astype(np.float64)
