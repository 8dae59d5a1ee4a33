"""Judge the answers that a predictor gives to questions about phantoms. Knows no model.

A question of presence is right when its yes or no is; of measurement, when the number is within a
tolerance; any other, when the words are the reference's, case and punctuation aside.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from llmcxr.evaluation.scores import share
from llmcxr.predictor import Predictor

RATIO_TOLERANCE = 0.03  # about three times the classifier's own mean error on the ratio


def evaluate_answers(predictor: Predictor, dataset: Any, n: int, seed: int = 0, size: int = 128) -> dict:
    """Accuracy per kind of question, and over all, on the questions about the first `n` studies."""
    images, questions = [], []
    for index in range(n):
        rng = np.random.default_rng(np.random.SeedSequence((seed, index)))
        asked = dataset.texts(index, rng).questions
        questions += asked
        images += [dataset.read(index, size)] * len(asked)
    given = predictor.answer(images, [question.question for question in questions])
    hits: dict[str, list[bool]] = {}
    for question, answer in zip(questions, given, strict=True):
        hits.setdefault(question.kind, []).append(is_right(answer.text, question.answer, question.kind))
    return {
        "n": n,
        "kinds": {
            kind: {"accuracy": share(right), "support": len(right)} for kind, right in sorted(hits.items())
        },
        "accuracy": share([right for kind in hits.values() for right in kind]),
        "support": len(questions),
    }


def is_right(answer: str, reference: str, kind: str) -> bool:
    if kind == "measurement" and (wanted := _number(reference)) is not None:
        given = _number(answer)
        return given is not None and abs(given - wanted) <= RATIO_TOLERANCE + 1e-9
    said, true = _words(answer), _words(reference)
    if kind == "presence" and true and true[0] in ("yes", "no"):
        return bool(said) and said[0] == true[0]
    return said == true


def _number(text: str) -> float | None:
    found = re.search(r"\d+(?:\.\d+)?", text)
    return float(found.group()) if found else None


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9.]*[a-z0-9]", text.lower())
