"""Count the studies that could not be judged and say which, by their places in the order. Knows no suite."""

from __future__ import annotations

from collections.abc import Mapping

from llmcxr.common.listing import list_first
from llmcxr.systems import Gathered

SHOWN_PLACES = 5


def count_studies(gathered: Gathered) -> dict:
    """Count the studies judged, and list those left out by reason, each by its place in the order from 1."""
    return count_left_out(len(gathered.ids), gathered.left_out)


def count_left_out(judged: int, reasons: Mapping[int, str]) -> dict:
    """Count the same of `reasons`, index -> why."""
    left_out: dict[str, list[int]] = {}
    for index, reason in sorted(reasons.items()):
        left_out.setdefault(reason, []).append(index + 1)
    return {"judged": judged, "left_out": left_out}


def say_left_out(count: dict, studies: str = "studies") -> list[str]:
    """Say which studies were left out, a sentence a reason, of what `count_studies` gives."""
    total = count["judged"] + sum(map(len, count["left_out"].values()))
    sentences = []
    for reason, places in count["left_out"].items():
        named = list_first(places, SHOWN_PLACES)
        are = "is" if len(places) == 1 else "are"
        sentences.append(f"{len(places)} of {total} {studies} {are} left out, with {reason} (study {named})")
    return sentences


def list_unread(unread: Mapping[int, str]) -> list[dict]:
    """List the images that could not be read, index -> why, by their studies' places from 1."""
    return [{"study": index + 1, "reason": reason} for index, reason in unread.items()]


def say_unread(unread: list[dict], study: str = "study") -> list[str]:
    """Say why images could not be read, the first study of each reason, of what `list_unread` gives."""
    first_of: dict[str, int] = {}
    for one in unread:
        first_of.setdefault(one["reason"], one["study"])
    return [f"{study} {place}: {reason}" for reason, place in first_of.items()][:SHOWN_PLACES]
