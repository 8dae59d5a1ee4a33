"""What an evaluation asks of a model: lists of images or texts in, lists of results out. Knows no model.

`llmcxr.CXR` is one; any other system is judged by the same code once it is wrapped in this shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from llmcxr.records import Report


class ReportLike(Protocol):
    text: str
    report: Report


class DrawLike(Protocol):
    image: np.ndarray  # (H, W) float32 in [0, 1]
    codes: np.ndarray  # (h, w) integers


class AnswerLike(Protocol):
    text: str


class Predictor(Protocol):
    """A predictor batches by itself and gives the same result for the same seed whatever else is in the
    list."""

    def report(self, images: Sequence[np.ndarray], seed: int = 0) -> Sequence[ReportLike]: ...

    def draw(self, texts: Sequence[str], *, seed: int = 0, best_of: int = 1) -> Sequence[DrawLike]: ...

    def answer(self, images: Sequence[np.ndarray], questions: Sequence[str]) -> Sequence[AnswerLike]: ...


class Evaluation(Protocol):
    """One judgement: the first `n` studies of a dataset that knows its truth in, plain JSON-able numbers
    out."""

    def __call__(self, predictor: Predictor, dataset: Any, n: int, seed: int) -> dict: ...
