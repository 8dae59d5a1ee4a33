"""What the images of one place look like in a few numbers, and whether those of another are alike. No model.

A tokenizer keeps best what it was trained on. So the spread of six plain statistics over its training images
is kept beside it, in `training_images.json`, and every later set of images is held against it: exposure,
processing, sharpness and padding are where sites and archives differ, and they move these numbers.

N images of H x W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing

FILE = "training_images.json"
FORMAT = "image-statistics-1"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BLACK = 0.02  # grey at and below which a pixel shows nothing: padding and collimation

# Of images as the training, 2 in 100 lie outside its 1% and 99% quantiles: so many more, and at least so
# many, are no chance, nor is a median beyond its 5% or 95% quantile. Fewer images say nothing.
MOST_OUTSIDE = 0.10
FEWEST_OUTSIDE = 3
FEWEST_IMAGES = 8


@dataclass(frozen=True)
class ImageSummary:
    """The QUANTILES of each statistic over `num_images` images fitted to `size` x `size` pixels."""

    size: int
    num_images: int
    quantiles: Mapping[str, tuple[float, ...]]
    format: str = FORMAT


@dataclass(frozen=True)
class Shift:
    """One statistic of other images beside that of the training images."""

    statistic: str
    median: float
    training_median: float
    outside: float  # share of the images beyond the training's 1% and 99% quantiles; 0.02 is expected
    is_shifted: bool


def measure_images(images: np.ndarray) -> dict[str, np.ndarray]:
    """(N, H, W) float in [0, 1] -> each statistic of each image, (N,)."""
    flat = images.reshape(len(images), -1)
    dark, bright = np.quantile(flat, [0.05, 0.95], axis=1)
    steps = [np.abs(np.diff(images, axis=axis)).mean((1, 2)) for axis in (1, 2)]
    return {
        "brightness": flat.mean(1),
        "contrast": flat.std(1),
        "dark end": dark,  # 5% of the pixels are darker
        "bright end": bright,
        "sharpness": (steps[0] + steps[1]) / 2,  # mean step between neighbouring pixels
        "black share": (flat <= BLACK).mean(1),
    }


def summarise_images(batches: Iterable[np.ndarray], size: int) -> ImageSummary:
    """Batches (N, size, size) in [0, 1] -> their summary."""
    measured = join_statistics(measure_images(batch) for batch in batches)
    quantiles = {
        name: tuple(np.quantile(values, QUANTILES).round(5).tolist()) for name, values in measured.items()
    }
    return ImageSummary(size, len(next(iter(measured.values()))), quantiles)


def join_statistics(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The statistics of batches as those of all their images."""
    parts = list(parts)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compare_images(summary: ImageSummary, measured: Mapping[str, np.ndarray]) -> list[Shift]:
    """How images of which `measure_images` was taken differ from those of the summary."""
    shifts = []
    for name, quantiles in summary.quantiles.items():
        values, by_level = measured[name], dict(zip(QUANTILES, quantiles, strict=True))
        is_outside = (values < by_level[0.01] - 1e-4) | (values > by_level[0.99] + 1e-4)
        share, median = float(is_outside.mean()), float(np.median(values))
        is_odd = share > MOST_OUTSIDE and is_outside.sum() >= FEWEST_OUTSIDE
        is_odd |= not by_level[0.05] - 1e-4 <= median <= by_level[0.95] + 1e-4
        is_shifted = bool(is_odd) and len(values) >= FEWEST_IMAGES
        shifts.append(Shift(name, median, by_level[0.5], share, is_shifted))
    return shifts


def write_summary(directory: str | Path, summary: ImageSummary) -> None:
    """Beside the config and the weights of a tokenizer, whose fingerprint does not depend on it."""
    with replacing(Path(directory) / FILE) as beside:
        beside.write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")


def read_summary(directory: str | Path) -> ImageSummary | None:
    """None where the directory has none. Raises UserError for a file that is another's."""
    file = Path(directory) / FILE
    if not file.is_file():
        return None
    try:
        summary = ImageSummary(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: expected a summary of training images, found {error}") from error
    if summary.format != FORMAT:
        raise UserError(f"{file}: expected format {FORMAT!r}, found {summary.format!r}")
    return summary
