from dataclasses import replace

import numpy as np
import pytest

from llmcxr.data.phantom.anatomy import build_anatomy, bump, smooth
from tests.llmcxr.data.phantom.cases import PLAIN


def test_steps_and_bumps_by_hand():
    np.testing.assert_allclose(smooth(np.array([0.0, 1, 1.5, 2, 9]), 1, 2), [0, 0, 0.5, 1, 1])
    assert bump(np.array(3.0), 3, 2) == 1
    assert bump(np.array(5.0), 3, 2) == pytest.approx(np.exp(-0.5))


@pytest.mark.parametrize("ratio", [0.4, 0.5, 0.62])
def test_the_heart_is_solved_for_the_ratio(ratio):
    anatomy = build_anatomy(replace(PLAIN, cardiothoracic_ratio=ratio))
    assert anatomy.measure_ratio() == pytest.approx(ratio, abs=1e-6)
    (right, _), (left, _) = anatomy.heart_extremes
    assert right < 0 < left and left > -right  # two thirds of a heart are left of the midline


def test_the_inner_wall_is_narrow_at_the_apex_and_widest_low_down():
    anatomy = build_anatomy(PLAIN)
    wall = anatomy.outer(np.array([0.0, 0.2, 0.5, 0.82]) * anatomy.height, 1)
    assert wall[0] == 0 and (np.diff(wall) > 0).all()
    (right, _), (left, _) = anatomy.thorax_edges
    assert left - right == pytest.approx(1, abs=0.05)  # lengths are in thorax widths


def test_the_same_case_has_the_same_chest():
    assert build_anatomy(PLAIN) == build_anatomy(PLAIN)
    assert build_anatomy(PLAIN) != build_anatomy(replace(PLAIN, index=5))
