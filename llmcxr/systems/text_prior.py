"""Guess without an image: report and answer what a dataset says most often. The floor of every reader.

A model that scores no better has learnt its training's texts and not to look; the audit must find this one
out. Knows no pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.data import open_dataset
from llmcxr.labeler.rules import label
from llmcxr.predictor import AnswerResult, ReportResult, System
from llmcxr.records import Label
from llmcxr.reports import parse_sections, scored_text
from llmcxr.systems.ask import word_studies

MOST_STUDIES = 2000  # of the dataset that are read: beyond, the commonest hardly changes


@dataclass(frozen=True)
class TextPrior(System):
    """Give every image one report, and every question its commonest answer. Build with `learn`."""

    kind = "a prior: system"
    looks_at_images = False

    text: str  # the report of any image
    answers: dict[str, str] = field(repr=False)  # question -> its commonest answer
    answer_to_others: str
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def learn(cls, dataset: str) -> TextPrior:
        """Learn from the first MOST_STUDIES studies of a dataset, named as `open_dataset` takes it.

        The report is the commonest among those of the commonest set of present findings: where wordings are
        many, the commonest text alone would be chance. Raises UserError for a dataset without words.
        """
        studies = open_dataset(dataset)
        reports, asked = [], {}
        for words in word_studies(studies, min(len(studies), MOST_STUDIES)):
            reports.append(scored_text(words.report))
            for question in words.questions:
                asked.setdefault(question.question, Counter())[question.answer] += 1
        if not any(reports) and not asked:
            raise UserError(
                f"prior:{dataset}: expected studies with reports or questions, found none; choose another"
            )
        every = sum(asked.values(), Counter())
        return cls(
            _commonest_report(list(filter(None, reports))) if any(reports) else "",
            {question: answers.most_common(1)[0][0] for question, answers in asked.items()},
            every.most_common(1)[0][0] if every else "",
            {"dataset": dataset},
        )

    @property
    def abilities(self) -> frozenset[str]:
        return frozenset({"report", "answer"} if self.text else {"answer"})

    def report(self, images: Sequence[np.ndarray], seed: int = 0) -> list[ReportResult]:
        return [ReportResult(self.text, seed=seed, report=parse_sections(self.text)) for _ in images]

    def answer(self, images: Sequence[np.ndarray], questions: Sequence[str]) -> list[AnswerResult]:
        return [AnswerResult(self.answers.get(one, self.answer_to_others), question=one) for one in questions]


def _commonest_report(reports: Sequence[str]) -> str:
    found = [
        frozenset(name for name, state in label(text).items() if state is Label.PRESENT) for text in reports
    ]
    usual = Counter(found).most_common(1)[0][0]
    return Counter(text for text, what in zip(reports, found, strict=True) if what == usual).most_common(1)[
        0
    ][0]
