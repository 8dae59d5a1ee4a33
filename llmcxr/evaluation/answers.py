"""Judge the answers that a predictor gives to questions about phantoms, by `matchers.is_right`. Knows no
model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from llmcxr.evaluation.question_metrics.matchers import is_right
from llmcxr.evaluation.scores import share
from llmcxr.predictor import Predictor


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
