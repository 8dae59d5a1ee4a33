"""Pixels as other people's models take them: 8-bit pictures. Knows no model."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def to_picture(image: np.ndarray) -> Image.Image:
    """(H, W) float in [0, 1] -> a grey picture of the same size. Raises ValueError for other pixels."""
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"expected finite pixels of shape (H, W), got shape {image.shape}")
    return Image.fromarray(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8))


def to_png(image: np.ndarray) -> bytes:
    """(H, W) float in [0, 1] -> a grey PNG file of the pixels and nothing else."""
    buffer = io.BytesIO()
    to_picture(image).save(buffer, format="PNG")
    return buffer.getvalue()
