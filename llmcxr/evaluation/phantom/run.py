"""Score everything that is claimed of a model on phantoms: reading, drawing, answering, tokenizer, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from llmcxr.evaluation.phantom.answers import evaluate_answers
from llmcxr.evaluation.phantom.classifier import evaluate_classifier
from llmcxr.evaluation.phantom.drawing import evaluate_drawing
from llmcxr.evaluation.phantom.page import phantom_blocks
from llmcxr.evaluation.phantom.reading import evaluate_reading
from llmcxr.evaluation.tokenizer import evaluate_tokenizer
from llmcxr.model.judges import load_evaluator
from llmcxr.pages.result import Result
from llmcxr.systems import System

HELD_OUT_SEED = 1  # the phantoms that no training may see


def open_held_out(n: int) -> Any:
    """Open the phantoms that every published number is about: `phantom:n=N,seed=1,split=test`."""
    from llmcxr.data import open_dataset

    return open_dataset(f"phantom:n={n},seed={HELD_OUT_SEED},split=test")


def evaluate_phantom(
    system: System,
    n: int = 500,
    seed: int = 0,
    best_of: Sequence[int] = (1, 4),
    announce: Callable[[str], None] = lambda stage: None,
) -> Result:
    """Give all scores of a model on the first `n` held-out phantoms.

    Keys: "reading", "drawing" (one result per entry of `best_of`), "answers", "evaluator" (the judge on the
    same phantoms' true images), "tokenizer" (where the system has an `image_tokenizer`), "seconds" per stage.
    `announce` gets the name of each stage as it begins. Raises UserError where the evaluator that ships would
    judge a model of whose image tokenizer it was a loss network.
    """
    dataset, evaluator = open_held_out(n), load_evaluator(system.loss_networks)
    stages: dict[str, Callable[[], dict]] = {
        "evaluator": lambda: evaluate_classifier(evaluator, dataset, n),
        "reading": lambda: evaluate_reading(system, dataset, n, seed),
        "answers": lambda: evaluate_answers(system, dataset, n, seed),
    }
    for count in best_of:
        stages[f"drawing, best of {count}"] = lambda count=count: evaluate_drawing(
            system, dataset, n, seed, count, evaluator=evaluator
        )
    if system.image_tokenizer is not None:
        stages["tokenizer"] = lambda: (
            evaluate_tokenizer(system.image_tokenizer, dataset, n, classifier=evaluator).json
        )
    results, seconds = {}, {}
    for stage, work in stages.items():
        announce(stage)
        started = time.perf_counter()
        results[stage] = work()
        seconds[stage] = round(time.perf_counter() - started, 1)
    drawing = [results.pop(f"drawing, best of {count}") for count in best_of]
    scores = {"n": n, "seed": seed, **results, "drawing": drawing, "seconds": seconds}
    return Result(scores, phantom_blocks(scores))
