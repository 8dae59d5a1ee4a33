"""Look up what somebody's model wrote and drew, by study, in a file of predictions. Knows no model.

A CSV file with a header, or a JSONL file with an object a line. Each row has `id`, a study's as `study_ids`
understands it, and any of `report` (an empty one counts), `question` with `answer`, and `image` (a drawing; a
path, taken from the file's folder unless absolute). A study may have one report, one drawing and an answer to
each question, in one row or in several; other columns are ignored. In a CSV an empty report cell is an empty
report, save in rows with a question or an image, where it is none.

What `llmcxr report --json` and `answer --json` write is taken as it is: without `id`, `image` names the
radiograph and `text` is the report, or the answer to `question`.

Identifiers may be a hospital's: messages tell rows and counts, and one id where no others help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.common.listing import list_first
from llmcxr.data.json_lines import read_json_lines
from llmcxr.data.tables import JSON_SUFFIXES, read_table, tell_names
from llmcxr.predictor import Asked, DrawResult, System, TextResult
from llmcxr.records import Study
from llmcxr.systems.study_ids import match_ids

TABLES = (".csv", ".tsv")
KEYS = ("report", "answer", "image")  # of which a file needs one
TOLD = {"report": "reports", "answer": "answers to questions", "draw": "drawings"}
ROWS_SHOWN = 3


@dataclass(frozen=True)
class Predictions(System):
    """Give what a file predicts about the studies that are asked about.

    The maps give (text or path, row); rows count from 1, below a CSV's header.
    """

    kind = "a file of predictions"
    is_recorded = True
    looks_at_images = False

    path: Path
    reports: Mapping[str, tuple[str, int]] = field(repr=False)  # by study id
    answers: Mapping[tuple[str, str], tuple[str, int]] = field(repr=False)  # by study id, question
    images: Mapping[str, tuple[str, int]] = field(repr=False)  # by study id
    places: Mapping[str, int] = field(default_factory=dict, repr=False)  # of a dataset's studies, by id

    @classmethod
    def read(cls, path: str | Path) -> Predictions:
        """Read a file. Raises UserError for another kind of file, a row it cannot take, or duplicates."""
        path = Path(path)
        suffix = Path(path.name.lower().removesuffix(".gz")).suffix
        if suffix not in (*TABLES, *JSON_SUFFIXES):
            raise UserError(f"{path}: expected a .csv or .jsonl file of predictions; rename or convert it")
        rows = _read_csv(path) if suffix in TABLES else _read_jsonl(path)
        reports, answers, drawings = _Once(), _Once(), _Once()
        for number, row in enumerate(rows, 1):
            _add_row(row, number, path, reports, answers, drawings)
        _refuse_repeated(path, reports, answers, drawings)
        if not (reports or answers or drawings):
            raise UserError(f"{path}: expected predictions ({', '.join(KEYS)}), found none; add some")
        return cls(path, dict(reports), dict(answers), dict(drawings))

    @property
    def abilities(self) -> frozenset[str]:
        kept = {"report": self.reports, "answer": self.answers, "draw": self.images}
        return frozenset(ability for ability, predicted in kept.items() if predicted)

    def cannot(self, ability: str) -> UserError:
        if ability not in TOLD:  # what no file has, such as the likelihood of a sentence
            return super().cannot(ability)
        wanted, found = TOLD[ability], " and ".join(TOLD[one] for one in TOLD if one in self.abilities)
        return UserError(
            f"{self.path}: expected {wanted}, found {found} only; add them, or judge what it has"
        )

    def for_studies(self, studies: Sequence[Study]) -> Predictions:
        """Return the same under the study ids of a dataset, however the file spells them.

        Raises UserError where two rows predict one thing of one study.
        """
        named = {*self.reports, *self.images, *(name for name, _ in self.answers)}
        matched = match_ids(sorted(named, key=str), studies)
        reports, answers, drawings = _Once(), _Once(), _Once()
        for once, predicted in ((reports, self.reports), (drawings, self.images)):
            for name, (text, row) in predicted.items():
                if key := matched.get(name, name):  # "": of another radiograph of a study
                    once.add(key, text, row)
        for (name, question), (text, row) in self.answers.items():
            if key := matched.get(name, name):
                answers.add((key, question), text, row)
        _refuse_repeated(self.path, reports, answers, drawings)
        places = {study.study_id: place for place, study in enumerate(studies)}
        return replace(self, reports=reports, answers=answers, images=drawings, places=places)

    @property
    def reach(self) -> int:
        """Count the dataset's studies up to the last one that is predicted."""
        named = {*self.reports, *self.images, *(name for name, _ in self.answers)}
        return max((self.places[name] + 1 for name in named if name in self.places), default=0)

    def predicts(self, ability: str, asked: Asked) -> bool:
        if ability == "answer":
            return (asked.study_id, asked.text.strip()) in self.answers
        return asked.study_id in (self.reports if ability == "report" else self.images)

    def _respond(
        self, ability: str, asked: Sequence[Asked], settings: Mapping[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        """Look up what the file has of the studies that are asked about, whatever the image and settings."""
        yield from enumerate(
            self._look_up(ability, [one.study_id for one in asked], [one.text for one in asked])
        )

    def _look_up(self, ability: str, ids: Sequence[str], texts: Sequence[str]) -> list:
        if ability == "report":
            return [TextResult(text) for text in self.reports_for(ids)]
        if ability == "answer":
            return [TextResult(text) for text in self.answers_for(ids, texts)]
        return [DrawResult(image, text) for image, text in zip(self.drawings_for(ids), texts, strict=True)]

    def reports_for(self, ids: Sequence[str]) -> list[str]:
        """Return the reports of these studies, in order; UserError where the file's studies are not these."""
        return self._take(self.reports, ids, "report")

    def answers_for(self, ids: Sequence[str], questions: Sequence[str]) -> list[str]:
        """Return the answers to `questions[i]` about study `ids[i]`; UserError as in `reports_for`."""
        asked = [(name, question.strip()) for name, question in zip(ids, questions, strict=True)]
        return self._take(self.answers, asked, "answer")

    def drawings_for(self, ids: Sequence[str]) -> list[np.ndarray]:
        """Read the drawings of these studies, (H, W) float32 in [0, 1] each; errors as in `reports_for`."""
        return [images.read(self.path.parent / name) for name in self._take(self.images, ids, "image")]

    def _take(self, predicted: Mapping[Any, tuple[str, int]], wanted: Sequence, what: str) -> list[str]:
        places = {key: place for place, key in reversed(list(enumerate(wanted)))}
        missing = sorted((place, key) for key, place in places.items() if key not in predicted)
        others = sorted((row, key) for key, (_, row) in predicted.items() if key not in places)
        others = [one for one in others if _study_of(one[1]) not in self.places]
        if missing or others:
            raise self._explain(missing, others, len(places), what)
        return [predicted[key][0] for key in wanted]

    def _explain(self, missing: list, others: list, total: int, what: str) -> UserError:
        """Tell what is missing of `total` and what is of no study: (place, key) and (row, key), in order."""
        of_what = "question" if what == "answer" else "study"
        found, advice = [], "complete the file, or evaluate what it covers"
        if missing:
            numbers = list_first((place + 1 for place, _ in missing), ROWS_SHOWN)
            found.append(f"none for {len(missing)} of {total} (by their order: {of_what} {numbers})")
            if what != "answer" and missing[0][0]:
                advice += f", such as the first {missing[0][0]} (--n {missing[0][0]})"
        if others:
            found.append(f"{len(others)} for others ({_show_rows([row for row, _ in others])})")
        if others and not missing:
            advice = "leave them out, or evaluate all that the file covers"
        elif others:  # most likely the same studies, spelled in a way that is not understood
            theirs, ours = _study_of(others[0][1]), _study_of(missing[0][1])
            advice = f"an id of the file is {theirs!r}, one of the dataset {ours!r}: spell them alike"
        return UserError(
            f"{self.path}: expected one {what} for every {of_what} that is evaluated and no more, "
            f"found {' and '.join(found)}; {advice}"
        )


class _Once(dict):
    """Take every key once; `repeated` has the rows that set one again."""

    def __init__(self) -> None:
        super().__init__()
        self.repeated: list[int] = []

    def add(self, key: Any, text: str, row: int) -> None:
        if key in self:
            self.repeated.append(row)
        else:
            self[key] = (text, row)


def _study_of(key: str | tuple[str, str]) -> str:
    """Return the study of a prediction, whose key is the study's id, for answers with the question."""
    return key if isinstance(key, str) else key[0]


def _refuse_repeated(path: Path, reports: _Once, answers: _Once, drawings: _Once) -> None:
    for what, once in (("report", reports), ("answer to a question", answers), ("image", drawings)):
        if once.repeated:
            raise UserError(
                f"{path}: expected one {what} per study, found {len(once.repeated)} duplicates "
                f"({_show_rows(once.repeated)}); keep one of each"
            )


def _read_csv(path: Path) -> list[Mapping[str, str]]:
    rows = [_take_reading(row) for row in read_table(path, (("id", "image"),))]
    if "id" not in rows[0]:
        raise UserError(f"{path}: expected the column id, found none of that name; add or rename it")
    _check_keys(path, rows[0])
    return [_drop_blank(row) for row in rows]


def _take_reading(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn a reading that `llmcxr report` or `answer` wrote as JSON into a prediction; leave other rows."""
    if "id" in row or not {"image", "text"} <= set(row):
        return row
    if "question" in row:
        return {"id": row["image"], "question": row["question"], "answer": row["text"]}
    return {"id": row["image"], "report": row["text"]}


def _drop_blank(row: dict[str, str]) -> dict[str, str]:
    """Return a CSV row without the cells that say nothing, see this file's head."""
    required = {"id"}
    if row.get("question"):
        required |= {"question", "answer"}
    elif not row.get("image"):
        required |= {"report"}
    return {key: text for key, text in row.items() if text or key in required}


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    rows = [
        _take_reading({key: value for key, value in row.items() if value is not None})
        for _, _, row in read_json_lines(path)
    ]
    if not rows:
        raise UserError(f"{path}: expected at least one JSON object, found an empty file")
    _check_keys(path, {key for row in rows for key in row})
    return rows


def _check_keys(path: Path, found: Iterable[str]) -> None:
    found = set(found)
    if "id" not in found or not found.intersection(KEYS):
        raise UserError(
            f"{path}: expected id and at least one of {', '.join(KEYS)}, "
            f"found {tell_names(sorted(found))}; add or rename them"
        )
    if "answer" in found and "question" not in found:
        raise UserError(f"{path}: expected the question of every answer, found no question; add it")


def _add_row(
    row: Mapping[str, Any], number: int, path: Path, reports: _Once, answers: _Once, drawings: _Once
) -> None:
    for key in {"report", "answer", "question", "image"}.intersection(row):
        if not isinstance(row[key], str):
            raise UserError(
                f"{path}: expected text as {key} in row {number}, found {type(row[key]).__name__}"
            )
    name = row.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int | float) or not str(name).strip():
        raise UserError(f"{path}: expected the id of a study in row {number}, found none; add it")
    name = str(name).strip()
    if ("answer" in row) != ("question" in row):
        raise UserError(f"{path}: expected question and answer together in row {number}, found one of them")
    if "report" in row:
        reports.add(name, row["report"].strip(), number)
    if "answer" in row:
        answers.add((name, row["question"].strip()), row["answer"].strip(), number)
    if "image" in row:
        drawings.add(name, row["image"], number)


def _show_rows(rows: Sequence[int]) -> str:
    return f"row {list_first(rows, ROWS_SHOWN)}"
