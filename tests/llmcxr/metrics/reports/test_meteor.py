import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.metrics.metric import Inputs, score
from llmcxr.metrics.reports.meteor import METEOR, meteor
from llmcxr.metrics.reports.tokens import tokenize
from tests.llmcxr.metrics.reports.words import make_inputs


class EmptyWordNet:
    def synsets(self, word):
        return []


def test_worked_by_hand():
    reference, candidate = ["small", "left", "effusion", "is", "seen"], ["left", "effusions", "seen"]
    # precision 1, recall 3/5, two chunks of three words
    mean = 0.6 / (0.9 * 1 + 0.1 * 0.6)
    assert meteor(reference, candidate) == pytest.approx(mean * (1 - 0.5 * (2 / 3) ** 3))
    assert meteor(["clear"], ["clear"]) == 1.0
    assert meteor([], ["a"]) == meteor(["a"], []) == meteor([], []) == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_equals_nltk_without_wordnet_but_for_reports_equal_to_their_references(seed):
    from nltk.translate.meteor_score import meteor_score

    inputs = make_inputs(seed=seed)
    pairs = [
        (tokenize(reference), tokenize(candidate))
        for reference, candidate in zip(inputs.references, inputs.candidates, strict=True)
    ]
    theirs = [
        1.0 if pair[0] and pair[0] == pair[1] else meteor_score([pair[0]], pair[1], wordnet=EmptyWordNet())
        for pair in pairs
    ]
    assert np.allclose(METEOR.rows(inputs), theirs)
    assert score(METEOR, inputs).value == pytest.approx(np.mean(theirs))


def test_words_of_one_stem_match():
    for word, other in (("opacities", "opacity"), ("consolidated", "consolidation"), ("dies", "die")):
        assert meteor([word], [other]) == 0.5
    assert meteor(["effusion"], ["effective"]) == 0.0


@given(st.text(max_size=9), st.text(max_size=9))
def test_any_text_has_a_score(reference, candidate):
    assert 0 <= meteor(tokenize(reference), tokenize(candidate)) <= 1


def test_the_mean_of_no_reports_is_undefined():
    assert score(METEOR, Inputs([], [], [])).value is None
