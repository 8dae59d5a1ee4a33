import math

import numpy as np
import pytest

from llmcxr.metrics.metric import Inputs, score
from llmcxr.metrics.reports.bleu import Bleu
from llmcxr.metrics.reports.tokens import tokenize
from llmcxr.metrics.significance import compare
from tests.llmcxr.metrics.reports.words import make_inputs, one


def value(order, inputs):
    return Bleu(order).value(Bleu(order).rows(inputs))


def test_worked_by_hand():
    inputs = one("the heart is normal in size", "the heart is large")
    # 3 of 4 words, 2 of 3 pairs, 4 words for 6
    brevity = math.exp(1 - 6 / 4)
    assert value(1, inputs) == pytest.approx(brevity * 3 / 4)
    assert value(2, inputs) == pytest.approx(brevity * math.sqrt(3 / 4 * 2 / 3))
    assert value(4, inputs) == 0.0


def test_a_repeated_word_counts_as_often_as_the_reference_has_it():
    assert value(1, one("the cat is on the mat", "the the the the the the the")) == pytest.approx(2 / 7)


def test_counts_are_pooled_over_reports():
    inputs = Inputs(["a", "b"], ["no effusion", "clear"], ["no effusion", "opacity"])
    assert value(1, inputs) == pytest.approx(2 / 3)  # not the mean of 1 and 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_sacrebleu(order, seed):
    from sacrebleu.metrics import BLEU

    inputs = make_inputs(seed=seed)
    theirs = BLEU(smooth_method="none", tokenize="none", force=True, max_ngram_order=order)
    expected = theirs.corpus_score(inputs.candidates, [inputs.references]).score / 100
    assert value(order, inputs) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_nltk_where_each_report_has_an_ngram(order, seed):
    from nltk.translate.bleu_score import corpus_bleu

    inputs = make_inputs(seed=seed)
    pairs = zip(inputs.references, inputs.candidates, strict=True)
    kept = [(one, other) for one, other in pairs if len(tokenize(other)) >= order]
    references, candidates = zip(*kept, strict=True)
    theirs = corpus_bleu(
        [[tokenize(t)] for t in references], [tokenize(t) for t in candidates], [1 / order] * order
    )
    assert value(order, Inputs(["p"] * len(kept), references, candidates)) == pytest.approx(theirs)


def test_equals_torchmetrics():
    from torchmetrics.functional.text import bleu_score

    inputs = make_inputs()
    theirs = bleu_score(inputs.candidates, [[text] for text in inputs.references], n_gram=4)
    assert value(4, inputs) == pytest.approx(float(theirs), abs=1e-6)


def test_empty_reports():
    assert value(1, one("no effusion", "")) == 0.0
    assert value(1, one("", "no effusion")) == 0.0
    assert Bleu(1).value(Bleu(1).rows(Inputs([], [], []))) is None


def test_short_reports_equal_to_their_references_score_one():
    texts = ["Normal.", "No effusion."]  # no run of three words on either side
    assert value(4, Inputs(["a", "b"], texts, texts)) == 1
    assert value(4, Inputs(["a", "b"], texts, ["Normal.", "No edema."])) == 0
    assert value(4, Inputs(["a", "b"], texts, texts[::-1])) == 0  # the same words in all, of other reports


def test_score_has_an_interval_around_the_value():
    result = score(Bleu(2), make_inputs())
    assert result.interval[0] < result.value < result.interval[1]
    assert (result.name, result.n) == ("BLEU-2", 60)


def test_two_systems_are_compared_by_their_rows():
    good = make_inputs()
    bad = Inputs(good.patients, good.references, good.candidates[::-1])
    rows = [Bleu(4).rows(inputs) for inputs in (good, bad)]
    better = compare(Bleu(4), *rows, good.patients, resamples=200)
    assert better.p < 0.01
    assert better.difference == pytest.approx(value(4, good) - value(4, bad))
    assert better.interval[0] > 0
    assert compare(Bleu(4), rows[0], rows[0], good.patients, resamples=50).p == 1


def test_rows_are_counts():
    rows = Bleu(2).rows(one("no effusion", "no no effusion"))
    assert np.array_equal(rows, [[2, 1, 3, 2, 3, 2]])
