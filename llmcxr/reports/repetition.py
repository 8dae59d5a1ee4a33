"""Tell a text in which a language model goes round in circles from one that has its words again by nature."""

from __future__ import annotations

import re

MAX_REPEATED_SHARE = 0.6  # of the 3-grams; a text written twice has a half
MIN_TRIGRAMS = 10  # in fewer words the share says nothing
_WORD = re.compile(r"\w+")
_LOOP = re.compile(r"\b(\w+(?:\W+\w+){0,7}?)(?:\W+\1\b){3}")  # one to eight words, four times in a row


def is_repetitive(text: str) -> bool:
    """Tell whether a word, or words, follow themselves four times, or more than 60% of the 3-grams occurred
    before (seq-rep-3 of Welleck et al., "Neural text generation with unlikelihood training", ICLR 2020).

    "There is no effusion. There is no edema. ..." is not: but for three words each sentence is new.
    """
    words = _WORD.findall(text.lower())
    if _LOOP.search(" ".join(words)):
        return True
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    repeated = len(trigrams) - len(set(trigrams))
    return len(trigrams) >= MIN_TRIGRAMS and repeated > MAX_REPEATED_SHARE * len(trigrams)
