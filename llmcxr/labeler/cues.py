"""Decide by the cues around a finding, "no" or "possible", whether its sentence denies or doubts it.

Knows where terms stand in the sentence, not what they mean; the cues' words are in `labeler.terms`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from llmcxr.records import Label

_DENIED_INSIDE = re.compile(r"\b(?:not|no longer)\b")
_DOUBTED_INSIDE = re.compile(r"\bborderline\b")
_OR = re.compile(r"\b(?:or|nor)\b")
_SEPARATOR = re.compile(r",|\band\b")
_PLURAL = re.compile(r"(?:are|were|have)\b")
_STATES_DOUBT = re.compile(r"\b(?:is|are|be|remains?|was|were)\s*$")


@dataclass(frozen=True)
class Cue:
    kind: str  # a key of labeler.terms.CUES
    text: str
    start: int
    end: int


class Spotted(Protocol):
    """Holds a term in a sentence, with the side, zone and grade written around it, "" where there is none."""

    text: str
    start: int
    end: int
    side: str
    zone: str
    grade: str


def keep_outside(
    cues: list[Cue], found: Sequence[Spotted], normal: list[tuple[tuple[str, ...], re.Match[str]]]
) -> list[Cue]:
    """Keep the cues that are no part of a term: "not" in "the heart is not enlarged" denies nothing else."""
    starts = [item.start for item in found]

    def is_inside(cue: Cue) -> bool:
        nearest = bisect_right(starts, cue.start) - 1
        if nearest >= 0 and cue.end <= found[nearest].end:
            return True
        return any(match.start() <= cue.start and cue.end <= match.end() for _, match in normal)

    return [cue for cue in cues if not is_inside(cue)]


class _Places:
    """Keeps places of one sort in order, and finds whether one is between two positions without a walk."""

    def __init__(self, starts: list[int]) -> None:
        self.starts = starts

    def between(self, start: int, end: int) -> bool:
        return bisect_left(self.starts, start) < bisect_left(self.starts, end)


class _CueRow:
    """Keeps those cues of a sentence that are of certain kinds, in order."""

    def __init__(self, cues: list[Cue], *kinds: str) -> None:
        self.cues = [cue for cue in cues if cue.kind in kinds]
        self.starts = [cue.start for cue in self.cues]
        self.ends = [cue.end for cue in self.cues]

    def before(self, position: int) -> Cue | None:
        index = bisect_right(self.ends, position)
        return self.cues[index - 1] if index else None

    def after(self, position: int) -> Cue | None:
        index = bisect_left(self.starts, position)
        return self.cues[index] if index < len(self.cues) else None


class Context:
    """Indexes a sentence with its terms and cues once, so that each term is judged in logarithmic time."""

    def __init__(self, sentence: str, found: Sequence[Spotted], cues: list[Cue]) -> None:
        self.sentence = sentence
        self.terms = _Places([item.start for item in found])
        self.denials = _CueRow(cues, "break", "denial before", "denial after")
        self.doubts = _CueRow(cues, "break", "doubt", "doubt list")
        self.breaks = _CueRow(cues, "break")

    @cached_property
    def ors(self) -> _Places:
        return _Places([match.start() for match in _OR.finditer(self.sentence)])

    @cached_property
    def separators(self) -> _Places:
        return _Places([match.start() for match in _SEPARATOR.finditer(self.sentence)])

    @cached_property
    def commas(self) -> _Places:
        return _Places([match.start() for match in re.finditer(",", self.sentence)])


def judge(item: Spotted, context: Context) -> Label:
    """Return whether the sentence has the term PRESENT, ABSENT or UNCERTAIN."""
    if _DENIED_INSIDE.search(item.text):
        return Label.ABSENT
    is_specific = bool(item.side or item.zone or item.grade in ("small", "moderate"))
    if denied_before(item.start, item.end, is_specific, context) or _denied_after(item, context):
        return Label.ABSENT
    if _DOUBTED_INSIDE.search(item.text) or _doubted_before(item, context) or _doubted_after(item, context):
        return Label.UNCERTAIN
    return Label.PRESENT


def denied_before(start: int, end: int, is_specific: bool, context: Context) -> bool:
    """Tell whether there is a "no" before, and whether it reaches this far.

    It reaches over a list ("no effusion, nodule or pneumothorax"), but not to a later member that has its own
    description ("no effusion, nodule in the left upper zone") unless an "or" ties it to the list.
    """
    cue = context.denials.before(start)
    if cue is None or cue.kind != "denial before":
        return False
    if not is_specific or not context.separators.between(cue.end, start):
        return True
    ahead = context.breaks.after(end)
    return context.ors.between(cue.end, ahead.start if ahead else len(context.sentence))


def _denied_after(item: Spotted, context: Context) -> bool:
    cue = context.denials.after(item.end)
    if cue is None or cue.kind != "denial after":
        return False
    others = context.terms.between(item.end, cue.start)
    return not others or bool(_PLURAL.match(cue.text)) or context.ors.between(item.end, cue.start)


def _doubted_before(item: Spotted, context: Context) -> bool:
    cue = context.doubts.before(item.start)
    if cue is None or cue.kind == "break":
        return False
    return cue.kind == "doubt list" or not context.commas.between(cue.end, item.start)


def _doubted_after(item: Spotted, context: Context) -> bool:
    cue = context.doubts.after(item.end)
    if cue is None or cue.kind != "doubt":
        return False
    nearby = max(0, cue.start - 20)  # room for the longest verb
    states = (
        "exclude" in cue.text
        or "ruled" in cue.text
        or _STATES_DOUBT.search(context.sentence, nearby, cue.start)
    )
    others = context.terms.between(item.end, cue.start)
    leads_on = context.terms.between(cue.end, len(context.sentence))
    return bool(states) and not others and not leads_on
