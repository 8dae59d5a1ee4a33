import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.images.statistics import (
    FILE,
    compare_images,
    measure_images,
    read_summary,
    summarise_images,
    write_summary,
)


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
    (tmp_path / FILE).write_text("[1]")
    with pytest.raises(UserError, match="expected a summary of training images"):
        read_summary(tmp_path)
