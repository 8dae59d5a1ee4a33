"""`System` is all that evaluation, reasoning and serving know of a model. Knows no model itself.

Images are float32 arrays (H, W) in [0, 1], bright = dense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.terminal import progress
from llmcxr.records import Report, Study

BATCH = 64  # as many as our model decodes at once
ABILITIES = {  # the methods that a system may have, and what messages call them
    "report": "reads",
    "answer": "answers",
    "draw": "draws",
    "score_sentences": "gives the probabilities of sentences",
    "score_image": "gives the probability of an image",
    "encode": "encodes images",
}


@dataclass(frozen=True)
class TextResult:
    """Hold what a model wrote about an image. log_probability is of the whole text, given the image."""

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
    """Hold a synthetic radiograph. codes (h, w) is None for systems without an image tokenizer."""

    image: np.ndarray = field(repr=False)  # (H, W) float32 in [0, 1]
    text: str
    seed: int = 0
    codes: np.ndarray | None = field(default=None, repr=False)
    log_probability: float = float("nan")  # of the codes given the text
    reading_score: float | None = None  # log p(text | image) by the model's own reading; set by best_of
    recipe: dict[str, Any] = field(default_factory=dict, repr=False)  # every setting, for the file's metadata


@dataclass(frozen=True)
class Asked:
    """Name a study and what a system is asked about it: for a report, an answer or a drawing."""

    study_id: str
    text: str = ""  # the question, or what the drawing is to show
    image: np.ndarray | None = field(default=None, repr=False)  # (H, W); None where none is looked at


class System:
    """Answer what is asked about radiographs: as a model of ours, another's, or a file of predictions.

    A system names its `abilities` and overrides the methods of these names; those that it lacks raise a
    UserError. Methods take lists and give lists of the same length. They batch by themselves, and a seed
    gives one result whatever else is in the list.
    """

    kind = "this system"  # what messages call it
    name = ""
    abilities: frozenset[str] = frozenset()  # of ABILITIES
    is_recorded = False  # what it says stands in a file, by study: it looks at no image and at no request
    looks_at_images = True  # reports and answers need the image
    is_adjustable = False  # report also takes temperature, top_p, instruction; draw every DrawSettings field
    provenance: Mapping[str, Any] = MappingProxyType({})  # where it came from; "dataset" trained it
    loss_networks: Mapping[str, str] = MappingProxyType({})  # fingerprint -> name of who may not judge it
    image_tokenizer: Any = None
    batch = BATCH  # asked for at once

    def report(self, images: Sequence[np.ndarray], seed: int = 0) -> Sequence[TextResult]:
        """Write a report of each image."""
        raise self.cannot("report")

    def answer(self, images: Sequence[np.ndarray], questions: Sequence[str]) -> Sequence[TextResult]:
        """Answer each of `questions`, which are about the images in their order."""
        raise self.cannot("answer")

    def draw(self, texts: Sequence[str], *, seed: int = 0, best_of: int = 1) -> Sequence[DrawResult]:
        """Draw each text; of `best_of` drawings, keep the best by the system's own reading."""
        raise self.cannot("draw")

    def score_sentences(self, images: Sequence[np.ndarray], report: str) -> list[tuple[str, list[float]]]:
        """Give each sentence of a report with its log p (nats) given what stands before it and each image."""
        raise self.cannot("score_sentences")

    def score_image(self, images: Sequence[np.ndarray], texts: Sequence[str]) -> Sequence[float]:
        """Return log p(image | text) of each pair (nats); the empty text asks for the unconditional one."""
        raise self.cannot("score_image")

    def encode(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return the image codes (B, h, w) of images of any size."""
        raise self.cannot("encode")

    def cannot(self, ability: str) -> UserError:
        """Return the error to raise where an ability is lacking."""
        verbs = [verb for name, verb in ABILITIES.items() if name in self.abilities]
        does = f"{' and '.join(verbs)} only" if verbs else "can do nothing"
        return UserError(f"{self.kind} {does}; choose a system that {ABILITIES[ability]}")

    def for_studies(self, studies: Sequence[Study]) -> System:
        """Return the system as it answers for these studies of a dataset; one that is recorded knows ids."""
        return self

    @property
    def reach(self) -> int:
        """Count those studies up to the last that is recorded."""
        return 0

    def predicts(self, ability: str, asked: Asked) -> bool:
        """Tell whether there is a result of what is asked: always, but for systems that are recorded."""
        return True

    def ask(
        self,
        ability: str,
        asked: Sequence[Asked],
        keep: Callable[[Asked, Any], None] | None = None,
        **settings: Any,
    ) -> list:
        """Report, answer or draw (`ability`) what is `asked`, in batches, with a bar on a terminal's stderr.

        `settings`, such as seed, go to the method of that name. `keep` is given each result as it comes.
        """
        results: list = [None] * len(asked)
        with progress(_BARS[ability], len(asked)) as advance:
            for place, result in self._respond(ability, asked, settings):
                results[place] = result
                if keep:
                    keep(asked[place], result)
                advance(1)
        return results

    def _respond(
        self, ability: str, asked: Sequence[Asked], settings: Mapping[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """Give each result with its place in `asked`, as soon as it is there."""
        for start in range(0, len(asked), self.batch):
            yield from enumerate(self._ask_batch(ability, asked[start : start + self.batch], settings), start)

    def _ask_batch(self, ability: str, batch: Sequence[Asked], settings: Mapping[str, Any]) -> Sequence:
        images, texts = [one.image for one in batch], [one.text for one in batch]
        if ability == "report":
            return self.report(images, **settings)
        return self.answer(images, texts, **settings) if ability == "answer" else self.draw(texts, **settings)


_BARS = {"report": "reports", "answer": "answers", "draw": "drawings"}
