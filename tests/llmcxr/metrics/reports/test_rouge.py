import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.metrics.metric import score
from llmcxr.metrics.reports.rouge import ROUGE_L, longest_common_subsequence, rouge_l
from llmcxr.metrics.reports.tokens import tokenize
from tests.llmcxr.metrics.reports.words import make_inputs

WORDS = st.lists(st.sampled_from("abcd"), max_size=80)


class Tokens:
    """Our words for rouge_score."""

    def tokenize(self, text):
        return tokenize(text)


def test_worked_by_hand():
    reference, candidate = ["the", "heart", "is", "not", "enlarged"], ["the", "heart", "enlarged"]
    assert longest_common_subsequence(reference, candidate) == 3
    assert rouge_l(reference, candidate) == pytest.approx(2 * 1 * 0.6 / 1.6)
    assert rouge_l([], ["a"]) == rouge_l(["a"], []) == rouge_l([], []) == 0.0


@given(WORDS, WORDS)
def test_longest_common_subsequence_equals_the_table(first, second):
    table = np.zeros((len(first) + 1, len(second) + 1), int)
    for i, left in enumerate(first, 1):
        for j, right in enumerate(second, 1):
            longest = max(table[i - 1, j], table[i, j - 1])
            table[i, j] = table[i - 1, j - 1] + 1 if left == right else longest
    assert longest_common_subsequence(first, second) == table[-1, -1]


def test_equals_rouge_score():
    from rouge_score.rouge_scorer import RougeScorer

    inputs = make_inputs()
    scorer = RougeScorer(["rougeL"], tokenizer=Tokens())
    theirs = [
        scorer.score(reference, candidate)["rougeL"].fmeasure
        for reference, candidate in zip(inputs.references, inputs.candidates, strict=True)
    ]
    assert np.allclose(ROUGE_L.rows(inputs), theirs)
    assert score(ROUGE_L, inputs).value == pytest.approx(np.mean(theirs))
