import numpy as np
import pytest

from llmcxr.metrics.images.feature_metric import FeatureMetric, checked
from llmcxr.metrics.metric import Inputs, score

SHIFT = FeatureMetric("shift", lambda real, drawn: float((drawn.mean(0) - real.mean(0)).sum()))


def test_rows_hold_each_studys_real_and_drawn_features():
    real, drawn = np.zeros((3, 2)), np.arange(6.0).reshape(3, 2)
    inputs = Inputs(["p", "q", "r"], real_features=real, drawn_features=drawn)
    rows = SHIFT.rows(inputs)
    assert rows.shape == (3, 2, 2) and (rows[:, 1] == drawn).all()
    found = score(SHIFT, inputs)
    assert found.value == pytest.approx(2 + 3) and found.interval is None


def test_features_that_are_not_finite_or_of_another_width_are_refused():
    good, broken = np.zeros((4, 2)), np.full((4, 2), np.inf)
    with pytest.raises(ValueError, match="4 of 4 real images have NaN or infinite"):
        checked(broken, good)
    with pytest.raises(ValueError, match=r"expected features \(N, D\) and \(M, D\)"):
        checked(good, good[0])
