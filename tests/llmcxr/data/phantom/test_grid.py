"""Pixels of a 4 x 4 picture whose sides are 1 tw long, with answers worked by hand."""

import numpy as np
import pytest

from llmcxr.data.phantom.grid import Grid, curve, densify

CENTRES = (np.arange(4, dtype=np.float32) + 0.5) / 4  # 0.125, 0.375, 0.625, 0.875
GRID = Grid(4, 0.25, np.tile(CENTRES, (4, 1)), CENTRES[:, None])


def test_a_box_holds_its_pixels_and_one_around():
    rows, columns = GRID.box(0.3, 0.7, 0.6, 0.65)
    assert (rows, columns) == (slice(1, 4), slice(0, 4))
    assert GRID.box(0, 1, 3, 4) == (slice(0, 0), slice(0, 0))


def test_edges_are_soft_over_one_pixel():
    distance = np.array([-0.125, -0.0625, 0, 0.0625, 0.125])
    # x = 0, 1/4, 1/2, 3/4, 1 of the way in, and x² (3 - 2x)
    np.testing.assert_allclose(GRID.inside(distance), [0, 0.15625, 0.5, 0.84375, 1], atol=1e-6)


VERTICAL = np.array([(0.375, 0.375), (0.375, 0.625)])  # from the middle of pixel (1, 1) to that of (2, 1)


def test_distance_to_a_line_is_no_larger_than_the_reach():
    distance = GRID.distance(VERTICAL, reach=0.4)
    np.testing.assert_allclose(distance[1], [0.25, 0, 0.25, 0.4], atol=1e-6)
    np.testing.assert_allclose(distance[0], [0.125**0.5, 0.25, 0.125**0.5, 0.4], atol=1e-6)


def test_a_line_below_a_pixels_width_is_fainter():
    wide, thin = GRID.line(VERTICAL, 0.25), GRID.line(VERTICAL, 0.05)
    assert wide[1, 1] == pytest.approx(1) and thin[1, 1] == pytest.approx(0.05 / 0.25 + 0.2)
    assert wide[1, 3] == thin[1, 3] == 0


def test_polylines_get_points_and_curves_pass_through_theirs():
    dense = densify(np.array([(0.0, 0.0), (0.0, 1.0)]), 0.25)
    np.testing.assert_allclose(dense, [(0, 0), (0, 0.25), (0, 0.5), (0, 0.75), (0, 1)])
    points = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)]
    smooth = curve(points, samples=4)
    assert smooth.shape == (9, 2)
    np.testing.assert_allclose(smooth[::4], points)
