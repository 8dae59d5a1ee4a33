"""Change one word of a text, so that it says something else of the image: what a drawing is to be told from.
Knows English radiology words only: no codes and no model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Group:
    """Words that may stand in each other's place; `weight` is how often they are mistaken, where present."""

    words: tuple[str, ...]
    weight: int

    @property
    def pattern(self) -> re.Pattern:
        longest_first = sorted(self.words, key=len, reverse=True)
        return re.compile(rf"\b(?:{'|'.join(longest_first)})\b", re.IGNORECASE)


# Sides and kinds weigh more, since drawings mistake them most.
_GROUPS = (
    _Group(("left", "right", "bilateral"), 2),
    _Group(("nodule", "mass", "consolidation", "atelectasis"), 2),
    _Group(("pacemaker", "central line", "central venous catheter"), 1),
    _Group(("pleural effusion", "effusion", "pneumothorax"), 1),
    _Group(("upper", "mid", "lower"), 1),
    _Group(("small", "moderate", "large"), 1),
    _Group(("mild", "moderate", "severe"), 1),
)
_SAME = ({"central line", "central venous catheter"}, {"pleural effusion", "effusion"}, {"nodule", "mass"})
_PATTERNS = [(group, group.pattern) for group in _GROUPS]
_RATIO = re.compile(r"\b0\.\d\d\b")
_RATIOS = (0.35, 0.70)  # cardiothoracic ratios that a mistaken text may give
_RATIO_STEP = 0.05  # at least this far from the true one
_SENTENCE = re.compile(r"[A-Z](?:[^.]|\.(?=\d))+\.")
_DENIAL = re.compile(r"\b(?:no|not|without)\b", re.IGNORECASE)


def mistake(text: str, rng: np.random.Generator) -> str | None:
    """The text with one side, kind, zone, grade or ratio changed to another; None where it has none."""
    found = [(group, list(pattern.finditer(text))) for group, pattern in _PATTERNS]
    options = [(group.words, places, group.weight) for group, places in found if places]
    ratios = list(_RATIO.finditer(text))
    options += [((), ratios, 1)] if ratios else []
    if not options:
        return None
    weights = np.array([weight for _, _, weight in options], float)
    words, places, _ = options[int(rng.choice(len(options), p=weights / weights.sum()))]
    place = places[int(rng.integers(len(places)))]
    other = _another_word(place.group(), words, rng) if words else _another_ratio(float(place.group()), rng)
    return text[: place.start()] + other + text[place.end() :]


def sentences_to_mistake(text: str) -> list[str]:
    """The sentences of a text that say what is there and have a word that `mistake` can change.

    A denial is left out: with another word it may be as true.
    """
    return [
        sentence
        for sentence in _SENTENCE.findall(text)
        if not _DENIAL.search(sentence)
        and (_RATIO.search(sentence) or any(pattern.search(sentence) for _, pattern in _PATTERNS))
    ]


def _another_word(word: str, words: tuple[str, ...], rng: np.random.Generator) -> str:
    same = next((same for same in _SAME if word.lower() in same), {word.lower()})
    others = [other for other in words if other not in same]
    other = others[int(rng.integers(len(others)))]
    return other.capitalize() if word[0].isupper() else other


def _another_ratio(true: float, rng: np.random.Generator) -> str:
    ratio = true
    while abs(ratio - true) < _RATIO_STEP:
        ratio = round(rng.uniform(*_RATIOS), 2)
    return f"{ratio:.2f}"
