"""How alike two images are: PSNR and SSIM. Images are (N, H, W) float in [0, 1]."""

from __future__ import annotations

import numpy as np

SSIM_SIGMA = 1.5  # pixels; Wang et al. 2004: 11 x 11 Gaussian window
SSIM_RADIUS = 5


def psnr(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each image, dB, (N,). Equal images give 100."""
    error = np.square(np.asarray(first, float) - np.asarray(second, float)).mean((1, 2))
    return -10 * np.log10(np.maximum(error, 1e-10))


def ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean structural similarity of each image, (N,), of Wang et al. 2004 with range 1, inside the border."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    mean_a, mean_b = _smooth(a), _smooth(b)
    var_a = _smooth(a * a) - mean_a**2
    var_b = _smooth(b * b) - mean_b**2
    covariance = _smooth(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    numerator = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (numerator / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean((1, 2))


def _smooth(images: np.ndarray) -> np.ndarray:
    """Gaussian window without padding: (N, H, W) -> (N, H - 10, W - 10)."""
    taps = np.exp(-0.5 * (np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1) / SSIM_SIGMA) ** 2)
    taps /= taps.sum()
    windows = np.lib.stride_tricks.sliding_window_view(images, len(taps), axis=1) @ taps
    return np.lib.stride_tricks.sliding_window_view(windows, len(taps), axis=2) @ taps
