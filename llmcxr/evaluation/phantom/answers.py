"""Judge the answers that a system gives to questions about phantoms: accuracy by kind, without intervals.

The rule is that of `metrics.answers.kinds`. Knows no model.
"""

from __future__ import annotations

from llmcxr.data import Dataset
from llmcxr.metrics.answers.kinds import KindAccuracy, mean_credit
from llmcxr.systems import System, gather


def evaluate_answers(system: System, dataset: Dataset, n: int, seed: int = 0, size: int = 128) -> dict:
    """Return the accuracy by kind of question, and over all, about the first `n` studies."""
    inputs = gather(system, dataset, n, seed, parts=("answers",), size=size).question_inputs()

    def accuracy(kind: str) -> dict:
        rows = KindAccuracy(kind).rows(inputs)
        return {"accuracy": mean_credit(rows), "support": int(rows[:, 0].sum())}

    kinds = sorted({question.kind for question in inputs.questions})
    return {"n": n, "kinds": {kind: accuracy(kind) for kind in kinds}, **accuracy("")}
