"""Compute the kernel distance of two sets of features (Binkowski et al. 2018, "KID").

Lower is better. Its expectation is 0 for two sets of one distribution at any number of images, so it may be
negative, and unlike the Fréchet distance it takes neither set for a Gaussian.
"""

from __future__ import annotations

import numpy as np

from llmcxr.metrics.images.feature_metric import checked

CHUNK = 512  # rows of the kernel matrix at a time


def kernel_distance(real: np.ndarray, drawn: np.ndarray) -> float | None:
    """Return the unbiased squared maximum mean discrepancy of (N, D) and (M, D); None below 2 images.

    The kernel is (x·y / D + 1)³. All pairs count. The mean over small random subsets that is often reported
    estimates the same with more noise.
    """
    real, drawn = checked(real, drawn)
    n, m = len(real), len(drawn)
    if min(n, m) < 2:
        return None
    real, drawn = real.astype(np.float64), drawn.astype(np.float64)
    within_real = (_kernel_sum(real, real) - _kernel_of_itself(real)) / (n * (n - 1))
    within_drawn = (_kernel_sum(drawn, drawn) - _kernel_of_itself(drawn)) / (m * (m - 1))
    return float(within_real + within_drawn - 2 * _kernel_sum(real, drawn) / (n * m))


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> float:
    """Sum over all pairs, without ever holding the (N, M) matrix."""
    blocks = (first[start : start + CHUNK] @ second.T for start in range(0, len(first), CHUNK))
    return sum(_kernel(block, first.shape[1]).sum() for block in blocks)


def _kernel_of_itself(features: np.ndarray) -> float:
    return _kernel(np.square(features).sum(1), features.shape[1]).sum()


def _kernel(products: np.ndarray, dimension: int) -> np.ndarray:
    base = products / dimension + 1
    return base * base * base  # numpy's ** 3 takes over ten times as long
