"""Measure whether a system says yes too often, on questions whose reference begins with yes or no.

The share of yes answered stands beside the share of yes that is true, and accuracy beside what always
giving the more frequent answer would have: a system that answers yes to everything has the accuracy of the
yes share and a balanced accuracy of one half. Knows no model.

A row is (asked, truth, answered yes, answered no), each 0 or 1. An answer that begins with neither yes nor no
is a wrong one, and no yes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.metrics.answers.kinds import score_with_support
from llmcxr.metrics.answers.matchers import read_yes_no
from llmcxr.metrics.metric import Score


@dataclass(frozen=True)
class YesNoMetric:
    """Score the yes/no questions; `measure` takes truth, answered yes and answered no, each (n,) bool."""

    name: str
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray], float | None]
    inputs: tuple[str, ...] = ("questions", "answers")
    resamples: int = 500

    def rows(self, inputs: QuestionInputs) -> np.ndarray:
        """Return (N, 4) bool: asked, truth, answered yes, answered no."""
        truth = [read_yes_no(question.answer) for question in inputs.questions]
        answered = [read_yes_no(answer) for answer in inputs.answers]
        rows = [
            (true is not None, true is True, one is True, one is False)
            for true, one in zip(truth, answered, strict=True)
        ]
        return np.array(rows, bool).reshape(-1, 4)

    def value(self, rows: np.ndarray) -> float | None:
        asked = rows[rows[:, 0]]
        return self.measure(*asked[:, 1:].T) if len(asked) else None


def _balanced_accuracy(truth: np.ndarray, yes: np.ndarray, no: np.ndarray) -> float | None:
    """Average the shares right among the true yes and among the true no; None with one of them absent."""
    if truth.all() or not truth.any():
        return None
    return float((yes[truth].mean() + no[~truth].mean()) / 2)


YES_SHARE = YesNoMetric("yes said", lambda truth, yes, no: float(yes.mean()))
YES_TRUE = YesNoMetric("yes true", lambda truth, yes, no: float(truth.mean()))
ACCURACY = YesNoMetric("yes/no accuracy", lambda truth, yes, no: float(np.where(truth, yes, no).mean()))
BALANCED = YesNoMetric("balanced accuracy", _balanced_accuracy)
MAJORITY = YesNoMetric(
    "always the more frequent", lambda truth, yes, no: float(max(truth.mean(), 1 - truth.mean()))
)
NEITHER = YesNoMetric("neither yes nor no", lambda truth, yes, no: float((~yes & ~no).mean()))
BALANCE = (YES_SHARE, YES_TRUE, ACCURACY, BALANCED, MAJORITY, NEITHER)


def score_balance(inputs: QuestionInputs, seed: int = 0) -> list[Score]:
    """Score all of BALANCE; `n` counts the yes/no questions, a note says where one answer is never true."""
    truths = {read_yes_no(question.answer) for question in inputs.questions} - {None}
    note = f"no question's answer is {'no' if truths == {True} else 'yes'}" if len(truths) == 1 else ""
    scores = score_with_support(BALANCE, inputs, seed)
    return [replace(one, note=note) if note and one.value is None else one for one in scores]
