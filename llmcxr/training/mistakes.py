"""Change one word of a text, so that it says something else of the image: what a drawing is to be told from.
Knows English radiology words only: no codes and no model.
"""

from __future__ import annotations

import re

import numpy as np

_SIDES = ("left", "right", "bilateral")
_EXCHANGED = (
    _SIDES,
    ("upper", "mid", "lower"),
    ("small", "moderate", "large"),
    ("mild", "moderate", "severe"),
)
_OTHERS = {word: [other for other in words if other != word] for words in _EXCHANGED for word in words}
_EXCHANGEABLE = re.compile(rf"\b(?:{'|'.join(_OTHERS)}|0\.\d\d)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[A-Z](?:[^.]|\.(?=\d))+\.")
_RATIOS = (0.35, 0.70)  # cardiothoracic ratios that a mistaken text may give
_RATIO_STEP = 0.05  # at least this far from the true one
_SIDE_SHARE = 0.5  # of mistakes are of a side, where there is one; sides are what drawings mistake most


def mistake(text: str, rng: np.random.Generator) -> str | None:
    """The text with one side, zone, grade or ratio changed to another; None where it has none."""
    places = list(_EXCHANGEABLE.finditer(text))
    if not places:
        return None
    sides = [place for place in places if place.group().lower() in _SIDES]
    places = sides if sides and rng.random() < _SIDE_SHARE else places
    place = places[int(rng.integers(len(places)))]
    return text[: place.start()] + _another(place.group(), rng) + text[place.end() :]


def sentences_to_mistake(text: str) -> list[str]:
    """The sentences of a text in which `mistake` can change a word."""
    return [sentence for sentence in _SENTENCE.findall(text) if _EXCHANGEABLE.search(sentence)]


def _another(word: str, rng: np.random.Generator) -> str:
    if word[0].isdigit():
        ratio = float(word)
        while abs(ratio - float(word)) < _RATIO_STEP:
            ratio = rng.uniform(*_RATIOS)
        return f"{ratio:.2f}"
    others = _OTHERS[word.lower()]
    other = others[int(rng.integers(len(others)))]
    return other.capitalize() if word[0].isupper() else other
