"""Check whether a picture, or a set, looks like what a model was trained on. Cheap numbers, no model.

`warn_unlike_chest` says in sentences why one picture is unlikely to be an upright frontal chest radiograph;
mostly there are none. `compare_images` judges a set: a tokenizer keeps best what it was trained on, so the
spread of six plain statistics over its training images is kept beside it, in `training_images.json`, and
every later set is compared with it. Exposure, processing, sharpness and padding are where sites and archives
differ, and they move these numbers.

N images of H x W pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing
from vqgan.json_text import from_json, to_json

SMALL_SIDE = 50  # pixels; below this ribs and lines are gone
LONGEST_ASPECT = 2.0
EVEN_DEVIATION = 0.01  # standard deviation of an even grey
GRID = 64  # points a side at which brightness is compared
INNER = (slice(5, -5), slice(5, -5))  # collimation and labels are at the edges
# Of 913 real frontal radiographs (NIH, Hannover, V7) 1.1% fall below; inverted 90% do, on their side 47%.
LEAST_LIKENESS = -0.1

FILE = "training_images.json"
FORMAT = "image-statistics-1"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BLACK = 0.02  # grey at and below which a pixel shows nothing: padding and collimation

# 2% are expected outside the 1-99% range. Flag a shift above 10% and at least 3 images, or a median outside
# 5-95%; never below 8 images.
MOST_OUTSIDE = 0.10
FEWEST_OUTSIDE = 3
FEWEST_IMAGES = 8


def warn_unlike_chest(image: np.ndarray) -> tuple[str, ...]:
    """Warn of a picture (H, W) in [0, 1] that cannot be, or is unlikely to be, a frontal chest radiograph."""
    height, width = image.shape
    warnings = []
    if min(height, width) < SMALL_SIDE:
        warnings.append(f"only {height} x {width} pixels: too few to see ribs or lines")
    if max(height, width) > LONGEST_ASPECT * min(height, width):
        warnings.append(f"{height} x {width} pixels: a frontal chest radiograph is closer to a square")
    points = _sample(image)
    if float(points[INNER].std()) < EVEN_DEVIATION:
        warnings.append("the picture is one even grey: nothing can be seen on it")
    elif measure_likeness(points) < LEAST_LIKENESS:
        warnings.append(
            "no dark lungs beside a bright middle: check that it is a frontal chest radiograph, upright, "
            "with bright bones"
        )
    return tuple(warnings)


def measure_likeness(points: np.ndarray) -> float:
    """Correlate, -1 to 1, the brightness (GRID, GRID) with two dark ellipses where lungs are."""
    return float(np.corrcoef(points[INNER].ravel(), _draw_lungs()[INNER].ravel())[0, 1])


def _sample(image: np.ndarray) -> np.ndarray:
    """Sample the picture's brightness (GRID, GRID) at evenly spread points."""
    rows, columns = (((np.arange(GRID) + 0.5) * side / GRID).astype(int) for side in image.shape)
    return image[np.ix_(rows, columns)]


def _draw_lungs() -> np.ndarray:
    """Draw two dark ellipses with soft edges, on (GRID, GRID)."""
    row, column = (np.mgrid[:GRID, :GRID] + 0.5) / GRID
    ellipses = [((column - centre) / 0.17) ** 2 + ((row - 0.43) / 0.33) ** 2 for centre in (0.29, 0.71)]
    return -sum(1 / (1 + np.exp(np.minimum(6 * (ellipse - 1), 50))) for ellipse in ellipses)


@dataclass(frozen=True)
class ImageSummary:
    """Holds the QUANTILES of each statistic over `num_images` images fitted to `size` x `size` pixels."""

    size: int
    num_images: int
    quantiles: Mapping[str, tuple[float, ...]]
    format: str = FORMAT


@dataclass(frozen=True)
class Shift:
    """Compares one statistic of other images with that of the training images."""

    statistic: str
    median: float
    training_median: float
    outside: float  # share of the images beyond the training's 1% and 99% quantiles; 0.02 is expected
    is_shifted: bool


def measure_images(images: np.ndarray) -> dict[str, np.ndarray]:
    """Measure (N, H, W) float in [0, 1] -> each statistic of each image, (N,)."""
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
    """Summarise batches (N, size, size) in [0, 1]."""
    measured = join_statistics(measure_images(batch) for batch in batches)
    quantiles = {
        name: tuple(np.quantile(values, QUANTILES).round(5).tolist()) for name, values in measured.items()
    }
    return ImageSummary(size, len(next(iter(measured.values()))), quantiles)


def join_statistics(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join the statistics of batches to those of all their images."""
    parts = list(parts)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compare_images(summary: ImageSummary, measured: Mapping[str, np.ndarray]) -> list[Shift]:
    """Compare images that `measure_images` measured with those of the summary."""
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
    """Write it beside the config and the weights of a tokenizer, whose fingerprint does not depend on it."""
    with replacing(Path(directory) / FILE) as beside:
        beside.write_text(to_json(asdict(summary), indent=2) + "\n", encoding="utf-8")


def read_summary(directory: str | Path) -> ImageSummary | None:
    """Read it; None where the directory has none. Raises UserError for a file that is another's."""
    file = Path(directory) / FILE
    if not file.is_file():
        return None
    try:
        summary = ImageSummary(**from_json(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{file}: expected a summary of training images, found {error}") from error
    if summary.format != FORMAT:
        raise UserError(f"{file}: expected format {FORMAT!r}, found {summary.format!r}")
    return summary
