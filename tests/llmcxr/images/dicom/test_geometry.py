"""Square pixels and the usual view."""

from __future__ import annotations

import numpy as np
import pytest

from llmcxr.images.dicom.geometry import find_spacing, make_square, orient
from llmcxr.images.dicom.layout import MOST_PIXELS
from tests.llmcxr.images.dicom.built import describe


@pytest.mark.parametrize(
    ("elements", "spacing"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.1, 0.1)),
        ({"PixelSpacing": [0.18, 0.18], "ImagerPixelSpacing": [0.2, 0.2]}, (0.18, 0.18)),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2)),
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [-0.1, 0.1]}, None),
        ({"PixelSpacing": [0.1, 100]}, None),
        ({"PixelSpacing": [500, 500]}, None),
        ({"PixelSpacing": [1e-9, 1e-9]}, None),
        ({"NominalScannedPixelSpacing": [0.175, 0.175]}, (0.175, 0.175)),
        ({"PixelAspectRatio": [1, 2]}, None),
    ],
)
def test_spacing(elements, spacing):
    assert find_spacing(describe(**elements)) == spacing


@pytest.mark.parametrize(
    ("elements", "size"),
    [
        ({"PixelSpacing": [0.1, 0.2]}, (40, 60)),
        ({"PixelSpacing": [0.3, 0.1]}, (120, 30)),
        ({"ImagerPixelSpacing": [0.1, 0.15]}, (40, 45)),
        ({"NominalScannedPixelSpacing": [0.2, 0.1]}, (80, 30)),
        ({"PixelAspectRatio": [1, 2]}, (40, 60)),  # height, width of a pixel
        ({"PixelAspectRatio": [4, 3]}, (53, 30)),
        ({"PixelSpacing": [0.1, 0.1], "PixelAspectRatio": [1, 2]}, (40, 30)),  # spacing goes before
        ({"PixelSpacing": [0, 0], "PixelAspectRatio": [1, 2]}, (40, 60)),
        ({"PixelSpacing": [0.1, 50]}, (40, 30)),  # of no real pixel
        ({"PixelAspectRatio": [0, 1]}, (40, 30)),
        ({"PixelAspectRatio": [1]}, (40, 30)),
        ({"PixelSpacing": [0.1437, 0.1430]}, (40, 30)),  # half a percent is left
        ({}, (40, 30)),
    ],
)
def test_square_size(elements, size):
    pixels, warnings = make_square(np.zeros((40, 30), np.float32), describe(**elements))
    assert pixels.shape == size
    assert [("made square" in warning) for warning in warnings] == [True] * (size != (40, 30))


def test_made_square_a_circle_is_round():
    row, column = np.mgrid[:100, :50] + 0.5
    ellipse = ((row - 50) ** 2 + (2 * column - 50) ** 2 < 30**2).astype(np.float32)  # pixels twice as wide
    square, _ = make_square(ellipse, describe(PixelSpacing=[0.1, 0.2]))
    row, column = np.mgrid[:100, :100] + 0.5
    circle = (row - 50) ** 2 + (column - 50) ** 2 < 30**2
    assert ((square > 0.5) != circle).mean() < 0.01


def test_square_pixels_that_were_too_many_are_refused():
    pixels = np.broadcast_to(np.float32(0), (1, MOST_PIXELS))
    with pytest.raises(ValueError, match="not square"):
        make_square(pixels, describe(PixelSpacing=[0.2, 0.1]))


# The usual picture, of a patient whose left is on the right: L left, R right, H head, F feet.
USUAL = np.array([["RH", "LH"], ["RF", "LF"]])


@pytest.mark.parametrize(
    ("directions", "stored"),
    [
        (("L", "F"), [["RH", "LH"], ["RF", "LF"]]),
        (("R", "F"), [["LH", "RH"], ["LF", "RF"]]),
        (("L", "H"), [["RF", "LF"], ["RH", "LH"]]),
        (("R", "H"), [["LF", "RF"], ["LH", "RH"]]),
        (("F", "L"), [["RH", "RF"], ["LH", "LF"]]),  # rows run to the feet, columns to the left
        (("F", "R"), [["LH", "LF"], ["RH", "RF"]]),
        (("H", "L"), [["RF", "RH"], ["LF", "LH"]]),
        (("H", "R"), [["LF", "LH"], ["RF", "RH"]]),
        (("LA", "FP"), [["RH", "LH"], ["RF", "LF"]]),  # the first letter is the main one
        (("RP", "F"), [["LH", "RH"], ["LF", "RF"]]),
    ],
)
def test_every_direction_comes_out_as_usual(directions, stored):
    pixels, warnings = orient(np.array(stored), describe(PatientOrientation=list(directions)))
    np.testing.assert_array_equal(pixels, USUAL)
    is_usual = (directions[0][0], directions[1][0]) == ("L", "F")
    assert len(warnings) == (not is_usual)


@pytest.mark.parametrize("directions", [["A", "F"], ["P", "H"], ["L"], [], ["L", "R"], ["", ""], ["X", "Y"]])
def test_other_views_and_no_directions_stay(directions):
    stored = np.arange(6).reshape(2, 3)
    pixels, warnings = orient(stored, describe(PatientOrientation=directions))
    np.testing.assert_array_equal(pixels, stored)
    assert warnings == []


def test_the_warning_says_mirrored_or_turned():
    say = lambda *letters: orient(USUAL, describe(PatientOrientation=list(letters)))[1][0]  # noqa: E731
    assert "mirrored" in say("R", "F")
    assert "turned" in say("F", "L") and "turned" in say("R", "H")
