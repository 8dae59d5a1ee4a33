"""Count the studies that could not be judged and say which, by their places in the order. Knows no suite."""

from __future__ import annotations

from llmcxr.systems import Gathered

SHOWN_PLACES = 5


def count_studies(gathered: Gathered) -> dict:
    """Count the studies judged, and list those left out by reason, each by its place in the order from 1."""
    left_out: dict[str, list[int]] = {}
    for index, reason in sorted(gathered.left_out.items()):
        left_out.setdefault(reason, []).append(index + 1)
    return {"judged": len(gathered.ids), "left_out": left_out}


def say_left_out(count: dict) -> list[str]:
    """Say which studies were left out, a sentence a reason, of what `count_studies` gives."""
    total = count["judged"] + sum(map(len, count["left_out"].values()))
    sentences = []
    for reason, places in count["left_out"].items():
        named = ", ".join(map(str, places[:SHOWN_PLACES])) + (", ..." if len(places) > SHOWN_PLACES else "")
        are = "is" if len(places) == 1 else "are"
        sentences.append(f"{len(places)} of {total} studies {are} left out, with {reason} (study {named})")
    return sentences
