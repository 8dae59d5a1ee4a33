"""Fit and its inverse: areas are averaged, the aspect kept, and the padding says where the picture lies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcxr import images


def test_fit_averages_the_area_of_each_new_pixel():
    image = np.array([[0, 1, 0.5, 0.5], [1, 0, 0.5, 0.1]], np.float32)
    fitted, padding = images.fit(image, 2)
    np.testing.assert_allclose(fitted, [[0.5, 0.4], [0, 0]], atol=1e-6)
    assert (padding.top, padding.left, padding.height, padding.width) == (0, 0, 1, 2)


def test_fit_divides_a_pixel_between_two_where_the_size_is_no_multiple():
    fitted, _ = images.fit(np.array([[0, 1, 0]] * 3, np.float32), 2)
    np.testing.assert_allclose(fitted, 1 / 3, atol=1e-6)  # (0 * 1 + 1 * 0.5) / 1.5


def test_fit_does_not_alias():
    stripes = np.tile(np.array([0, 1], np.float32), (500, 250))  # finer than the new pixels
    assert np.ptp(images.fit(stripes, 97)[0]) < 0.2  # 1.0 where pixels are picked, not averaged


def test_fit_pads_the_short_side_with_black_in_the_middle():
    fitted, padding = images.fit(np.ones((10, 20), np.float32), (20, 20))
    assert padding.content == (slice(5, 15), slice(0, 20))
    assert fitted[5:15].min() == 1 and fitted[:5].max() == 0 and fitted[15:].max() == 0


sides = st.integers(1, 90)


@settings(max_examples=80, deadline=None)
@given(sides, sides, sides, sides, st.integers(0, 2**31))
def test_fit_keeps_the_picture_inside_its_padding(height, width, rows, columns, seed):
    image = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    fitted, padding = images.fit(image, (rows, columns))
    assert fitted.shape == (rows, columns) and fitted.dtype == np.float32
    content = fitted[padding.content]
    assert content.shape == (padding.height, padding.width)
    assert np.count_nonzero(fitted) <= content.size
    assert image.min() - 1e-5 <= content.min() and content.max() <= image.max() + 1e-5
    if (rows, columns) == (height, width):
        np.testing.assert_array_equal(fitted, image)


@settings(max_examples=30, deadline=None)
@given(sides, sides, st.integers(1, 90), st.floats(0, 1, width=32))
def test_an_even_picture_stays_even(height, width, size, value):
    image = np.full((height, width), value, np.float32)
    fitted, padding = images.fit(image, size)
    np.testing.assert_allclose(fitted[padding.content], value, atol=1e-5)


@pytest.mark.parametrize("size", [0, -1, (3, 0)])
def test_fit_refuses_an_impossible_size(size):
    with pytest.raises(ValueError, match="at least 1 x 1"):
        images.fit(np.zeros((4, 4), np.float32), size)
