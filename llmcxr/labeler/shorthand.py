"""Write out what reports abbreviate: "r/o x", "?x", "s/p", "vs.". Knows no findings; those are in `terms`.

Everything here maps text to text, so that the rules see one spelling of each phrase.
"""

from __future__ import annotations

import re
from itertools import pairwise

# A stop that ends no sentence: after these, where the next word goes on in small letters or is an "or".
_STOP = re.compile(
    r"\b(vs|(?i:consol|infil|infiltr|eff|effus|opac|atelect|pulm|bilat|inf|sup|lat|mod|pl|pneumo|approx|"
    r"dr|e\.g|i\.e))"
    r"\.(?=[,;/)]|\s+(?:[a-z\d]|(?:OR|AND|NOR|VS)\b))|\b((?i:vs|pulm|bilat|approx|dr))\.(?=\s+[A-Z])"
)
_MAY_GO_ON = re.compile(
    r"\.(?:[,;/)]|\s+(?:[a-z\d]|OR|AND|NOR|VS)|(?<=vs\.)|(?<=VS\.)|(?<=ulm\.)|(?<=ilat\.)|(?<=rox\.)|"
    r"(?<=[Dd]r\.))"
)
_ASKED_BEFORE = re.compile(r"(?<![\w)?])\?+\s*(?=[A-Za-z])")
_ASKED_AFTER = re.compile(r"\s*\(\?+\)|(?<=\w)\s*\?+(?=\s*[,;)/])")
_LOOSE_MARK = re.compile(r"(?<=[\w)])\s+\?")

_HEADING_ALONE = re.compile(
    r"[a-z /]*\b(?:findings?|impressions?|indications?|history|technique|comparisons?|conclusions?|"
    r"recommendations?"
    r"|notifications?|examination|exam|report|procedure|reason .*)\s*:?",
    re.IGNORECASE,
)
_ASKS_FOR_MORE = re.compile(
    r"(?:,|\b(?:or|and|nor|of|in|the|an?|no|not|with|without|for|to|at|by|is|are|was|has|have|been|left|"
    r"right|small|mild"
    r"|moderate|large|focal|acute|new|pleural|pulmonary|cardiac|lower|upper|middle|lobe|definite|evidence|"
    r"possible))$",
    re.IGNORECASE,
)
_LAST_WORDS = 16  # letters at the end of a line, in which the words above have room

# Read in this order over a sentence in lower case.
_PHRASES = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"[\u2018\u2019]", "'"),
        (r"\u00a0", " "),
        (r"\s*\u2014\s*|\s+[\u2013\u2012\u2212]\s+|\s+--?\s+|(?<=[a-z])--(?=[a-z])", " - "),
        (r"&", " and "),
        (r"\br/o\b|\bruleout\b", "rule out"),
        (r"\bs/p\b", "status post"),
        (r"\bh/o\b|\bhx(?: of)?\b|\bpmhx?\b(?: of)?", "history of"),
        (r"\bw/o\b|\bw/out\b", "without"),
        (r"\bw/(?=\s?[a-z])", "with "),
        (r"\bc/w\b", "consistent with"),
        (r"\bc/f\b", "concerning for"),
        (r"\bb/l\b|\bbilat\b", "bilateral"),
        (r"\bd/t\b", "due to"),
        (r"\bvs\b\.?|\bv\.(?= )", "versus"),
        (r"\bddx\b:?", "differential"),
        (r"\bcan(?:'t| not)\b", "cannot"),
        (r"(?<=[a-z])n't\b", " not"),
        (r"\bneg\.?(?= for\b)", "negative"),
    )
)
_MAY_BE_SHORT = re.compile(
    r"[/&'\u00a0\u2010-\u2019\u2212]| -|--|\bvs?\b|\bhx|pmh|bilat|ddx|ruleout|can not|\bneg\b"
)


def end_lines(text: str) -> str:
    """Join lines that were only wrapped, and end the others with a stop, for sections lose their lines."""
    lines = [line.strip() for line in text.splitlines()]
    joined = lines[0]
    for line, following in pairwise(lines):
        if line and following and _is_wrapped(line, following, text.lstrip()[:1].isupper()):
            joined += f" {following}"
        else:
            is_open = line and line[-1] not in ".:;?!" and not _HEADING_ALONE.fullmatch(line)
            joined += f"{'.' if is_open else ''}\n{following}"
    return joined


def _is_wrapped(line: str, following: str, has_capitals: bool) -> bool:
    """Tell whether a sentence runs on. Small letters say so only where the text begins with a capital."""
    runs_on = has_capitals and following[0].islower() and line[-1] not in ".:;?!"
    return runs_on or _ASKS_FOR_MORE.search(line[-_LAST_WORDS:]) is not None


def mark_doubts(text: str) -> str:
    """Write the question marks that doubt a word as words, and drop the stops that end no sentence.

    "Opacity, ?pneumonia" becomes "Opacity, question pneumonia". A mark after a word stays where it may end a
    question.
    """
    if _MAY_GO_ON.search(text):
        text = _STOP.sub(r"\1\2", text)
    if "?" not in text:
        return text
    text = _ASKED_AFTER.sub(" (questionable)", text)
    return _LOOSE_MARK.sub("?", _ASKED_BEFORE.sub("question ", text))


def write_out(sentence: str) -> str:
    """Write out the abbreviated phrases of a sentence in lower case."""
    if _MAY_BE_SHORT.search(sentence):
        for pattern, words in _PHRASES:
            sentence = pattern.sub(words, sentence)
    return sentence
