"""Compare the features of two sets of images, real and drawn, as a metric. Knows no images and no network.

N real and M drawn images, D feature dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmcxr.metrics.metric import Inputs


@dataclass(frozen=True)
class FeatureMetric:
    """Make `compare(real (N, D), drawn (M, D))` a `metric.Metric` over rows (N, 2, D).

    No interval: a bootstrap resample repeats images, which makes a set look narrower than it is, and the
    distances are biased by it beyond their own spread. `baselines.frame` says how far chance alone gets.
    """

    name: str
    compare: Callable[[np.ndarray, np.ndarray], float | None]
    inputs: tuple[str, ...] = ("real_features", "drawn_features")
    resamples: int = 0

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N, 2, D): the features of every study's real image and of its drawing."""
        real, drawn = checked(inputs.real_features, inputs.drawn_features)
        return np.stack([real, drawn], axis=1)  # (N, 2, D)

    def value(self, rows: np.ndarray) -> float | None:
        return self.compare(rows[:, 0], rows[:, 1])


def checked(real: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays. Raises ValueError unless they are (N, D) and (M, D) of finite numbers."""
    real, drawn = np.asarray(real), np.asarray(drawn)
    if real.ndim != 2 or drawn.ndim != 2 or real.shape[1] != drawn.shape[1]:
        raise ValueError(
            f"expected features (N, D) and (M, D), got real {real.shape} and drawn {drawn.shape}"
        )
    for name, features in (("real", real), ("drawn", drawn)):
        if broken := int((~np.isfinite(features).all(1)).sum()):
            raise ValueError(f"{broken} of {len(features)} {name} images have NaN or infinite features")
    return real, drawn
