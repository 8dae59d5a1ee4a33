"""Does a picture look like an upright frontal chest radiograph? Cheap sentences, no model, mostly none."""

from __future__ import annotations

import numpy as np

SMALL_SIDE = 50  # pixels; below this ribs and lines are gone
LONGEST_ASPECT = 2.0
EVEN_DEVIATION = 0.01  # standard deviation of an even grey
GRID = 64  # points a side at which brightness is compared
INNER = (slice(5, -5), slice(5, -5))  # collimation and labels are at the edges
# Of 913 real frontal radiographs (NIH, Hannover, V7) 1.1% fall below; inverted 90% do, on their side 47%.
LEAST_LIKENESS = -0.1


def warn_unlike_chest(image: np.ndarray) -> tuple[str, ...]:
    """Sentences on a picture (H, W) in [0, 1] that cannot be, or hardly is, a frontal chest radiograph."""
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
    """The correlation, -1 to 1, of brightness (GRID, GRID) with two dark ellipses where lungs are."""
    return float(np.corrcoef(points[INNER].ravel(), _draw_lungs()[INNER].ravel())[0, 1])


def _sample(image: np.ndarray) -> np.ndarray:
    """The picture's brightness (GRID, GRID) at evenly spread points."""
    rows, columns = (((np.arange(GRID) + 0.5) * side / GRID).astype(int) for side in image.shape)
    return image[np.ix_(rows, columns)]


def _draw_lungs() -> np.ndarray:
    """Two dark ellipses with soft edges, on (GRID, GRID)."""
    row, column = (np.mgrid[:GRID, :GRID] + 0.5) / GRID
    ellipses = [((column - centre) / 0.17) ** 2 + ((row - 0.43) / 0.33) ** 2 for centre in (0.29, 0.71)]
    return -sum(1 / (1 + np.exp(np.minimum(6 * (ellipse - 1), 50))) for ellipse in ellipses)
