"""The phantom's shapes against hand-drawn contours of real chests.

Contours: Gaggion et al., Chest-xray-landmark-dataset. Ratios of lengths only: they come without pixel sizes.
A mean may differ by 0.6 of the real standard deviation, a spread be 0.45 to 1.6 of the real one. Phantoms
with mediastinal widening are left out: few chests of that set have it.
"""

import numpy as np
import pytest

from llmcxr.data.phantom import masks, sample_case

SIZE = 192
NUM_PHANTOMS = 120


@pytest.fixture(scope="module")
def real(shared_data):
    contours = np.load(shared_data / "landmarks" / "landmarks.npz")
    ids = sorted(key.split("/")[1] for key in contours if key.startswith("H/"))
    return [_measure(*(_outline(contours[f"{part}/{i}"]) for part in ("RL", "LL", "H"))) for i in ids]


@pytest.fixture(scope="module")
def drawn():
    cases = (sample_case(4, index, variation=1) for index in range(2 * NUM_PHANTOMS))
    usual = [case for case in cases if case.find("mediastinal widening") is None][:NUM_PHANTOMS]
    parts = (masks(case, SIZE) for case in usual)
    return [_measure(*(_extent(p[name]) for name in ("right lung", "left lung", "heart"))) for p in parts]


def _outline(contour: np.ndarray) -> tuple[np.ndarray, float]:
    """The corners (2, 2) of (x, y) and the area of a polygon, by the shoelace formula."""
    x, y = contour.T.astype(float)
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return np.array([contour.min(axis=0), contour.max(axis=0)], dtype=float), area


def _extent(mask: np.ndarray) -> tuple[np.ndarray, float]:
    rows, columns = np.nonzero(mask)
    return np.array(
        [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]], dtype=float
    ), mask.sum()


def _measure(right, left, heart) -> dict[str, float]:
    (right_box, right_area), (left_box, left_area), (heart_box, heart_area) = right, left, heart
    thorax = left_box[1, 0] - right_box[0, 0]
    right_size, left_size, heart_size = (np.diff(box, axis=0)[0] for box in (right_box, left_box, heart_box))
    return {
        "right lung height by width": right_size[1] / right_size[0],
        "left lung height by width": left_size[1] / left_size[0],
        "right lung width": right_size[0] / thorax,
        "left lung width": left_size[0] / thorax,
        "lung height": right_size[1] / thorax,
        "heart width": heart_size[0] / thorax,
        "heart height": heart_size[1] / thorax,
        "right lung area": right_area / thorax**2,
        "left lung area": left_area / thorax**2,
        "heart area": heart_area / thorax**2,
        "heart by lungs, area": heart_area / (right_area + left_area),
    }


def test_shapes_vary_as_in_real_chests(real, drawn):
    unlike = {}
    for name in real[0]:
        r, d = (np.array([chest[name] for chest in chests]) for chests in (real, drawn))
        if abs(r.mean() - d.mean()) > 0.6 * r.std() or not 0.45 < d.std() / r.std() < 1.6:
            unlike[name] = (r.mean(), r.std(), d.mean(), d.std())
    assert not unlike, unlike
