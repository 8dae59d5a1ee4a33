"""Grade answers 1, 0.5 or 0, as ELIXR's visual questions were (Xu et al. 2023, arXiv:2308.01317).

What is theirs: answers to questions of presence, of location and of size, severity or type about MIMIC-CXR
radiographs were graded by human readers, 1 for right, 0 for wrong, 0.5 between, and the mean is called
accuracy, per sort of question and over all (LLM-CXR, Lee et al. 2024, took the protocol over with its authors
as readers: 8 cases each of six conditions). No rule by which a program would grade is published with it.

What is done here: the means are taken over grades that readers gave (`QuestionInputs.grades`). Where there
are none, `grade` stands in for the reader by a fixed rule, written there. Numbers by that rule compare
systems that answered the same questions; they are NOT comparable with ELIXR's or LLM-CXR's published ones.
Questions of other kinds (view, measurement) are left out, as they are not in the protocol. Knows no model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.metrics.answers.kinds import mean_credit, score_with_support
from llmcxr.metrics.answers.matchers import is_exact, read_yes_no, split_words
from llmcxr.metrics.metric import Score

GRADES = (0.0, 0.5, 1.0)
SORTS = {"presence": "presence", "location": "location", "severity": "size, severity, type"}  # kind: theirs

# Words that stand in right and wrong answers alike.
_EMPTY_WORD = re.compile(
    r"an?|the|in|on|at|of|is|are|it|there|and|with|yes|no|none|not|without|zones?|sides?|sided|lungs?"
)
_DENIAL = re.compile(r"\b(?:no|not|without|none)\b", re.IGNORECASE)


@dataclass(frozen=True)
class ElixrScore:
    """Average the grades of one kind's answers, or of all three kinds' for ""."""

    kind: str = ""
    inputs: tuple[str, ...] = ("questions", "answers")
    resamples: int = 500

    @property
    def name(self) -> str:
        return f"ELIXR-style, {SORTS[self.kind] if self.kind else 'all'}"

    def rows(self, inputs: QuestionInputs) -> np.ndarray:
        """Return (N, 2) float: asked, grade. Raises ValueError for a reader's grade that is not in GRADES."""
        if inputs.grades is not None and (odd := set(map(float, inputs.grades)) - set(GRADES)):
            raise ValueError(f"expected grades of {GRADES}, got {len(odd)} other values such as {min(odd)}")
        wanted = (self.kind,) if self.kind else tuple(SORTS)
        rows = np.zeros((len(inputs.questions), 2))
        for i, (question, answer) in enumerate(zip(inputs.questions, inputs.answers, strict=True)):
            if question.kind in wanted:
                graded = inputs.grades[i] if inputs.grades is not None else grade(answer, question.answer)
                rows[i] = 1, graded
        return rows

    def value(self, rows: np.ndarray) -> float | None:
        return mean_credit(rows)


def grade(answer: str, reference: str) -> float:
    """Stand in for a reader: by yes or no, then by the words that carry meaning (sides, zones, sizes).

    0 where the reference begins with yes or no and the answer does not begin with the same; 0 where one of
    the two denies (no, not, without, none) and the other does not. Else 1 where all meaning words of the
    reference are given and no other ones, or where either says no more than yes, no or none; 0.5 where some
    are ("left lower" for "right lower"), and for a right yes or no with other words after it ("Yes, on the
    left." for "Yes, on the right."); 0 where none is.
    """
    truth = read_yes_no(reference)
    if truth is not None:
        return _grade_yes_no(answer, reference, truth)
    if is_exact(answer, reference):
        return 1.0
    denies = bool(_DENIAL.search(reference))
    if bool(_DENIAL.search(answer)) != denies:
        return 0.0
    given, wanted = _meaning(answer), _meaning(reference)
    if denies and not wanted:  # "No devices." for "None."
        return 1.0
    if given and given == wanted:
        return 1.0
    return 0.5 if given & wanted else 0.0


def score_elixr(inputs: QuestionInputs, seed: int = 0) -> list[Score]:
    """Average the grades of each of SORTS and of all; `n` counts the graded questions."""
    return score_with_support([ElixrScore(kind) for kind in [*SORTS, ""]], inputs, seed)


def _grade_yes_no(answer: str, reference: str, truth: bool) -> float:
    if read_yes_no(answer) is not truth:
        return 0.0
    given, wanted = _meaning(answer), _meaning(reference)
    return 1.0 if not given or not wanted or given == wanted else 0.5


def _meaning(text: str) -> set[str]:
    return {word for word in split_words(text) if not _EMPTY_WORD.fullmatch(word)}
