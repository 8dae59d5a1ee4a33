"""The ratio by geometry against the phantom's truth, and pictures in which there is nothing to measure."""

import numpy as np
import pytest

from llmcxr.data.phantom import points, render, sample_case
from llmcxr.measure import measure_cardiothoracic_ratio

NUM_CASES = 60
SEED = 500  # not the seed that the correction was fitted on


@pytest.fixture(scope="module")
def cases():
    return [sample_case(SEED, i) for i in range(NUM_CASES)]


@pytest.fixture(scope="module")
def measured(cases):
    return [measure_cardiothoracic_ratio(image) for image in render(cases, 128)]


def test_it_agrees_with_the_truth_where_no_fluid_covers_the_borders(cases, measured):
    pairs = [
        (m.ratio, c.cardiothoracic_ratio)
        for m, c in zip(measured, cases, strict=True)
        if m.ratio is not None and c.find("pleural effusion") is None
    ]
    found, true = np.array(pairs).T
    assert len(pairs) > 30
    assert np.corrcoef(found, true)[0, 1] > 0.9
    assert np.abs(found - true).mean() < 0.015


def test_what_is_not_assessable_says_why(cases, measured):
    refused = [m for m in measured if m.ratio is None]
    assert refused and all("not assessable" in m.reason for m in refused)
    large = [
        m
        for m, c in zip(measured, cases, strict=True)
        if (finding := c.find("pleural effusion")) and finding.grade == "large"
    ]
    assert sum(m.ratio is None for m in large) > len(large) / 2


def test_the_size_of_the_picture_hardly_matters(cases):
    images = render(cases[:4], 128), render(cases[:4], 192)
    for small, large in zip(*images, strict=True):
        one, other = measure_cardiothoracic_ratio(small), measure_cardiothoracic_ratio(large)
        if one.ratio is not None and other.ratio is not None:
            assert one.ratio == pytest.approx(other.ratio, abs=0.03)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_an_even_picture_has_no_ratio(level):
    measurement = measure_cardiothoracic_ratio(np.full((90, 120), level, dtype=np.float32))
    assert measurement.ratio is None and "contrast" in measurement.reason


def test_noise_does_not_crash_it():
    measure_cardiothoracic_ratio(np.eye(128, dtype=np.float32))
    measure_cardiothoracic_ratio(np.random.default_rng(0).random((128, 128), dtype=np.float32))
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        measure_cardiothoracic_ratio(np.zeros((3, 4, 5)))


def test_the_thorax_is_as_wide_as_the_phantom_says(cases, measured):
    errors = []
    for case, measurement in zip(cases, measured, strict=True):
        if measurement.ratio is not None:
            places = points(case)
            true = places["thorax left edge"][1] - places["thorax right edge"][1]
            errors.append(abs(measurement.thorax_width - true))
    assert np.median(errors) < 0.035  # of the picture: borders are seen slightly inside where they are


def test_exposure_hardly_matters(cases):
    for image in render(cases[:4], 128):
        one, other = measure_cardiothoracic_ratio(image), measure_cardiothoracic_ratio(image * 0.7 + 0.1)
        assert (one.ratio is None) == (other.ratio is None)
        if one.ratio is not None:
            assert one.ratio == pytest.approx(other.ratio, abs=0.005)
