"""Describe a picture that was read: its pixels' conventions and its header. Knows no file format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as Pillow's mode L


@dataclass(frozen=True)
class ImageHeader:
    """Holds what a file says of how its radiograph was taken. `warnings` are sentences for the user."""

    view_position: str = "unknown"  # one of records.VIEW_POSITIONS
    pixel_spacing_mm: tuple[float, float] | None = None  # row, column
    sex: str | None = None  # "F" or "M"
    age_years: float | None = None
    warnings: tuple[str, ...] = ()


def to_luminance(colours: np.ndarray) -> np.ndarray:
    """Turn (H, W, 3) colours into (H, W) float32 luminance on the same scale."""
    return colours[..., :3].astype(np.float32) @ LUMINANCE


def measure_colour(colours: np.ndarray) -> float:
    """Return the share of an (H, W, 3) picture, in [0, 1], that is visibly coloured: channels 0.1 apart."""
    return float((np.ptp(colours[..., :3], axis=-1) > 0.1).mean())


def warn_colour(colours: np.ndarray, kind: str) -> list[str]:
    """Warn of colours (H, W, 3) in [0, 1]; `kind` is what they are stored as."""
    coloured = measure_colour(colours)
    if coloured > 0.02:
        return [
            f"{coloured:.0%} of the picture is coloured: it does not look like a radiograph; "
            "only its brightness is read"
        ]
    return [f"stored as a {kind} picture; only its brightness is read"]
