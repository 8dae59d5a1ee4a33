"""Sampling: what is kept, how often a word comes, and whose randomness it is."""

import pytest
import torch

from llmcxr.common.errors import UserError
from llmcxr.decoding.sampling import RowStreams, sample
from llmcxr.decoding.settings import GREEDY, Sampling

LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()


def frequencies(sampling, draws=4000):
    streams = RowStreams([0])
    counts = torch.zeros(4)
    for _ in range(draws):
        counts[sample(LOGITS, sampling, streams)] += 1
    return counts / draws


def test_greedy_takes_the_best():
    assert sample(LOGITS, GREEDY, RowStreams([3])).tolist() == [0]


def test_words_come_as_often_as_they_are_likely():
    torch.testing.assert_close(frequencies(Sampling(1.0)), LOGITS.exp()[0], atol=0.03, rtol=0)


def test_temperature_sharpens():
    expected = (LOGITS[0] / 0.5).softmax(0)
    torch.testing.assert_close(frequencies(Sampling(0.5)), expected, atol=0.03, rtol=0)


def test_top_k_keeps_the_best_words_in_proportion():
    expected = torch.tensor([0.625, 0.375, 0, 0])
    torch.testing.assert_close(frequencies(Sampling(1.0, top_k=2)), expected, atol=0.03, rtol=0)


@pytest.mark.parametrize(("top_p", "num_kept"), [(0.4, 1), (0.6, 2), (0.81, 3), (1.0, 4)])
def test_top_p_keeps_the_fewest_words_that_reach_it(top_p, num_kept):
    assert int((frequencies(Sampling(1.0, top_p=top_p), 600) > 0).sum()) == num_kept


def test_a_row_draws_the_same_beside_any_other():
    logits = torch.randn(3, 50)
    together = sample(logits, Sampling(1.0), RowStreams([4, 5, 6]))
    alone = sample(logits[1:2], Sampling(1.0), RowStreams([5]))
    assert together[1] == alone[0]


@pytest.mark.parametrize(
    "settings",
    [{"temperature": -1}, {"temperature": float("nan")}, {"top_k": -2}, {"top_p": 0}, {"top_p": 1.5}],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(UserError, match="must be"):
        Sampling(**settings)
