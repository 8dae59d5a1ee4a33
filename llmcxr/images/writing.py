"""Write pixels as 8-bit pictures. Knows no models."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from llmcxr.common.files import replacing

SYNTHETIC_KEY = "synthetic"  # the PNG text chunk that marks a drawn image


def write_png(path: str | os.PathLike, image: np.ndarray, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a picture (H, W) in [0, 1] as 8-bit grey PNG with `metadata` text chunks, whole or not at all."""
    picture, chunks = to_picture(image), PngImagePlugin.PngInfo()
    for key, value in (metadata or {}).items():
        chunks.add_text(str(key), str(value))
    with replacing(path) as beside:
        picture.save(beside, format="PNG", pnginfo=chunks)
    return Path(path)


def to_picture(image: np.ndarray) -> Image.Image:
    """Turn (H, W) float in [0, 1] into a grey picture. Raises ValueError for other pixels."""
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"expected finite pixels of shape (H, W), got shape {image.shape}")
    return Image.fromarray(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8))


def to_png(image: np.ndarray) -> bytes:
    """Turn (H, W) float in [0, 1] into a grey PNG file of the pixels and nothing else."""
    buffer = io.BytesIO()
    to_picture(image).save(buffer, format="PNG")
    return buffer.getvalue()
