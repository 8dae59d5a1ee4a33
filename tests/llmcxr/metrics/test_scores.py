import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from llmcxr.metrics.scores import agreement, auroc, correlation, detection, macro, share


def test_detection_worked_by_hand():
    score = detection([1, 1, 1, 0, 0], [1, 1, 0, 1, 0])
    assert score["precision"] == pytest.approx(2 / 3)
    assert score["recall"] == pytest.approx(2 / 3)
    assert score["f1"] == pytest.approx(2 / 3)
    assert score["support"] == 3


def test_detection_of_nothing_is_unknown_not_perfect():
    assert detection([0, 0], [0, 0])["f1"] is None
    assert detection([1, 0], [0, 0]) == {"f1": 0.0, "precision": None, "recall": 0.0, "support": 1}


def test_macro_and_share_leave_out_the_unknown():
    assert macro({"a": 1.0, "b": None, "c": 0.5}) == 0.75
    assert macro({"a": None}) is None
    assert share([True, False]) == 0.5
    assert share([]) is None


def test_agreement_worked_by_hand():
    score = agreement([0.4, 0.5, 0.6, None], [0.5, 0.6, 0.7, 0.9])
    assert score["r"] == pytest.approx(1)
    assert score["mae"] == pytest.approx(0.1)
    assert score["bias"] == pytest.approx(0.1)
    assert (score["n"], score["known"]) == (3, 1.0)
    assert agreement([0.4, 0.5], [None, 0.5])["known"] == 0.5


def test_a_constant_correlates_with_nothing():
    assert correlation([0.5, 0.5, 0.5], [0.1, 0.2, 0.3]) is None
    rounded = [0.1 + 0.2, 0.3, 0.3]
    assert correlation(rounded, [0.1, 0.2, 0.3]) is None


def test_auroc_by_hand():
    # of the four pairs 0.8 beats both, 0.4 ties with one and loses none
    assert auroc(np.array([1.0, 1, 0, 0]), np.array([0.8, 0.4, 0.4, 0.1])) == 3.5 / 4


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auroc_with_ties_equals_sklearn(pairs):
    wanted, scores = (np.array(column, float) for column in zip(*pairs, strict=True))
    value = auroc(wanted, scores)
    if len(set(wanted)) < 2:
        assert value is None
    else:
        assert value == pytest.approx(roc_auc_score(wanted, scores))
