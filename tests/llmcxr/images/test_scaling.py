"""What white is: the rule of bits by hand, and numbers that are no pixels."""

from __future__ import annotations

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.images.scaling import check_brightness, find_bits, scale_floats, scale_integers


@pytest.mark.parametrize(
    ("largest", "white"),
    [(200, 255), (255, 255), (256, 1023), (1023, 1023), (1024, 4095), (4096, 16383), (16384, 65535)],
)
def test_the_largest_of_16_bit_values_tells_what_white_is(largest, white):
    values = np.array([[0, 7, largest]], np.uint16)
    scaled, warnings = scale_integers(values)
    np.testing.assert_allclose(scaled[0], [0, 7 / white, largest / white], rtol=1e-6)
    assert [str(white) in warning for warning in warnings] == ([] if white == 65535 else [True])


def test_bytes_are_always_8_bits():
    np.testing.assert_allclose(scale_integers(np.array([[3]], np.uint8))[0], 3 / 255)


def test_a_dark_8_bit_picture_spread_over_16_bits_stays_dark():
    spread = np.array([[0, 1, 20, 40]], np.uint16) * 257  # the largest, 10280, would be 14 bits
    np.testing.assert_allclose(scale_integers(spread)[0][0] * 255, [0, 1, 20, 40], rtol=1e-5)
    assert find_bits(spread + np.array([1, 0, 0, 0], np.uint16), 10280) == 14


def test_declared_bits_are_taken_at_their_word():
    scaled, warnings = scale_integers(np.array([[0, 300]], np.uint16), bits=12)
    np.testing.assert_allclose(scaled[0, 1], 300 / 4095, rtol=1e-6)
    assert warnings == []


def test_negative_and_32_bit_values_are_scaled_by_their_range():
    assert scale_integers(np.array([[-10, 0, 10]], np.int16))[0].tolist() == [[0, 0.5, 1]]
    assert scale_integers(np.array([[0, 2**20]], np.int32))[0].tolist() == [[0, 1]]
    assert scale_floats(np.array([[-1000.0, 1000.0, 3000.0]]))[0].tolist() == [[0, 0.5, 1]]


def test_floats_in_range_are_brightness_already():
    values = np.array([[0, 0.25, 1 + 1e-6]])
    np.testing.assert_allclose(scale_floats(values)[0], [[0, 0.25, 1]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3.3e38, -1e300, 1e10])
def test_numbers_that_no_pixel_has_are_refused(bad):
    with pytest.raises(UserError, match=r"expected (finite )?pixels"):
        scale_floats(np.array([[0.0, 0.5, bad]]))
    with pytest.raises(UserError, match="must be finite and must lie in"):
        check_brightness(np.array([[0.0, 0.5, bad]]))


def test_rounding_errors_are_no_fault_of_brightness():
    check_brightness(np.array([-1e-6, 1 + 1e-6]))
    with pytest.raises(UserError, match=r"found -1\.\.1"):
        check_brightness(np.array([-1.0, 1.0]))
