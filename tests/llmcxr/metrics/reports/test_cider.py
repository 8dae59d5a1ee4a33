import math
from collections import Counter

import numpy as np
import pytest

from llmcxr.metrics.metric import Inputs, score
from llmcxr.metrics.reports.cider import CIDER_D, cider_d
from llmcxr.metrics.reports.tokens import tokenize
from tests.llmcxr.metrics.reports.words import make_inputs, one


def test_worked_by_hand():
    scores = cider_d(["no effusion", "clear lungs"], ["no effusion", "clear"])
    # Two references share no n-gram, so each weighs log 2. Orders 1 and 2 of the first are alike, it has no
    # n-gram of orders 3 and 4. The second is one of two words, and one word shorter.
    assert scores[0] == pytest.approx(10 * (1 + 1 + 0 + 0) / 4)
    assert scores[1] == pytest.approx(10 * math.exp(-1 / 72) * (1 / math.sqrt(2)) / 4)


def test_what_every_reference_says_is_worth_nothing_and_of_equal_references_nothing_is_known():
    assert cider_d(["clear", "clear effusion"], ["clear", "clear"]).tolist() == [0, 0]
    assert np.isnan(cider_d(["no effusion"] * 2, ["no effusion", "effusion"])).all()


def test_a_perfect_set_has_a_perfect_score_however_short_its_reports():
    for reports in (["clear", "clear effusion"], ["no effusion"] * 2):
        assert cider_d(reports, [text.upper() for text in reports]).tolist() == [10, 10]


def test_repeating_does_not_pay():
    plain, repeated = (
        cider_d(["a b c d e", "x"], [text, "x"])[0] for text in ("a b c d e", "a b c d e a b c d e")
    )
    assert plain == pytest.approx(10)
    assert repeated < 5


def test_empty_reports_and_single_studies():
    assert cider_d(["no effusion", "clear"], ["", "clear"])[0] == 0
    assert cider_d(["", "clear"], ["no effusion", "clear"])[0] == 0
    assert score(CIDER_D, one("no effusion", "no effusion")).value is None


def test_equals_vectors_over_the_whole_vocabulary():
    inputs = make_inputs(30)
    reports = [*inputs.references, *inputs.candidates]
    expected = np.zeros(30)
    for order in (1, 2, 3, 4):
        runs = [[tuple(t[i : i + order]) for i in range(len(t) - order + 1)] for t in map(tokenize, reports)]
        column = {
            ngram: place for place, ngram in enumerate(sorted({ngram for run in runs for ngram in run}))
        }
        counts = np.zeros((60, len(column)))
        for row, run in enumerate(runs):
            for ngram, count in Counter(run).items():
                counts[row, column[ngram]] = count
        frequency = np.maximum((counts[:30] > 0).sum(0), 1)
        true, written = np.split(counts * np.log(30 / frequency), 2)
        norms = np.linalg.norm(true, axis=1) * np.linalg.norm(written, axis=1)
        products = (np.minimum(true, written) * true).sum(1)
        expected += np.divide(products, norms, out=np.zeros(30), where=norms > 0)
    lengths = np.array([len(tokenize(text)) for text in reports])
    expected *= 10 / 4 * np.exp(-((lengths[30:] - lengths[:30]) ** 2) / 72)
    assert np.allclose(cider_d(inputs.references, inputs.candidates), expected)


def test_the_bootstrap_keeps_the_frequencies():
    rows = CIDER_D.rows(make_inputs())
    assert rows.shape == (60,)
    assert CIDER_D.value(rows[:1]) == rows[0]
    assert score(CIDER_D, make_inputs()).interval is not None


def test_as_many_candidates_as_references():
    with pytest.raises(ValueError, match="1 candidates for 2"):
        Inputs(["a", "b"], ["x", "y"], ["x"])
