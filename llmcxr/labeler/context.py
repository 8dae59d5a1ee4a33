"""Index a sentence with its terms and cues, so that each term finds the cues beside it without a walk.

Knows where words stand, not what they mean for a finding; that is in `cues`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

_OR = re.compile(r"\b(?:or|nor)\b")
_SEPARATOR = re.compile(r",|\band\b")
_COMMA = re.compile(",")

# The kinds of cue that are asked for together. A "which" ends the reach of what stands before it, yet what
# follows speaks of the term before: "effusion, which has resolved".
_ROWS = {
    "denials before": {"break", "relative", "neutral", "denial before", "denial after"},
    "denials after": {"break", "neutral", "denial before", "denial after"},
    "doubts before": {"break", "relative", "doubt", "doubt list"},
    "doubts after": {"break", "doubt", "doubt list"},
    "breaks": {"break", "relative"},
    "histories": {"break", "relative", "history"},
    "pasts": {"past"},
}
_REACHING = {"denial before", "denial after", "doubt", "doubt list", "history"}

_SEEN = (
    r"(?:(?:also|now|currently) )?(?:seen|present|identified|noted|evident|visuali[sz]ed|demonstrated|"
    r"appreciated"
    r"|detected|found|apparent|visible)"
)
_IS = (
    r"(?:is|are|was|were|has|have|had|remains?|persists?|appears?|seems?|shows?|demonstrates?|measures?|"
    r"contains?|lies"
    r"|projects?|terminates?|ends|overlies|improves?|worsens?|suggests?|represents?|cannot|could|may|might)"
)
_STATE_WITHOUT_VERB = (
    r"(?:(?:again|also|now) )?(?:stable|unchanged|noted|seen|present|identified|increased|decreased|"
    r"improved|worsened"
    r"|worse|enlarged|widened|redemonstrated|persisting|in place|in situ"
    r"|in (?:good|satisfactory|standard|appropriate|unchanged) position)"
)
_SUBJECT = r"(?:(?!\b(?:or|nor|and|no|not|without|if|which)\b)[^,])*?[^,\s]"
_NEW_CLAUSE = re.compile(
    rf"(?:,\s*)?(?:\b(?P<and>and)\b)?\s*(?P<subject>{_SUBJECT})\s+\b(?P<verb>{_IS}|{_STATE_WITHOUT_VERB})\b"
    rf"(?P<seen> {_SEEN}\b)?"
)
_SEEN_ALONE = ("seen", "present", "identified", "noted")
_ONLY_DESCRIBES = re.compile(
    r"(?: (?:acute|focal|displaced|definite|large|new|suspicious|discrete|lobar|confluent|overt|obvious|"
    r"significant"
    r"|gross|visible|convincing|evidence|of|for|an?|any|the|residual|recurrent|dense|active|small|clear|"
    r"frank)\b,?)*\s*"
)


@dataclass(slots=True)
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

    @property
    def lasts(self) -> bool:
        """Tell whether it is still there when told as "prior"."""
        ...


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


def find_new_clauses(sentence: str, cues: list[Cue]) -> list[Cue]:
    """Return a break at each comma or "and" behind which a subject has a verb or a state of its own."""
    if not any(cue.kind in _REACHING for cue in cues):
        return []
    denials = CueRow([cue for cue in cues if cue.kind == "denial before"])
    breaks = []
    for separator in _SEPARATOR.finditer(sentence):
        clause = _NEW_CLAUSE.match(sentence, separator.start())
        if clause is None:
            continue
        denial = denials.before(separator.start())
        if _is_list(clause, is_denied=denial is not None):
            continue
        if denial is not None and _ONLY_DESCRIBES.fullmatch(sentence, denial.end, separator.start()):
            continue  # "no acute, displaced fracture is seen"
        breaks.append(Cue("break", separator[0], *separator.span()))
    return breaks


def _is_list(clause: re.Match[str], is_denied: bool) -> bool:
    """Tell whether the verb may be the list's: "no effusion and edema is seen", "effusion, edema are"."""
    is_plural_verb = clause["verb"] in ("are", "were", "have")
    if clause["and"]:
        return bool(clause["seen"]) or clause["verb"] in _SEEN_ALONE or (is_plural_verb and not is_denied)
    return is_plural_verb and not clause["subject"].endswith("s")


class Places:
    """Keeps places of one sort in order, and finds whether one is between two positions without a walk."""

    def __init__(self, starts: list[int]) -> None:
        self.starts = starts

    def between(self, start: int, end: int) -> bool:
        return bisect_left(self.starts, start) < bisect_left(self.starts, end)

    def before(self, position: int, default: int) -> int:
        """Return the last place before the position."""
        index = bisect_left(self.starts, position)
        return self.starts[index - 1] if index else default

    def after(self, position: int, default: int) -> int:
        """Return the first place from the position on."""
        index = bisect_left(self.starts, position)
        return self.starts[index] if index < len(self.starts) else default


class CueRow:
    """Keeps cues of a sentence in order."""

    def __init__(self, cues: list[Cue]) -> None:
        self.cues = cues
        self.starts = [cue.start for cue in cues]
        self.ends = [cue.end for cue in cues]

    def before(self, position: int) -> Cue | None:
        index = bisect_right(self.ends, position)
        return self.cues[index - 1] if index else None

    def after(self, position: int) -> Cue | None:
        index = bisect_left(self.starts, position)
        return self.cues[index] if index < len(self.cues) else None


class Context:
    """Indexes a sentence with its terms and cues once, so that each term is judged in logarithmic time."""

    def __init__(self, sentence: str, found: Sequence[Spotted], cues: list[Cue]) -> None:
        new_clauses = find_new_clauses(sentence, cues)
        self.cues = sorted((*cues, *new_clauses), key=lambda cue: cue.start) if new_clauses else cues
        self.sentence = sentence
        self.found = found
        self._rows: dict[str, CueRow] = {}

    def row(self, name: str) -> CueRow:
        """Return the cues of a row of _ROWS, sorted out when first asked for."""
        if name not in self._rows:
            self._rows[name] = CueRow([cue for cue in self.cues if cue.kind in _ROWS[name]])
        return self._rows[name]

    @cached_property
    def terms(self) -> Places:
        return Places([item.start for item in self.found])

    @cached_property
    def ors(self) -> Places:
        return Places([match.start() for match in _OR.finditer(self.sentence)])

    @cached_property
    def separators(self) -> Places:
        return Places([match.start() for match in _SEPARATOR.finditer(self.sentence)])

    @cached_property
    def commas(self) -> Places:
        return Places([match.start() for match in _COMMA.finditer(self.sentence)])

    def end_of_clause(self, position: int) -> int:
        """Return where the next cue of a break begins, or the sentence ends."""
        ahead = self.row("breaks").after(position)
        return ahead.start if ahead else len(self.sentence)

    def next_term(self, position: int) -> Spotted | None:
        index = bisect_left(self.terms.starts, position)
        return self.found[index] if index < len(self.found) else None
