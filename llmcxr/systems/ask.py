"""Ask a system about the studies of a dataset, so that all systems can be treated alike. Knows no metric.

The first `n` studies are asked about; their words, requests and questions are those of
`dataset.texts(index, rng)` with rng from (seed, index), as everywhere in evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, Texts
from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.metrics.metric import Inputs
from llmcxr.predictor import Asked, System
from llmcxr.records import Question
from llmcxr.reports import join_sections

PARTS = ("reports", "answers", "drawings")


@dataclass(frozen=True)
class Gathered:
    """Hold what one system responded about the same studies in one order; None where it was not asked.

    questions, asked_of and answers have one row per question; asked_of is the study's place in `ids`.
    """

    ids: Sequence[str] = field(repr=False)
    patients: Sequence[str] = field(repr=False)
    references: Sequence[str] = field(repr=False)  # the true reports, "" where a study has none
    requests: Sequence[str] = field(repr=False)  # what the drawings were to show
    questions: Sequence[Question] = field(repr=False)
    asked_of: Sequence[int] = field(repr=False)
    candidates: Sequence[str] | None = field(default=None, repr=False)  # the system's reports
    answers: Sequence[str] | None = field(default=None, repr=False)
    drawings: Sequence[np.ndarray] | None = field(default=None, repr=False)  # each (H, W) in [0, 1]

    def report_inputs(self) -> Inputs:
        """Return what metrics of words need: one row per study."""
        return Inputs(self.patients, self.references, self.candidates)

    def question_inputs(self) -> QuestionInputs:
        """Return what question metrics need: one row per question."""
        return QuestionInputs(
            patients=[self.patients[place] for place in self.asked_of],
            questions=self.questions,
            answers=self.answers,
        )


def gather(
    system: System,
    dataset: Dataset,
    n: int,
    seed: int = 0,
    *,
    parts: Sequence[str] = ("reports", "answers"),
    size: int | None = 128,
    system_seed: int | None = None,
    pixels: Sequence[np.ndarray] | None = None,
) -> Gathered:
    """Let `system` report, answer or draw (`parts`, of PARTS) for the first `n` studies.

    size: the side in pixels at which images are given; None gives them at their own. 128 is the phantom
    model's; other people's models want the size that they were made for. `seed` words the studies, and the
    system writes and draws by `system_seed`, the same for None. `pixels` are the images, where they were read
    before. Raises UserError where the system has no such part or a file's predictions are not of these
    studies.
    """
    if unknown := set(parts) - set(PARTS):
        raise ValueError(f"expected parts of {PARTS}, got {', '.join(sorted(unknown))}")
    if not 1 <= n <= len(dataset):
        raise UserError(f"expected 1 to {len(dataset)} studies, as the dataset has, found n={n}; correct it")
    studies = [dataset[index] for index in range(n)]
    texts = word_studies(dataset, n, seed)
    asked = [(place, question) for place, words in enumerate(texts) for question in words.questions]
    if pixels is None:
        is_shown = not system.is_recorded and {"reports", "answers"}.intersection(parts)
        pixels = [dataset.read(index, size) if is_shown else None for index in range(n)]
    ids = [study.study_id for study in studies]
    requests = [words.request for words in texts]
    own_seed = seed if system_seed is None else system_seed
    candidates = answers = drawings = None
    if "reports" in parts:
        shown = [Asked(name, image=image) for name, image in zip(ids, pixels, strict=True)]
        candidates = [one.text for one in system.ask("report", shown, seed=own_seed)]
    if "answers" in parts:
        about = [Asked(ids[place], question.question, pixels[place]) for place, question in asked]
        answers = [one.text for one in system.ask("answer", about)]
    if "drawings" in parts:
        wanted = [Asked(*one) for one in zip(ids, requests, strict=True)]
        drawings = [one.image for one in system.ask("draw", wanted, seed=own_seed)]
    return Gathered(
        ids=ids,
        patients=[study.patient_id for study in studies],
        references=[join_sections(words.report) for words in texts],
        requests=requests,
        questions=[question for _, question in asked],
        asked_of=[place for place, _ in asked],
        candidates=candidates,
        answers=answers,
        drawings=drawings,
    )


def word_studies(dataset: Dataset, n: int, seed: int = 0) -> list[Texts]:
    """Return the texts of the first `n` studies, each worded by (seed, index)."""
    rngs = [np.random.default_rng(np.random.SeedSequence((seed, index))) for index in range(n)]
    return [dataset.texts(index, rng) for index, rng in enumerate(rngs)]


def drawing_requests(dataset: Dataset, n: int, seed: int = 0) -> list[Asked]:
    """Ask for a drawing of each of the first `n` studies, each worded by (seed, index)."""
    texts = word_studies(dataset, n, seed)
    return [Asked(dataset[index].study_id, words.request) for index, words in enumerate(texts)]
