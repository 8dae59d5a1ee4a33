"""Hold what question metrics judge: one row per question, not per study as elsewhere. Knows no metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmcxr.metrics.metric import Inputs
from llmcxr.records import Question


@dataclass(frozen=True)
class QuestionInputs(Inputs):
    """Hold one row per question: `patients[i]` is the patient of the study that question i is about.

    Intervals and tests then move all questions on a patient together, as they must.
    """

    questions: Sequence[Question] | None = None  # each with its reference answer and kind
    answers: Sequence[str] | None = None  # the answers to judge
    options: Sequence[Sequence[str]] | None = None  # what each question lets one choose from
    grades: Sequence[float] | None = None  # 1, 0.5 or 0, where a reader graded the answers
