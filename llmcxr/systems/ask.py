"""Ask a system about the studies of a dataset, so that all systems can be treated alike. Knows no metric.

The first `n` studies are asked about; their words, requests and questions are those of
`dataset.texts(index, rng)` with rng from (seed, index), as everywhere in evaluation. Studies that cannot be
judged, for want of a report to compare with or of an image to look at, are left out and listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, Texts
from llmcxr.metrics.answers.inputs import QuestionInputs
from llmcxr.metrics.metric import Inputs
from llmcxr.predictor import Asked, System
from llmcxr.records import Question, Study
from llmcxr.reports import scored_answer, scored_text

PARTS = {"reports": "report", "answers": "answer", "drawings": "draw"}  # and the abilities that they need
DEFAULT_N = 200

NO_IMAGE = "no image that can be read"
NO_REPORT = "no report to compare with"
NO_REQUEST = "no text to draw"


@dataclass(frozen=True)
class Radiographs:
    """Hold the images (H, W) of the studies of a dataset by index, and why some cannot be read."""

    images: Mapping[int, np.ndarray]
    unread: Mapping[int, str]


@dataclass(frozen=True)
class Gathered:
    """Hold what one system responded about the same studies in one order; None where it was not asked.

    questions, asked_of and answers have one row per question; asked_of is the study's place in `ids`.
    candidates and references are as metrics compare them, see `reports.scored_text`.
    """

    ids: Sequence[str] = field(repr=False)
    patients: Sequence[str] = field(repr=False)
    references: Sequence[str] = field(repr=False)  # the true reports, "" where a study has none
    requests: Sequence[str] = field(repr=False)  # what the drawings were to show
    questions: Sequence[Question] = field(repr=False)
    asked_of: Sequence[int] = field(repr=False)
    indices: Sequence[int] = field(default=(), repr=False)  # of the studies in the dataset
    left_out: Mapping[int, str] = field(default_factory=dict, repr=False)  # index -> why
    written: Sequence[str] | None = field(default=None, repr=False)  # the reports as the system gave them
    candidates: Sequence[str] | None = field(default=None, repr=False)  # the same, as they are compared
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

    def without(self, left_out: Mapping[int, str]) -> Gathered:
        """Leave out more studies, index -> why, with all that was asked about them."""
        kept = [place for place, index in enumerate(self.indices) if index not in left_out]
        place_of = {place: new for new, place in enumerate(kept)}
        rows = [row for row, place in enumerate(self.asked_of) if place in place_of]

        def choose(names: Sequence[str], chosen: Sequence[int]) -> dict:
            values = {name: getattr(self, name) for name in names}
            return {
                name: None if value is None else [value[one] for one in chosen]
                for name, value in values.items()
            }

        return replace(
            self,
            **choose(("ids", "patients", "references", "requests", "indices"), kept),
            **choose(("written", "candidates", "drawings"), kept),
            **choose(("questions", "answers"), rows),
            asked_of=[place_of[self.asked_of[row]] for row in rows],
            left_out={**self.left_out, **left_out},
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
    radiographs: Radiographs | None = None,
    keep: Callable[[Asked, Any], None] | None = None,
) -> Gathered:
    """Let `system` report, answer or draw (`parts`, of PARTS) for the first `n` studies that can be judged.

    size: the side in pixels at which images are given; None gives them at their own. 128 is the phantom
    model's; other people's models want the size that they were made for. `seed` words the studies, and the
    system writes and draws by `system_seed`, the same for None. `radiographs` are the images, where they were
    read before: a study whose image cannot be read is left out of every part. Without them they are read for
    a system that looks at them. `keep` is given each report and answer as it comes. Raises UserError where
    the system has no such part, a file's predictions are not of these studies, or no study can be judged.
    """
    if unknown := set(parts) - set(PARTS):
        raise ValueError(f"expected parts of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    _check_n(n, dataset)
    if radiographs is None and system.looks_at_images and {"reports", "answers"}.intersection(parts):
        radiographs = read_radiographs(dataset, n, size)
    studies = select_studies(dataset, n, seed, parts, radiographs)
    if system.is_recorded:
        if lacking := [PARTS[part] for part in parts if PARTS[part] not in system.abilities]:
            raise system.cannot(lacking[0])
        system = system.for_studies(identify_all(dataset))
        studies = _leave_out_unpredicted(system, dataset, studies, parts, size)
    return _ask(system, studies, parts, seed if system_seed is None else system_seed, radiographs, keep)


def _ask(
    system: System,
    studies: Gathered,
    parts: Sequence[str],
    seed: int,
    radiographs: Radiographs | None,
    keep: Callable[[Asked, Any], None] | None,
) -> Gathered:
    reports, answers, drawings = (
        _list_asked(part, studies, radiographs if system.looks_at_images else None) for part in PARTS
    )
    if "reports" in parts:
        written = [one.text for one in system.ask("report", reports, keep, seed=seed)]
        studies = replace(studies, written=written, candidates=list(map(scored_text, written)))
    if "answers" in parts:
        answered = [scored_answer(one.text) for one in system.ask("answer", answers, keep)]
        studies = replace(studies, answers=answered)
    if "drawings" in parts:
        drawn = [one.image for one in system.ask("draw", drawings, seed=seed)]
        studies = replace(studies, drawings=drawn)
    return studies


def _list_asked(part: str, studies: Gathered, radiographs: Radiographs | None = None) -> list[Asked]:
    """List what is asked for a part, with the images that are looked at."""
    images = [radiographs.images[index] if radiographs else None for index in studies.indices]
    if part == "answers":
        pairs = zip(studies.asked_of, studies.questions, strict=True)
        return [Asked(studies.ids[place], one.question, images[place]) for place, one in pairs]
    if part == "drawings":
        return [Asked(*one) for one in zip(studies.ids, studies.requests, strict=True)]
    return [Asked(name, image=image) for name, image in zip(studies.ids, images, strict=True)]


def select_studies(
    dataset: Dataset,
    n: int,
    seed: int = 0,
    parts: Sequence[str] = (),
    radiographs: Radiographs | None = None,
) -> Gathered:
    """Gather those of the first `n` studies that can be judged in all `parts`, asking nothing.

    Where `radiographs` are given, a study whose image could not be read is left out. Raises UserError where
    none is left.
    """
    _check_n(n, dataset)
    texts = word_studies(dataset, n, seed)
    left_out = dict.fromkeys(radiographs.unread, NO_IMAGE) if radiographs else {}
    references = [scored_text(words.report) for words in texts]
    for index, words in enumerate(texts):
        if "reports" in parts and not references[index]:
            left_out.setdefault(index, NO_REPORT)
        if "drawings" in parts and not words.request.strip():
            left_out.setdefault(index, NO_REQUEST)
    kept = [index for index in range(n) if index not in left_out]
    if not kept:
        raise _find_none(dataset, n, left_out, radiographs)
    studies = [dataset.identify(index) for index in kept]
    asked = [(place, one) for place, index in enumerate(kept) for one in texts[index].questions]
    return Gathered(
        ids=[study.study_id for study in studies],
        patients=[study.patient_id for study in studies],
        references=[references[index] for index in kept],
        requests=[texts[index].request for index in kept],
        questions=[question for _, question in asked],
        asked_of=[place for place, _ in asked],
        indices=kept,
        left_out=left_out,
    )


def _find_none(
    dataset: Dataset, n: int, left_out: Mapping[int, str], radiographs: Radiographs | None
) -> UserError:
    """Explain that no study can be judged, by the first reason."""
    reason = left_out[0] if radiographs is None else radiographs.unread.get(0, left_out[0])
    more = "" if n == len(dataset) else f"; there are {len(dataset)}, which a larger n takes"
    return UserError(f"expected studies that can be judged, found none among the first {n}: {reason}{more}")


def read_radiographs(dataset: Dataset, n: int, size: int | None, start: int = 0) -> Radiographs:
    """Read the images of the first `n` studies, or of those of them from `start` on.

    Those that cannot be read are listed with the reason.
    """
    _check_n(n, dataset)
    pixels, unread = {}, {}
    for index in range(start, n):
        try:
            pixels[index] = dataset.read(index, size)
        except UserError as error:
            unread[index] = str(error).removeprefix(f"study {index} of the dataset: ")
    return Radiographs(pixels, unread)


def _check_n(n: int, dataset: Dataset) -> None:
    if not 1 <= n <= len(dataset):
        raise UserError(f"expected 1 to {len(dataset)} studies, as the dataset has, found n={n}; correct it")


def choose_n(n: int | None, dataset: Dataset, systems: Sequence[System]) -> int:
    """Return how many studies are judged: the first `n`, or DEFAULT_N, or as many as there are.

    Without `n`, all are where a file predicts more than the first DEFAULT_N.
    """
    if n is None:
        recorded = [one for one in systems if one.is_recorded]
        studies = identify_all(dataset) if recorded else ()
        reaches = [one.for_studies(studies).reach for one in recorded]
        n = len(dataset) if max(reaches, default=0) > DEFAULT_N else DEFAULT_N
    return min(n, len(dataset))


def identify_all(dataset: Dataset) -> list[Study]:
    return [dataset.identify(index) for index in range(len(dataset))]


def _leave_out_unpredicted(
    system: System, dataset: Dataset, studies: Gathered, parts: Sequence[str], size: int | None
) -> Gathered:
    """Leave out the studies that a file lacks because their own image cannot be read.

    Whoever wrote the file by looking at the images could not predict them. A dataset without any image says
    nothing of that: there each study is to be predicted.
    """
    lacking = {
        one.study_id
        for part in parts
        for one in _list_asked(part, studies)
        if not system.predicts(PARTS[part], one)
    }
    unread: dict[int, str] = {}
    has_images = any(dataset.identify(index).radiographs for index in studies.indices)
    if has_images and len(lacking) < len(studies.ids):
        for index, name in zip(studies.indices, studies.ids, strict=True):
            if name in lacking:
                try:
                    dataset.read(index, size)
                    break  # one that could be predicted: asking for it tells which are missing
                except UserError:
                    unread[index] = NO_IMAGE
    return studies.without(unread)


def word_studies(dataset: Dataset, n: int, seed: int = 0) -> list[Texts]:
    """Return the texts of the first `n` studies, each worded by (seed, index)."""
    rngs = [np.random.default_rng(np.random.SeedSequence((seed, index))) for index in range(n)]
    return [dataset.texts(index, rng) for index, rng in enumerate(rngs)]


def drawing_requests(dataset: Dataset, n: int, seed: int = 0) -> list[Asked]:
    """Ask for a drawing of each of the first `n` studies, each worded by (seed, index)."""
    texts = word_studies(dataset, n, seed)
    return [Asked(dataset[index].study_id, words.request) for index, words in enumerate(texts)]
