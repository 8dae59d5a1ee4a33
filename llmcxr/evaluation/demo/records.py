"""Record what the demonstration did: its drawings with what was found in them, and its readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmcxr.records import Question


@dataclass(frozen=True)
class Check:
    """Hold one thing that a prompt asks for and what the judge sees of it."""

    requested: str
    measured: str
    is_met: bool


@dataclass(frozen=True)
class Drawing:
    prompt: str
    image: np.ndarray
    report: str  # the model's own, of its own drawing
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Reading:
    image: np.ndarray
    truth: str  # the phantom's own report
    report: str
    answered: tuple[tuple[Question, str], ...]  # with the model's answer
