"""Tokenize what a user typed so that it is never taken for the control text of a template.

A marker that was typed is cut in two, and each part is tokenized apart: the same words, other tokens. Where a
tokenizer has no other tokens for them, as one of single characters, a space without width stands at the cut.

Legend: L tokens of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from llmcxr.common.errors import UserError

ZERO_WIDTH_SPACE = "\u200b"
SEPARATORS = ("", ZERO_WIDTH_SPACE, " ")  # tried in turn at the cuts
MOST_CUTS = 8  # of one marker

Ids = tuple[int, ...]


@dataclass(frozen=True)
class _Forgery:
    """Ids that a text must not hold: a whole control text, or what makes one with the text's neighbour."""

    ids: Ids
    is_at_start: bool = False
    is_at_end: bool = False

    def find(self, ids: Ids, known: set[int]) -> list[tuple[int, int]]:
        """Return the first and last place of each in `ids`, whose set is `known`."""
        length = len(self.ids)
        if not known.issuperset(self.ids):
            return []
        last = len(ids) - length
        places = range(last if self.is_at_end else 0, 1 if self.is_at_start else last + 1)
        return [(one, one + length - 1) for one in places if ids[one : one + length] == self.ids]


def _list_forgeries(controls: Iterable[Ids], neighbours: Sequence[Ids]) -> list[_Forgery]:
    """List what a text must not hold, begin or end with, where neighbours may stand before or after it."""
    forgeries = set()
    for control in controls:
        length = len(control)
        heads = [0, *(n for n in range(1, length) if any(one[-n:] == control[:n] for one in neighbours))]
        tails = [0, *(n for n in range(1, length) if any(one[:n] == control[-n:] for one in neighbours))]
        forgeries |= {
            _Forgery(control[head : length - tail], head > 0, tail > 0)
            for head in heads
            for tail in tails
            if head + tail < length
        }
    return list(forgeries)


class PlainText:
    """Tokenizes plain text. controls: the ids that a text must not hold, with or without its neighbours.

    neighbours: ids that may stand before or after it. Those of `first_image_id` and above are no text either.
    """

    def __init__(
        self, tokenizer: Any, controls: Iterable[Ids], neighbours: Sequence[Ids], first_image_id: int
    ) -> None:
        self.tokenizer, self.first_image_id = tokenizer, first_image_id
        self._forgeries = _list_forgeries(controls, neighbours)

    def encode(self, text: str) -> Ids:
        """Return the ids of a text (L,). Raises UserError where a tokenizer has one way alone to write it."""
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        ids = tuple(encoded.input_ids)
        return self._encode_apart(text) if self._find_forged(ids) else ids

    def _encode_apart(self, text: str) -> Ids:
        for separator in SEPARATORS:
            cuts: set[int] = set()
            for _ in range(MOST_CUTS):
                ids, places = self._encode_cut(text, sorted(cuts), separator)
                forged = self._find_forged(ids)
                if not forged:
                    return ids
                cuts |= {_choose_cut(places[first][0], places[last][1], cuts) for first, last in forged}
        raise UserError(
            "the text holds a marker of the model's prompt template, and its tokenizer has no other way to "
            "write it; leave the marker out"
        )

    def _encode_cut(
        self, text: str, cuts: Sequence[int], separator: str = ""
    ) -> tuple[Ids, list[tuple[int, int]]]:
        """Return the ids of the parts of a text between cuts, and the characters (start, stop) of each."""
        ids: list[int] = []
        places: list[tuple[int, int]] = []
        for start, stop in pairwise([0, *cuts, len(text)]):
            lead = separator if start in cuts else ""
            encoded = self.tokenizer(
                lead + text[start:stop],
                add_special_tokens=False,
                split_special_tokens=True,
                return_offsets_mapping=True,
            )
            ids += encoded.input_ids
            moved = start - len(lead)
            places += [(max(first + moved, start), last + moved) for first, last in encoded.offset_mapping]
        return tuple(ids), places

    def _find_forged(self, ids: Ids) -> list[tuple[int, int]]:
        """Return the first and last place in `ids` of everything that a text must not hold."""
        forged = [(place, place) for place, one in enumerate(ids) if one >= self.first_image_id]
        known = set(ids)
        for forgery in self._forgeries:
            forged += forgery.find(ids, known)
        return forged


def separate(text: str, markers: Iterable[str], separator: str = ZERO_WIDTH_SPACE) -> str:
    """Put a separator behind the first character of every marker, of two or more, in the text."""
    for marker in sorted(markers, key=len, reverse=True):
        for _ in range(MOST_CUTS):  # what is left of "aaa" holds another "aa"
            text = text.replace(marker, marker[:1] + separator + marker[1:])
    return text


def _choose_cut(start: int, stop: int, cuts: set[int]) -> int:
    """Choose the place in the middle of a marker's characters that is not cut already."""
    free = [place for place in range(start + 1, stop) if place not in cuts] or [start]
    return free[len(free) // 2]
