"""The cheap look at whether a picture is a frontal chest radiograph, and a set like that of a training."""

from __future__ import annotations

import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.images.checks import (
    FILE,
    GRID,
    _draw_lungs,
    compare_images,
    measure_images,
    read_summary,
    summarise_images,
    warn_unlike_chest,
    write_summary,
)


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


def test_statistics_by_hand():
    image = np.zeros((1, 4, 4), np.float32)
    image[0, :, 2:] = 1
    measured = {name: values[0] for name, values in measure_images(image).items()}
    assert measured == pytest.approx(
        {
            "brightness": 0.5,
            "contrast": 0.5,
            "dark end": 0,
            "bright end": 1,
            "sharpness": 1 / 6,
            "black share": 0.5,
        }
    )


def sample(rng, n, brightness):
    return np.clip(rng.normal(brightness, 0.1, (n, 1, 1)) + rng.normal(0, 0.1, (n, 16, 16)), 0, 1)


def test_alike_images_pass_and_brighter_ones_are_shifted():
    rng = np.random.default_rng(0)
    summary = summarise_images([sample(rng, 300, 0.4), sample(rng, 200, 0.4)], 16)
    assert summary.num_images == 500
    alike = compare_images(summary, measure_images(sample(rng, 100, 0.4)))
    assert not any(shift.is_shifted for shift in alike)
    brighter = {s.statistic: s for s in compare_images(summary, measure_images(sample(rng, 100, 0.75)))}
    assert brighter["brightness"].is_shifted and brighter["brightness"].outside > 0.5
    assert brighter["brightness"].training_median == pytest.approx(0.4, abs=0.03)
    one = compare_images(summary, measure_images(np.ones((1, 16, 16))))
    assert not any(shift.is_shifted for shift in one)  # one odd image is no other site
    narrow = measure_images(
        np.full((20, 16, 16), 0.45)
    )  # all within the range of brightness, none of contrast
    assert {s.statistic: s.is_shifted for s in compare_images(summary, narrow)}["contrast"]


def test_what_is_written_is_read(tmp_path):
    assert read_summary(tmp_path) is None
    summary = summarise_images([sample(np.random.default_rng(0), 5, 0.4)], 16)
    write_summary(tmp_path, summary)
    read = read_summary(tmp_path)
    assert {name: tuple(values) for name, values in read.quantiles.items()} == summary.quantiles
    assert compare_images(read, measure_images(np.zeros((3, 16, 16))))
    for content in ("[1]", "[" * 100_000):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(UserError, match="expected a summary of training images"):
            read_summary(tmp_path)
