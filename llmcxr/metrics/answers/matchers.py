"""Decide whether an answer is the reference's: by words, option, number or overlap. Knows no model."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

RATIO_TOLERANCE = 0.03  # about three times the classifier's own mean error on the cardiothoracic ratio

# "B", "(b)", "B. left"; and "the answer is B as ...", where "a" followed by a word is the article
_LETTER_FIRST = re.compile(r"\s*\(?(?P<letter>[A-Za-z])(?:[).:,]|\s*$)")
_LETTER_STATED = re.compile(
    r"\b(?:answer|option|choice)(?:\s+is)?\s*:?\s*\(?(?P<letter>[b-z]\b|a\b(?!\s+\w))", re.IGNORECASE
)


def is_right(answer: str, reference: str, kind: str) -> bool:
    """Apply the rule for phantoms, whose answers have one form for each question.

    A question of presence is right when its yes or no is; of measurement, when the number is within
    `RATIO_TOLERANCE`; any other, when the words are the reference's, case and punctuation aside.
    """
    if kind == "measurement" and read_number(reference) is not None:
        return is_near(answer, reference, RATIO_TOLERANCE)
    if kind == "presence" and (truth := read_yes_no(reference)) is not None:
        return read_yes_no(answer) is truth
    return is_exact(answer, reference)


def is_exact(answer: str, reference: str) -> bool:
    """Compare the words in their order, case and punctuation aside."""
    return split_words(answer) == split_words(reference)


def is_near(answer: str, reference: str, tolerance: float) -> bool:
    """Tell whether the answer's first number is within `tolerance` of the reference's, in the same unit.

    Raises ValueError for a reference without a number.
    """
    wanted, given = read_number(reference), read_number(answer)
    if wanted is None:
        raise ValueError("expected a reference with a number, got one without")
    return given is not None and abs(given - wanted) <= tolerance + 1e-9  # 0.53 - 0.50 > 0.03 in floats


def is_option(answer: str, reference: str, options: Sequence[str]) -> bool:
    """Tell whether both name the same option, each by its letter or its words.

    Raises ValueError for a reference that names none of the options.
    """
    wanted = pick_option(reference, options)
    if wanted is None:
        raise ValueError(f"expected a reference that names one of {len(options)} options, got another text")
    return pick_option(answer, options) == wanted


def pick_option(answer: str, options: Sequence[str]) -> int | None:
    """Return the index of the option that an answer names; None where it names none or more than one.

    An option is named by its letter ("B", "(b)", "B. left", "The answer is B") or by its words. Where one
    option's words hold another's ("right" in "right lower zone") the longer one is named. A letter and words
    that disagree name none.
    """
    by_letter, by_words = _pick_by_letter(answer, len(options)), _pick_by_words(answer, options)
    if by_letter is None:
        return by_words.pop() if len(by_words) == 1 else None
    return by_letter if by_words <= {by_letter} else None


def _pick_by_letter(answer: str, num_options: int) -> int | None:
    found = _LETTER_FIRST.match(answer) or _LETTER_STATED.search(answer)
    index = ord(found["letter"].lower()) - ord("a") if found else num_options
    return index if index < num_options else None


def _pick_by_words(answer: str, options: Sequence[str]) -> set[int]:
    """Find the options whose words stand in the answer outside of a longer option's words."""
    text = f" {' '.join(split_words(answer))} "
    named = set()
    for index in sorted(range(len(options)), key=lambda index: -len(split_words(options[index]))):
        words = " ".join(split_words(options[index]))
        if words and f" {words} " in text:
            named.add(index)
            text = text.replace(f" {words} ", " | ")
    return named


def token_overlap(answer: str, reference: str) -> float:
    """Return the F1 of the shared words, 0 to 1, as SQuAD's evaluation script does (Rajpurkar et al. 2016).

    Case, punctuation and the articles a, an, the are dropped and words are split at blanks. Where either has
    no word left, 1 if both have none, else 0.
    """
    given, wanted = _squad_tokens(answer), _squad_tokens(reference)
    if not given or not wanted:
        return float(given == wanted)
    shared = (Counter(given) & Counter(wanted)).total()
    return 2 * shared / (len(given) + len(wanted))


def _squad_tokens(text: str) -> list[str]:
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\b(?:a|an|the)\b", " ", bare).split()


def read_yes_no(text: str) -> bool | None:
    """Return True or False for an answer that begins with yes or no, else None."""
    words = split_words(text)
    return {"yes": True, "no": False}.get(words[0]) if words else None


def read_number(text: str) -> float | None:
    """Find the first number of a text; None where there is none."""
    found = re.search(r"\d+(?:\.\d+)?", text)
    return float(found.group()) if found else None


def split_words(text: str) -> list[str]:
    """Split into words and numbers in lower case, without punctuation: "0.51." -> ["0.51"]."""
    return re.findall(r"[a-z0-9.]*[a-z0-9]", text.lower())
