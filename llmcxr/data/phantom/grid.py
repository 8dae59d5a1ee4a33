"""Map pixels to places in the chest, and draw soft shapes on them. Knows no anatomy.

Edges are softened over one pixel analytically, so the same chest at another size looks the
same, only sharper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grid:
    """Holds the pixel centres of a square picture in a chest's coordinates (thorax widths; see anatomy)."""

    size: int
    pixel: float  # side of a pixel
    u: np.ndarray  # (size, size) float32
    v: np.ndarray  # (size, 1) float32

    def empty(self) -> np.ndarray:
        return np.zeros((self.size, self.size), dtype=np.float32)

    def box(self, u0: float, u1: float, v0: float, v1: float) -> tuple[slice, slice]:
        """Return the rows and columns that hold u0..u1, v0..v1 and one pixel around; may be empty."""
        v = self.v[:, 0]
        r0, r1 = np.searchsorted(v, (v0 - self.pixel, v1 + self.pixel))
        if r0 >= r1:
            return slice(0, 0), slice(0, 0)
        c0 = min(np.searchsorted(self.u[r0], u0), np.searchsorted(self.u[r1 - 1], u0))
        c1 = max(np.searchsorted(self.u[r0], u1), np.searchsorted(self.u[r1 - 1], u1))
        return slice(int(r0), int(r1)), slice(max(int(c0) - 1, 0), min(int(c1) + 1, self.size))

    def inside(self, distance: np.ndarray, softness: float = 0.0) -> np.ndarray:
        """Return the coverage 0..1 of a signed distance, positive inside; soft over a pixel or more."""
        width = max(self.pixel, softness)
        x = np.clip(distance / width + 0.5, 0, 1)
        return (x * x * (3 - 2 * x)).astype(np.float32)

    def line(self, points: np.ndarray, width: float) -> np.ndarray:
        """Return the coverage 0..1 of a thin line through `points` (n, 2) of (u, v), of that width.

        Only pixels near the line are computed. Below a pixel's width the line gets fainter, not thinner.
        """
        distance = self.distance(points, width + 1.5 * self.pixel)
        half = max(width, 1.1 * self.pixel) / 2
        coverage = np.clip((half + 0.5 * self.pixel - distance) / self.pixel, 0, 1)
        return (coverage * min(1.0, width / self.pixel + 0.2)).astype(np.float32)

    def distance(self, points: np.ndarray, reach: float) -> np.ndarray:
        """Return the distance to the polyline `points` (n, 2) of (u, v), at most `reach`."""
        rows, columns = self._to_pixels(densify(points, self.pixel / 3))
        radius = int(np.ceil(reach / self.pixel))
        window = np.arange(-radius, radius + 1)
        at_row = np.rint(rows).astype(int)[:, None, None] + window[None, :, None]
        at_column = np.rint(columns).astype(int)[:, None, None] + window[None, None, :]
        squared = (at_row - rows[:, None, None]) ** 2 + (at_column - columns[:, None, None]) ** 2
        padded = np.full((self.size + 2) * (self.size + 2), reach * reach, dtype=np.float64)
        flat = (np.clip(at_row, -1, self.size) + 1) * (self.size + 2) + np.clip(at_column, -1, self.size) + 1
        np.minimum.at(padded, flat.ravel(), (squared * self.pixel**2).ravel())
        return np.sqrt(padded.reshape(self.size + 2, self.size + 2)[1:-1, 1:-1]).astype(np.float32)

    def _to_pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = (points[:, 1] - self.v[0, 0]) / self.pixel
        shift = (self.u[-1, 0] - self.u[0, 0]) / (self.v[-1, 0] - self.v[0, 0])
        first = self.u[0, 0] + shift * (points[:, 1] - self.v[0, 0])
        return rows, (points[:, 0] - first) / self.pixel


def densify(points: np.ndarray, spacing: float) -> np.ndarray:
    """Return the polyline (n, 2) with points at most about `spacing` apart."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(0, along[-1], max(2, int(np.ceil(along[-1] / spacing)) + 1))
    return np.stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])], axis=1)


def curve(points: list[tuple[float, float]], samples: int = 12) -> np.ndarray:
    """Return a smooth (Catmull-Rom) curve through the points, (n, 2)."""
    p = np.asarray([points[0], *points, points[-1]], dtype=np.float64)
    s = np.linspace(0, 1, samples, endpoint=False)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * s + (2 * a - 5 * b + 4 * c - d) * s**2 + (3 * b - a - 3 * c + d) * s**3)
        for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True)
    ]
    return np.concatenate([*parts, p[-1:]])
