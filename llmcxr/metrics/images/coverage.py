"""Measure by nearest neighbours whether drawings are like real images, and whether all kinds are drawn.

Around every image lies a ball that reaches to its k-th nearest neighbour of the same set. Precision and
recall (Kynkäänniemi et al. 2019) ask which images lie in any ball of the other set; density and coverage
(Naeem et al. 2020) are less moved by outliers, whose balls are huge. A ball contains its edge.

N real and M drawn images, D feature dimensions. Every function returns None unless N, M > k.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmcxr.metrics.images.feature_metric import FeatureMetric, checked

CHUNK = 512  # rows of the distance matrix at a time: 40 MB against 10,000 images


def coverage_metrics() -> list[FeatureMetric]:
    functions = (precision, recall, density, coverage)
    return [FeatureMetric(function.__name__, function) for function in functions]


def precision(real: np.ndarray, drawn: np.ndarray, k: int = 3) -> float | None:
    """Return the share of the drawings that lie in the ball of some real image, 0..1."""
    real, drawn = checked(real, drawn)
    if min(len(real), len(drawn)) <= k:
        return None
    reach = squared_radii(real, k)  # (N,)
    inside = [(block <= reach).any(1) for block in squared_distances(drawn, real)]
    return float(np.concatenate(inside).mean())


def recall(real: np.ndarray, drawn: np.ndarray, k: int = 3) -> float | None:
    """Return the share of the real images that lie in the ball of some drawing, 0..1."""
    return precision(drawn, real, k)


def density(real: np.ndarray, drawn: np.ndarray, k: int = 5) -> float | None:
    """Count the real balls that a drawing lies in, over k: near 1 for drawings like real images, or above."""
    real, drawn = checked(real, drawn)
    if min(len(real), len(drawn)) <= k:
        return None
    reach = squared_radii(real, k)  # (N,)
    balls = sum(int((block <= reach).sum()) for block in squared_distances(drawn, real))
    return balls / (k * len(drawn))


def coverage(real: np.ndarray, drawn: np.ndarray, k: int = 5) -> float | None:
    """Return the share of the real images with a drawing in their ball, 0..1."""
    real, drawn = checked(real, drawn)
    if min(len(real), len(drawn)) <= k:
        return None
    nearest = np.concatenate([block.min(1) for block in squared_distances(real, drawn)])  # (N,)
    return float((nearest <= squared_radii(real, k)).mean())


def squared_radii(features: np.ndarray, k: int) -> np.ndarray:
    """Return the squared distance of each image to its k-th nearest other one, (N,)."""
    # the nearest is the image itself, at place 0
    return np.concatenate(
        [np.partition(block, k, axis=1)[:, k] for block in squared_distances(features, features)]
    )


def squared_distances(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Yield squared Euclidean distances, float64, in blocks (CHUNK or fewer of `first`, all of `second`)."""
    second = second.astype(np.float64)
    second_norms = np.square(second).sum(1)
    for start in range(0, len(first), CHUNK):
        block = first[start : start + CHUNK].astype(np.float64)
        norms = np.square(block).sum(1)[:, None] + second_norms  # (CHUNK or fewer, M)
        distances = (-2 * block) @ second.T  # (CHUNK or fewer, M)
        distances += norms
        # equal images lie at distance 0 and not at what the rounding leaves
        distances[distances < 1e-12 * norms] = 0
        yield distances
