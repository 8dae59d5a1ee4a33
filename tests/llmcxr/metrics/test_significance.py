from dataclasses import dataclass

import numpy as np
import pytest

from llmcxr.metrics.significance import compare


@dataclass(frozen=True)
class Mean:
    name: str = "mean"
    inputs: tuple[str, ...] = ()
    resamples: int = 0

    def rows(self, inputs):
        raise NotImplementedError

    def value(self, rows):
        return float(rows.mean()) if len(rows) and not np.isnan(rows).any() else None


def people(num):
    return [f"p{i}" for i in range(num)]


def test_identical_systems():
    rows = np.random.default_rng(0).normal(size=40)
    result = compare(Mean(), rows, rows, people(40), resamples=200)
    assert (result.name, result.difference, result.p, result.interval) == ("mean", 0.0, 1.0, (0.0, 0.0))


def test_a_clear_difference():
    noise = np.random.default_rng(0).normal(size=(2, 60))
    result = compare(Mean(), noise[0] + 2, noise[1], people(60), resamples=500)
    assert result.p == pytest.approx(1 / 501)  # the least that 500 trials can say
    assert result.interval[0] < result.difference < result.interval[1]
    assert result.interval[0] > 1
    assert result.difference == pytest.approx(result.first - result.second)


def test_noise_is_not_significant_more_often_than_it_should_be():
    rng = np.random.default_rng(1)
    trials = [compare(Mean(), *rng.normal(size=(2, 20)), people(20), 99, seed).p for seed in range(100)]
    assert np.mean(np.array(trials) <= 0.1) == pytest.approx(0.1, abs=0.08)


def test_worked_by_hand():
    # Three patients, A better by 1 each. Of the 8 ways to swap, 2 (none, all) give a mean of 1 or -1.
    result = compare(Mean(), np.ones(3), np.zeros(3), people(3), resamples=4000)
    assert result.difference == 1
    assert result.p == pytest.approx(2 / 8, abs=0.03)


def test_whole_patients_are_swapped_together():
    # One patient with every study: swapped or not, the difference is as large.
    assert compare(Mean(), np.ones(30), np.zeros(30), ["p"] * 30, resamples=100).p == 1
    # Two patients: of the 4 ways, the 2 that swap both or none. Swapping studies alone would give p of 1e-9.
    patients = ["p"] * 15 + ["q"] * 15
    assert compare(Mean(), np.ones(30), np.zeros(30), patients, resamples=4000).p == pytest.approx(
        0.5, abs=0.04
    )


def test_rows_of_any_shape_are_swapped_whole():
    first, second = np.zeros((20, 3, 4)), np.ones((20, 3, 4))

    class EachRowIsOfOneSystem(Mean):
        def value(self, rows):
            assert (rows == rows[:, :1, :1]).all()
            return super().value(rows)

    assert compare(EachRowIsOfOneSystem(), first, second, people(20), resamples=50).p == 1 / 51


def test_undefined_scores_have_no_p():
    result = compare(Mean(), np.full(4, np.nan), np.ones(4), people(4))
    assert (result.first, result.second, result.difference, result.p) == (None, 1.0, None, None)


def test_both_systems_judge_the_same_studies():
    with pytest.raises(ValueError, match="3 and 2 rows for 3 studies"):
        compare(Mean(), np.ones(3), np.ones(2), people(3))
    with pytest.raises(ValueError, match="3 and 3 rows for 2 studies"):
        compare(Mean(), np.ones(3), np.ones(3), people(2))
