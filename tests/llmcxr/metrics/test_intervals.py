import numpy as np
import pytest

from llmcxr.metrics.intervals import bootstrap


def test_interval_of_a_mean_is_as_wide_as_its_standard_error():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap(lambda rows: values[rows].mean(), [str(i) for i in range(400)])
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)
    assert low < values.mean() < high


def test_studies_of_one_patient_stay_together():
    values = np.repeat([0.0, 1.0], 50)  # two patients: a resample is all 0, half and half, or all 1
    patients = ["a"] * 50 + ["b"] * 50
    assert bootstrap(lambda rows: values[rows].mean(), patients) == (0.0, 1.0)


def test_same_seed_same_interval_and_undefined_is_none():
    values = np.arange(30.0)
    patients = [str(i) for i in range(30)]
    first, again = (bootstrap(lambda rows: values[rows].mean(), patients, seed=3) for _ in range(2))
    assert first == again
    assert bootstrap(lambda rows: None, patients) is None
