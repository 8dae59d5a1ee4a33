import numpy as np

from llmcxr.metrics.metric import Inputs
from llmcxr.metrics.reports.mean_metric import MeanMetric

LENGTHS = MeanMetric("length", lambda references, candidates: np.array([len(text) for text in candidates]))


def test_the_value_is_the_mean_over_reports():
    rows = LENGTHS.rows(Inputs(["p", "q"], ["", ""], ["a", "abc"]))
    assert rows.tolist() == [1, 3] and LENGTHS.value(rows) == 2


def test_of_no_reports_or_an_undefined_one_there_is_no_value():
    assert LENGTHS.value(np.zeros(0)) is None
    assert LENGTHS.value(np.array([1, np.nan])) is None
