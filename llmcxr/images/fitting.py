"""Fit a picture into the size that a model wants, and remember where it lies in it.

H, W are a picture's own rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Padding:
    """Records how `fit` placed a picture: enough to map a point on it back to its own size."""

    own_size: tuple[int, int]  # rows, columns of the picture before fitting
    size: tuple[int, int]  # rows, columns after fitting
    top: int
    left: int
    height: int  # rows and columns of the fitted picture that hold picture, the rest is 0
    width: int

    @property
    def content(self) -> tuple[slice, slice]:
        """Return the part of the fitted picture that holds picture: `fitted[padding.content]`."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def fit(image: np.ndarray, size: int | tuple[int, int]) -> tuple[np.ndarray, Padding]:
    """Letterbox a picture (H, W) to `size` (a side, or rows and columns): aspect kept, centred, 0 around it.

    Shrinking averages exactly over each new pixel's area (antialiased); enlarging is bilinear. Returns
    float32 and where the picture lies in it. Raises ValueError for a size below 1 or pixels not (H, W).
    """
    if image.ndim != 2 or 0 in image.shape:
        raise ValueError(f"expected pixels of shape (H, W), got {image.shape}")
    padding = place(image.shape, size)
    fitted = np.zeros(padding.size, dtype=np.float32)
    fitted[padding.content] = _resize(image, padding.height, padding.width)
    return fitted, padding


def place(own_size: tuple[int, int], size: int | tuple[int, int]) -> Padding:
    """Say where `fit` puts a picture of `own_size` rows and columns, without its pixels."""
    rows, columns = (size, size) if isinstance(size, int | np.integer) else size
    if rows < 1 or columns < 1:
        raise ValueError(f"expected a size of at least 1 x 1, got {rows} x {columns}")
    own_rows, own_columns = own_size
    scale = min(rows / own_rows, columns / own_columns)
    height = min(rows, max(1, round(own_rows * scale)))
    width = min(columns, max(1, round(own_columns * scale)))
    return Padding(
        (own_rows, own_columns), (rows, columns), (rows - height) // 2, (columns - width) // 2, height, width
    )


def _resize(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    image = np.asarray(image, dtype=np.float32)
    shrunk = _average_rows(image, min(rows, image.shape[0]))
    shrunk = _average_rows(shrunk.T, min(columns, image.shape[1])).T
    if shrunk.shape == (rows, columns):
        return np.ascontiguousarray(shrunk)
    picture = Image.fromarray(np.ascontiguousarray(shrunk))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR), dtype=np.float32)


def _average_rows(image: np.ndarray, rows: int) -> np.ndarray:
    """Shrink (H, W) to (rows, W): the mean over each new row's exact share of the old ones."""
    own_rows = image.shape[0]
    if rows == own_rows:
        return image
    if own_rows % rows == 0:
        return image.reshape(rows, own_rows // rows, -1).mean(axis=1, dtype=np.float32)
    edges = np.arange(rows + 1) * (own_rows / rows)
    first = np.minimum(edges.astype(int), own_rows - 1)  # the old row that each edge cuts
    cut_off = (edges - first).astype(np.float32)[:, None]  # and the part of it before the edge
    cut_off[-1] = 0  # the last edge cuts none
    sums = np.add.reduceat(image, first[:-1], axis=0)
    sums += cut_off[1:] * image[first[1:]] - cut_off[:-1] * image[first[:-1]]
    return sums * np.float32(rows / own_rows)
