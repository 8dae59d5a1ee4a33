"""Clean the words of reports, exchange their sides, and word a report from labels alone. Knows no models.

Findings go by the names of `llmcxr.findings`; those of ChestX-ray14 are understood too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from llmcxr.findings import FINDING_OF_NIH_LABEL
from llmcxr.records import Label, Report

_REMOVED = re.compile(r"\[\*\*.*?\*\*\]|_{2,}|(?<![A-Za-z])(?:[Xx]-)?X{3,}(?:-X{3,})*")
_SIDE = re.compile(r"\b(?:left|right)\b", re.IGNORECASE)
_OTHER_SIDE = {"left": ("right", "Right"), "right": ("left", "Left")}
_TIDY = (
    (re.compile(r"\(\s*\)|\[\s*\]|\"\s*\""), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(r"\s+([.,;:?!)])"), r"\1"),
    (re.compile(r"[.,;:](?:\s*[.,;:])+"), lambda run: "." if "." in run[0] else run[0][0]),
    (re.compile(r"[,;:](?=[?!]|$)"), ""),
    (re.compile(r"^[\s.,;]+"), ""),
)


def exchange_sides(text: str) -> str:
    """Return the text with left and right exchanged, each with the capitals it had."""
    return _SIDE.sub(lambda side: _OTHER_SIDE[side[0].lower()][side[0][0].isupper()], text)


def clean(text: str) -> str:
    """Remove the marks that de-identification leaves (___, XXXX, [** **]), with single spaces."""
    text = _REMOVED.sub(" ", text)
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return text.strip()


def describe_labels(
    labels: Mapping[str, Label] | Iterable[str],
    view_position: str = "unknown",
    sex: str | None = None,
    age_years: float | None = None,
    rng: np.random.Generator | None = None,
) -> Report:
    """Write what labels alone allow: for sources without reports.

    `labels` holds states by finding, or names of what is present, as ours or as ChestX-ray14 spells them.
    Where nothing is labelled the report says just that, since a missing label is no proof of health. Without
    `rng` the first wording is always used.
    """
    present, absent, uncertain = _sort_labels(labels)
    sentences = [_choose(_PRESENT, rng).format(_list(present))] if present else []
    sentences += [_choose(_UNCERTAIN, rng).format(_list(uncertain))] if uncertain else []
    sentences += [f"No {_list(absent, 'or')}."] if absent else []
    if not present and not uncertain:
        sentences.insert(0, _choose(_NOTHING, rng))
    return Report(
        indication=_describe_patient(sex, age_years),
        technique="" if view_position == "unknown" else f"{view_position} chest radiograph.",
        findings=" ".join(capitalise(sentence) for sentence in sentences),
        impression=_impression(present, uncertain, rng),
    )


SEXES = {"F": "female", "M": "male"}
_PRESENT = ("{}.", "There is {}.", "Findings of {}.", "The radiograph shows {}.")
_UNCERTAIN = ("Possible {}.", "{} cannot be excluded.")
_NOTHING = ("No labelled finding.", "None of the labelled findings.", "No finding.")


def _sort_labels(labels: Mapping[str, Label] | Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Sort the names of present, absent and uncertain findings, each once, in the order given."""
    if not isinstance(labels, Mapping):
        labels = dict.fromkeys(labels, Label.PRESENT)
    named = {FINDING_OF_NIH_LABEL.get(name, name): state for name, state in labels.items()}
    by_state = {
        state: [name for name in named if named[name] is state and name.lower() not in ("no finding", "")]
        for state in Label
    }
    return by_state[Label.PRESENT], by_state[Label.ABSENT], by_state[Label.UNCERTAIN]


def _impression(present: list[str], uncertain: list[str], rng: np.random.Generator | None) -> str:
    if not present and not uncertain:
        return _choose(_NOTHING, rng)
    sentences = [f"{_list(present)}."] if present else []
    sentences += [f"possible {_list(uncertain)}."] if uncertain else []
    return " ".join(capitalise(sentence) for sentence in sentences)


def _describe_patient(sex: str | None, age_years: float | None) -> str:
    person = {"F": "woman", "M": "man"}.get(sex or "", "patient")
    if age_years is not None:
        return f"{age_years:.0f}-year-old {person}."
    return "" if person == "patient" else f"{person.capitalize()}."


def describe_circumstances(view_position: str, sex: str | None, rng: np.random.Generator) -> list[str]:
    """Word what a request adds one time in four, such as ["PA view, male"]: view, sex or both; else []."""
    view = "" if view_position == "unknown" else f"{view_position} view"
    word, choice = SEXES.get(sex or "", ""), rng.random()
    named = (view, word) if choice < 0.1 else (view,) if choice < 0.2 else (word,) if choice < 0.25 else ()
    text = ", ".join(filter(None, named))
    return [text] if text else []


def _list(names: Sequence[str], last: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def _choose(options: Sequence[str], rng: np.random.Generator | None) -> str:
    return options[0] if rng is None else options[int(rng.integers(len(options)))]


def capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
