"""Compute the Fréchet distance of two sets of features, taken for Gaussians (Heusel et al. 2017, "FID").

Lower is better, 0 for equal means and covariances. It is biased upwards for few images, so only values at
the same number of images compare.
"""

from __future__ import annotations

import warnings

import numpy as np

from llmcxr.metrics.images.feature_metric import checked

CHUNK = 1024  # images whose features are held in double precision at a time


class FewImagesWarning(UserWarning):
    """Warns that there are fewer images than feature dimensions."""


def frechet_distance(real: np.ndarray, drawn: np.ndarray) -> float | None:
    """Return |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½) of features (N, D) and (M, D); None below 2 images.

    Warns (FewImagesWarning) where there are fewer images than dimensions: the covariances are then singular
    and the distance says more of the number of images than of the images.
    """
    real, drawn = checked(real, drawn)
    fewest, dimension = min(len(real), len(drawn)), real.shape[1]
    if fewest < 2:
        return None
    if fewest <= dimension:
        warnings.warn(
            f"Fréchet distance of {fewest} images in {dimension} feature dimensions: the covariance is "
            "singular; use more images or fewer dimensions",
            FewImagesWarning,
            stacklevel=2,
        )
    mean_real, covariance_real = gaussian(real)
    mean_drawn, covariance_drawn = gaussian(drawn)
    # tr (S1 S2)^½ is the sum of the singular values of S1^½ S2^½: real and never negative, unlike the
    # eigenvalues of S1 S2 in floating point
    product = _square_root(covariance_real) @ _square_root(covariance_drawn)  # (D, D)
    overlap = np.linalg.svd(product, compute_uv=False).sum()
    distance = np.square(mean_real - mean_drawn).sum()
    distance += np.trace(covariance_real) + np.trace(covariance_drawn) - 2 * overlap
    return max(float(distance), 0.0)


def gaussian(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (D,) and unbiased covariance (D, D) of features (N, D), float64, without copying all."""
    mean = features.mean(0, dtype=np.float64)
    covariance = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), CHUNK):
        centred = features[start : start + CHUNK] - mean  # (CHUNK or fewer, D)
        covariance += centred.T @ centred
    return mean, covariance / (len(features) - 1)


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)  # (D,), (D, D)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
