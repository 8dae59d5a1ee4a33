"""Measure the cardiothoracic ratio from the pixels of a frontal radiograph, by geometry, without a network.

The borders are found as paths: down the rows between the lung tops and the diaphragm, the inner chest wall is
where brightness rises outwards and the heart border where it falls, and each path is the one of largest
summed contrast that bends little (dynamic programming, as in live-wire tracing). The ratio of the widest
heart to the widest thorax is then corrected by a straight line fitted on phantoms, since borders are seen
slightly inside where they truly are.

Legend: rows and columns are pixels of the picture resized to SIZE; `side` is -1 for the patient's right
(image left) and +1 for the left; offsets are columns counted outwards from the midline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmcxr.images import fit

SIZE = 128
LUNG_ROWS = 34  # rows above the diaphragm in which borders are sought
HEART_ROWS = {-1: 18, 1: 16}
# how far a heart border may lie from the midline, as a share of the thorax
HEART_SHARE = {-1: (0.085, 0.27), 1: (0.20, 0.51)}
RIGHT_SHARE, RIGHT_TOLERANCE = 0.32, 0.045  # the right border's usual part of the heart's width
RIGHT_PENALTY = 12.0
SLOPE, OFFSET = 0.8795, 0.0680  # true = SLOPE * measured + OFFSET; least squares on 250 phantoms of seed 78
MIN_CONTRAST = 0.9  # mean border contrast below which the borders are not there to be measured
MAX_BLUNTING = 0.5  # brightness in a costophrenic angle, lung 0 to abdomen 1, above which it is covered


@dataclass(frozen=True)
class RatioMeasurement:
    """Holds a ratio, or None and the `reason` that it cannot be seen; widths are shares of the image."""

    ratio: float | None
    reason: str = ""
    heart_width: float = float("nan")
    thorax_width: float = float("nan")


@dataclass(frozen=True)
class _Borders:
    diaphragm: int  # row
    walls: dict[int, np.ndarray]  # side -> offset per row
    heart: dict[int, float]  # side -> greatest offset
    contrast: float  # mean contrast along the heart borders, both sides together


def measure_cardiothoracic_ratio(image: np.ndarray) -> RatioMeasurement:
    """Divide the widest heart by the widest inner thorax of an image (H, W) in [0, 1], bright = dense.

    The radiograph is frontal and upright. Not assessable ("reason" says why): an even picture, faint borders,
    a costophrenic angle that is covered.
    """
    if image.ndim != 2:
        raise ValueError(f"expected an image of shape (H, W), got {image.shape}")
    picture = fit(image, SIZE)[0].astype(np.float64)
    if picture[30:100, 20:108].std() < 0.02:
        return RatioMeasurement(None, "not assessable: the picture has no contrast")
    picture = _normalise(picture)
    midline = _find_midline(picture)
    borders = _find_borders(picture, midline)
    thorax = sum(float(np.sort(wall)[-3:].mean()) for wall in borders.walls.values())
    heart = sum(borders.heart.values())
    widths = {"heart_width": heart / SIZE, "thorax_width": thorax / SIZE}
    if borders.contrast < MIN_CONTRAST:
        return RatioMeasurement(None, "not assessable: the heart borders are too faint", **widths)
    if _blunting(picture, midline, borders) > MAX_BLUNTING:
        return RatioMeasurement(None, "not assessable: a costophrenic angle is covered", **widths)
    return RatioMeasurement(float(SLOPE * heart / thorax + OFFSET), "", **widths)


def _find_borders(picture: np.ndarray, midline: int) -> _Borders:
    diaphragm = _find_diaphragm(picture, midline)
    smooth = _blur(_blur(picture, 1.2, axis=1), 1.5, axis=0)  # (SIZE, SIZE)
    rise = np.gradient(smooth, axis=1)  # (SIZE, SIZE), along the columns
    top = max(diaphragm - LUNG_ROWS, 20)
    rise = rise / (np.percentile(np.abs(rise[top:diaphragm, 20:108]), 99) + 1e-6)
    offsets = np.arange(min(midline, SIZE - 1 - midline) + 1)
    walls = _find_walls(smooth, rise, midline, offsets, slice(top, diaphragm + 3))
    thorax = sum(wall.max() for wall in walls.values())
    candidates = {
        side: _heart_candidates(rise, midline, offsets, side, walls[side], thorax, top, diaphragm)
        for side in (-1, 1)
    }
    heart, contrast = _choose_heart(candidates)
    return _Borders(diaphragm, walls, heart, contrast)


def _find_walls(
    smooth: np.ndarray, rise: np.ndarray, midline: int, offsets: np.ndarray, rows: slice
) -> dict[int, np.ndarray]:
    """Find both inner chest walls, where brightness rises outwards, about as far from the midline."""
    totals, paths = {}, {}
    for side in (-1, 1):
        columns = midline + side * offsets
        score = np.clip(side * rise[rows][:, columns], -0.2, 1)  # (rows, offsets)
        is_body = np.flip(np.maximum.accumulate(np.flip(smooth[rows][:, columns] > 0.15, 1), 1), 1)
        score[~is_body] = -1  # the air beside the body
        score[:, :30] = -1
        totals[side], paths[side] = _accumulate(score, outwards=0.06, inwards=0.3)
    apart = np.abs(offsets[:, None] - offsets[None])  # (offsets, offsets)
    joint = totals[-1][:, None] + totals[1][None] - 0.3 * np.maximum(apart - 4, 0)  # (offsets, offsets)
    ends = np.unravel_index(joint.argmax(), joint.shape)
    return {side: _follow(paths[side], end) for side, end in zip((-1, 1), ends, strict=True)}


def _heart_candidates(
    rise, midline, offsets, side, wall, thorax, top, diaphragm
) -> list[tuple[float, float]]:
    """Return (greatest offset, mean contrast) of the best heart border under each of ten outer limits."""
    low, high = HEART_SHARE[side]
    first = diaphragm - HEART_ROWS[side]
    score = np.clip(-side * rise[first : diaphragm - 2][:, midline + side * offsets], -0.2, 1)
    score[:, offsets < low * thorax] = -1
    for row in range(len(score)):
        score[row, offsets > max(wall[max(first - top, 0) + row] - 3, low * thorax + 2)] = -1
    found = []
    for limit in np.linspace(low + 0.04, high, 10):
        limited = score.copy()
        limited[:, offsets > limit * thorax] = -1
        totals, paths = _accumulate(limited, outwards=0.03, inwards=0.03)
        path = _follow(paths, totals.argmax())
        found.append((float(np.sort(path)[-4:].mean()), float(totals.max() / len(score))))
    return found


def _choose_heart(candidates: dict[int, list[tuple[float, float]]]) -> tuple[dict[int, float], float]:
    """Choose the pair of largest contrast whose right part is about the usual share of the width."""
    best = (-np.inf, {}, 0.0)
    for right, right_contrast in candidates[-1]:
        for left, left_contrast in candidates[1]:
            unusual = max(abs(right / max(right + left, 1) - RIGHT_SHARE) - RIGHT_TOLERANCE, 0)
            contrast = right_contrast + left_contrast - RIGHT_PENALTY * unusual
            if contrast > best[0]:
                best = (contrast, {-1: right, 1: left}, contrast)
    return best[1], best[2]


def _find_midline(picture: np.ndarray) -> int:
    """Find the brightest column of the middle: spine and mediastinum."""
    profile = _blur(picture[40:90].mean(0)[None], 3, axis=1)[0]  # (SIZE,)
    return 40 + int(np.argmax(profile[40:88]))


def _find_diaphragm(picture: np.ndarray, midline: int) -> int:
    """Find the row of the right dome, where brightness jumps and stays; the left dome counts too."""
    rows, score = np.arange(52, 114), 0
    for inner, outer, side, reach, weight in ((14, 36, -1, 0, 1.0), (26, 44, 1, 9, 0.7)):
        first, last = np.clip(sorted((midline + side * inner, midline + side * outer)), 0, SIZE - 1)
        profile = _blur(picture[:, first : max(last, first + 1)].mean(1)[None], 1.5, axis=1)[0]
        jump = np.gradient(profile)
        stays = np.array(
            [profile[row + 3 : row + 32].min() - profile[row - 6 : row - 2].mean() for row in range(52, 123)]
        )
        value = jump[52:123] / max(jump[52:114].max(), 1e-6) + 2 * stays / max(stays.max(), 1e-3)
        score = score + weight * np.array([value[k : k + reach + 1].max() for k in range(len(rows))])
    return int(rows[np.argmax(score)])


def _blunting(picture: np.ndarray, midline: int, borders: _Borders) -> float:
    """Measure the more covered costophrenic angle: 0 as bright as lung, 1 as bright as abdomen."""
    dome, values = borders.diaphragm, []
    for side, wall in borders.walls.items():
        width = int(np.median(wall[-6:]))

        def band(inner: int, outer: int, side: int = side) -> np.ndarray:
            return np.clip(midline + side * np.arange(inner, outer), 0, SIZE - 1)

        angle = picture[dome - 3 : dome + 4][:, band(width - 9, width - 2)].mean()
        lung = np.percentile(picture[max(dome - 34, 0) : dome - 6][:, band(14, max(width - 4, 20))], 25)
        abdomen = picture[dome + 10 : dome + 22][:, band(14, 30)].mean()
        values.append((angle - lung) / max(abdomen - lung, 0.05))
    return float(max(values))


def _accumulate(score: np.ndarray, outwards: float, inwards: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the best sums to the last row (offsets,), a cost a step, and the way back (rows, offsets)."""
    best, back = score[0].copy(), np.zeros(score.shape, dtype=int)
    places = np.arange(score.shape[1])
    for row in range(1, len(score)):
        from_inside = np.concatenate([[-1e9], best[:-1]]) - outwards
        from_outside = np.concatenate([best[1:], [-1e9]]) - inwards
        ways = np.stack([from_outside, best, from_inside])  # (3, offsets)
        way = ways.argmax(0)  # (offsets,): 0 from outside, 1 straight, 2 from inside
        best = score[row] + ways[way, places]
        back[row] = places + 1 - way
    return best, back


def _follow(back: np.ndarray, end: int) -> np.ndarray:
    """Follow the way back from the offset `end` of the last row: (rows,) offsets."""
    path = [int(end)]
    for row in range(len(back) - 1, 0, -1):
        path.append(int(back[row, path[-1]]))
    return np.array(path[::-1])


def _normalise(picture: np.ndarray) -> np.ndarray:
    """Scale brightness so that lungs are about 0 and bone and heart about 1."""
    low, high = np.percentile(picture[30:100, 20:108], [5, 95])
    return (picture - low) / max(high - low, 1e-3)


def _blur(values: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    """Smooth (rows, columns) along one axis by a Gaussian of `sigma` pixels; the edge is repeated."""
    radius = max(1, int(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padding = [(0, 0), (0, 0)]
    padding[axis] = (radius, radius)
    padded = np.pad(values, padding, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis)  # (rows, columns, taps)
    return windows @ kernel
