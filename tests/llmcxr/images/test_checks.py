"""The cheap look at whether a picture is a frontal chest radiograph."""

from __future__ import annotations

import numpy as np

from llmcxr import images
from llmcxr.images.checks import GRID, _draw_lungs, warn_unlike_chest


def _chest() -> np.ndarray:
    """A caricature: bright body, two dark lungs. (GRID, GRID) in [0, 1]."""
    return (0.9 + 0.6 * _draw_lungs()).astype(np.float32)


def test_a_chest_gets_no_warning_and_an_inverted_one_does():
    assert warn_unlike_chest(_chest()) == ()
    assert any("no dark lungs" in warning for warning in warn_unlike_chest(1 - _chest()))


def test_the_size_of_the_picture_does_not_matter():
    assert warn_unlike_chest(np.kron(_chest(), np.ones((9, 7), np.float32))) == ()
    assert GRID == 64


def test_real_frontal_radiographs_pass_and_inverted_ones_are_found(shared_data):
    paths = sorted((shared_data / "nih" / "images").glob("*.jpg"))[::20]
    pictures = [images.fit(images.read(path), 128)[0] for path in paths]
    frontal = [bool(warn_unlike_chest(picture)) for picture in pictures]
    inverted = [bool(warn_unlike_chest(1 - picture)) for picture in pictures]
    assert np.mean(frontal) <= 0.05
    assert np.mean(inverted) >= 0.8
