from dataclasses import replace

import numpy as np
import pytest

from llmcxr.data.phantom.anatomy import build_anatomy
from llmcxr.data.phantom.parts import build_grid, carina, hilum, sign_of
from llmcxr.data.phantom.projection import build_chest
from tests.llmcxr.data.phantom.cases import PLAIN

SIZE = 64


@pytest.fixture(scope="module")
def chest():
    return build_chest(PLAIN, SIZE)


def test_pixel_centres_are_those_of_the_chest(chest):
    anatomy = build_anatomy(PLAIN)
    grid = build_grid(anatomy, SIZE)
    assert grid.u.shape == (SIZE, SIZE) and grid.v.shape == (SIZE, 1)
    assert grid.pixel == pytest.approx(1 / (SIZE * anatomy.scale))
    row, column = 10, 50
    v = ((row + 0.5) / SIZE - anatomy.top) / anatomy.scale
    assert grid.v[row, 0] == pytest.approx(v, abs=1e-5)
    assert anatomy.to_column(grid.u[row, column], grid.v[row, 0]) * SIZE == pytest.approx(
        column + 0.5, abs=1e-3
    )


def test_lungs_lie_on_their_sides_and_do_not_overlap(chest):
    right, left = (lung > 0.5 for lung in chest.lungs)
    assert not (right & left).any()
    assert np.nonzero(right)[1].mean() < np.nonzero(left)[1].mean()  # the patient's right is image left
    assert (chest.air[right | left] >= 0).all() and chest.air[~(right | left)].max() < chest.air.max()


def test_path_lengths_are_never_negative(chest):
    for name in ("body", "air", "heart", "spine", "ribs", "clavicles", "scapulae", "vessels", "aorta"):
        part = getattr(chest, name)
        assert part.shape == (SIZE, SIZE) and part.min() >= 0 and part.max() > 0, name


def test_women_have_breasts_and_men_have_none(chest):
    assert chest.breasts.max() == 0
    assert build_chest(replace(PLAIN, sex="F"), SIZE).breasts.max() > 3


def test_right_is_negative_and_the_right_hilum_is_lower():
    anatomy = build_anatomy(PLAIN)
    assert sign_of("right") == -1 and sign_of("left") == 1
    assert hilum(anatomy, -1)[0] < carina(anatomy)[0] < hilum(anatomy, 1)[0]
    assert carina(anatomy)[1] < hilum(anatomy, 1)[1]
