"""Cut a report into words, the one way of all word metrics here.

As users of the COCO caption tools expect: lower case, punctuation split off and dropped, "2.5" and
"left-sided" in one piece. Unlike their Penn Treebank tokenizer, "don't" stays one word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:[-']\w+)*|[^\w\s]")
# What the COCO tools drop (their brackets are spelled -LRB-), with the quotes and dashes of typesetting.
_PUNCTUATION = frozenset(".,;:?!'\"`()[]{}-‘’“”–—…")


def tokenize(text: str) -> list[str]:
    """Turn "No effusion, 2.5 cm." into no effusion 2.5 cm. An empty report has no tokens."""
    return [token for token in _TOKEN.findall(text.lower()) if token not in _PUNCTUATION]


def count_ngrams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """Count how often each run of `order` tokens occurs."""
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))
