"""The predictor protocol: all that evaluation, reasoning and serving know of a model. Any system can be
wrapped in it.

Images go in as a path, a PIL image or an array (H, W) in [0, 1], bright = dense, and come out as float32
arrays (H, W). One input gives one result, a list gives a list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from llmcxr.common.terminal import progress
from llmcxr.records import Report

PIECE = 64  # asked for at once, as many as our model decodes at once


@dataclass(frozen=True)
class TextResult:
    """What a model wrote about an image. log_probability is of the whole text, given the image."""

    text: str
    token_ids: list[int] = field(default_factory=list, repr=False)
    log_probability: float = float("nan")
    seed: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportResult(TextResult):
    report: Report = field(default_factory=Report)


@dataclass(frozen=True)
class AnswerResult(TextResult):
    question: str = ""


@dataclass(frozen=True)
class DrawResult:
    """A synthetic radiograph. codes (h, w) is None for systems without an image tokenizer."""

    image: np.ndarray = field(repr=False)  # (H, W) float32 in [0, 1]
    text: str
    seed: int = 0
    codes: np.ndarray | None = field(default=None, repr=False)
    log_probability: float = float("nan")  # of the codes given the text
    reading_score: float | None = None  # log p(text | image) by the model's own reading; set by best_of
    recipe: dict[str, Any] = field(default_factory=dict, repr=False)  # every setting, for the file's metadata


class DrawLike(Protocol):
    """As much of a DrawResult as a judge needs."""

    image: np.ndarray  # (H, W) float32 in [0, 1]
    codes: np.ndarray  # (h, w) integers


class TextLike(Protocol):
    """As much of a report or an answer as a judge needs."""

    text: str


class Predictor(Protocol):
    """Lists in, lists out. It batches by itself; a seed gives one result whatever else is in the list."""

    def report(self, images: Sequence[np.ndarray], seed: int = 0) -> Sequence[TextLike]: ...

    def answer(self, images: Sequence[np.ndarray], questions: Sequence[str]) -> Sequence[TextLike]: ...

    def draw(self, texts: Sequence[str], *, seed: int = 0, best_of: int = 1) -> Sequence[DrawLike]: ...


def ask_in_pieces(what: str, ask: Callable[..., Sequence], *lists: Sequence) -> list:
    """`ask(*lists)` a piece of the lists at a time, with a bar named `what` on stderr if that is a terminal.

    The lists are of one length. A predictor gives the same for pieces as for the whole.
    """
    results: list = []
    with progress(what, len(lists[0])) as advance:
        for start in range(0, len(lists[0]), PIECE):
            piece = ask(*(one[start : start + PIECE] for one in lists))
            results += piece
            advance(len(piece))
    return results


def flat(drawn: Sequence) -> list:
    """One drawing per request, whether the predictor gives them bare or in lists of one."""
    return [result[0] if isinstance(result, list | tuple) else result for result in drawn]
