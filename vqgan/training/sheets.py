"""Draw images above their reconstructions and their difference, to be looked at during training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vqgan.files import replacing


def draw_sheet(images: np.ndarray, reconstructions: np.ndarray, scale: int = 2) -> np.ndarray:
    """Draw images and reconstructions (N, H, W) in [0, 1] as a picture of N columns and three rows, uint8.

    The rows are image, reconstruction, and 0.5 + 2 * (reconstruction - image), enlarged `scale` times.
    """
    difference = np.clip(0.5 + 2 * (reconstructions - images), 0, 1)
    rows = [np.concatenate(list(row), axis=1) for row in (images, reconstructions, difference)]
    sheet = (255 * np.clip(np.concatenate(rows, axis=0), 0, 1)).round().astype(np.uint8)
    return sheet.repeat(scale, axis=0).repeat(scale, axis=1)


def write_sheet(path: Path, sheet: np.ndarray) -> None:
    """Write a sheet (H, W) uint8 as a grey PNG."""
    with replacing(path) as beside:
        Image.fromarray(sheet).save(beside, format="PNG")
