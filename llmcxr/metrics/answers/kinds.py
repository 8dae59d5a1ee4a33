"""Score answers by kind of question (presence, location, severity, view, sex, measurement).

Each is a metric (`metric.Metric`) on `QuestionInputs`; a row is (asked, credit): whether the question is of
the metric's kind, and how right its answer is, 0 to 1. Knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.metrics.answers.matchers import is_exact, is_option, is_right, token_overlap
from llmcxr.metrics.metric import Metric, Score, score
from llmcxr.records import Question

Credit = Callable[[Question, str], float]

MATCHERS: dict[str, Credit] = {
    "right": lambda question, answer: is_right(answer, question.answer, question.kind),
    "exact": lambda question, answer: is_exact(answer, question.answer),
    "overlap": lambda question, answer: token_overlap(answer, question.answer),
}


@dataclass(frozen=True)
class KindAccuracy:
    """Average the credit of the answers to one kind of question, or to all for "".

    `matcher` is a name in MATCHERS ("right" is the rule for phantoms, "overlap" the mean F1 of the words), or
    "option": the answer names the option that the reference does.
    """

    kind: str = ""
    matcher: str = "right"
    resamples: int = 500

    @property
    def name(self) -> str:
        return f"{self.kind or 'all'} {'accuracy' if self.matcher == 'right' else self.matcher}"

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("questions", "answers", *(["options"] if self.matcher == "option" else []))

    def rows(self, inputs: QuestionInputs) -> np.ndarray:
        """Return (N, 2) float: asked, credit."""
        asked = [self.kind in ("", question.kind) for question in inputs.questions]
        credit = [self._credit(inputs, i) if is_asked else 0.0 for i, is_asked in enumerate(asked)]
        return np.column_stack([asked, credit]).astype(float).reshape(-1, 2)

    def value(self, rows: np.ndarray) -> float | None:
        return mean_credit(rows)

    def _credit(self, inputs: QuestionInputs, i: int) -> float:
        question, answer = inputs.questions[i], inputs.answers[i]
        if self.matcher == "option":
            return is_option(answer, question.answer, inputs.options[i])
        return MATCHERS[self.matcher](question, answer)


def mean_credit(rows: np.ndarray) -> float | None:
    """Average the credit of those asked, from rows (N, 2) of (asked, credit); None where none is."""
    asked = rows[:, 0].sum()
    return float(rows[:, 1].sum() / asked) if asked else None


def score_with_support(metrics: Iterable[Metric], inputs: QuestionInputs, seed: int = 0) -> list[Score]:
    """Score with an `n` that counts the questions that the metric is about, in place of all."""
    return [
        replace(score(metric, inputs, seed), n=int(metric.rows(inputs)[:, 0].sum())) for metric in metrics
    ]


def score_kinds(inputs: QuestionInputs, seed: int = 0) -> list[Score]:
    """Score each kind that was asked, in alphabetical order, then all together."""
    kinds = sorted({question.kind for question in inputs.questions})
    return score_with_support([KindAccuracy(kind) for kind in [*kinds, ""]], inputs, seed)
