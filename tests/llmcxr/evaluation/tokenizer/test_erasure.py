import numpy as np
import pytest

from llmcxr.evaluation.tokenizer.erasure import erased_findings, means_over_findings
from llmcxr.labeler.states import LABEL_STATES
from llmcxr.records import Label

P, A, U = LABEL_STATES[Label.PRESENT], LABEL_STATES[Label.ABSENT], LABEL_STATES[Label.UNCERTAIN]


def column(*values):
    return np.array(values)[:, None]


def test_a_finding_by_hand():
    labels = column(P, P, A, A, U)
    before = column(0.9, 0.6, 0.2, 0.1, 0.9)  # all four pairs in order
    after = column(0.9, 0.15, 0.2, 0.1, 0.0)  # one of them turned round
    score = erased_findings(["nodule"], labels, before, after, list("abcde"), resamples=200)["nodule"]
    assert (score["support"], score["absent"]) == (2, 2)
    assert (score["auroc_original"], score["auroc_reconstructed"]) == (1, 0.75)
    assert score["auroc_change"] == -0.25
    assert score["auroc_change_interval"][0] <= -0.25 <= score["auroc_change_interval"][1] <= 0
    assert score["survival"] == 0.5  # both were seen, one still is
    assert (score["f1_original"], score["f1_reconstructed"]) == (1, pytest.approx(2 / 3))


def test_a_finding_that_nobody_has_is_not_judged():
    scores = erased_findings(["a", "b"], np.array([[A, P], [A, A]]), np.eye(2), np.eye(2), ["x", "y"])
    assert scores["a"]["auroc_original"] is None and scores["a"]["auroc_change_interval"] is None
    assert scores["a"]["survival"] is None
    assert scores["b"]["auroc_original"] == 0.0
    assert means_over_findings(scores)["auroc_original"] == 0.0
