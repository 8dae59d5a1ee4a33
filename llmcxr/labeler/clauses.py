"""Divide a sentence into the clauses beyond which no "no" and no "possible" reaches.

Semicolons, dashes and "(-)" end a clause; "X: none" becomes "no X", so that the rules for sentences read
templates too. Knows no findings: the caller says which text names one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NOT_SEEN = r"(?:seen|present|identified|noted|visuali[sz]ed|appreciated|evident|detected|found|demonstrated)"
_ADVERB = r"(?:(?:now|is|are|was|completely|currently|clearly|definitely|grossly) )?"
_SAYS_NO = (
    rf"no|none(?: {_NOT_SEEN})?|neg(?:ative)?|absent|nil|n|denied|0|false|\(-\)|-|no evidence|"
    rf"no longer {_NOT_SEEN}"
    rf"|{_ADVERB}(?:not {_NOT_SEEN}|resolved|excluded|ruled out|removed|cleared)"
)
_SAYS_YES = rf"yes|pos(?:itive)?|\(\++\)|\++|y|1|true|{_ADVERB}{_NOT_SEEN}"
_SAYS_PERHAPS = (
    r"possibl[ey]|probabl[ey]|questionable|question|\(?\?+\)?|equivocal|suspected|uncertain|indeterminate|"
    r"maybe|"
    r"likely|less likely|unlikely|cannot (?:be )?(?:exclude|excluded|rule out)|not excluded|doubtful|"
    r"may be present"
)
_ANSWER = re.compile(
    rf"(?:(?P<no>{_SAYS_NO})|(?P<perhaps>{_SAYS_PERHAPS})|(?P<yes>{_SAYS_YES}))(?=$|\s*[.,;])|"
    r"(?P<none>none)\b|(?P<doubtful>possible|probable|questionable|suspected|likely)\b"
)
_LABEL = r"(?P<label>[a-z][\w /,'&-]{0,60}?)"
_LABELLED = re.compile(rf"\s*-?\s*{_LABEL}\s*(?::|=| - )[\s-]*(?P<value>\S.*)", re.DOTALL)
_END_OF_VALUE = (
    r"none|no|yes|absent|present|neg|negative|pos|positive|normal|clear|seen|enlarged|widened|"
    r"unremarkable|mild|"
    r"moderate|severe|small|large|tiny|trace|possible|stable|unchanged|intact|resolved"
)
_RUN_TOGETHER = re.compile(rf"\b({_END_OF_VALUE}),?\s+(?=[a-z][a-z /]{{2,40}}?:)")
_MARKED = re.compile(
    r"(?P<label>[^,;:()]{1,80}?) ?\(\s*(?P<value>[-\u2013+]+|neg\w*|no|none|absent|not seen|pos\w*|present|"
    r"yes)\s*\)"
)
_MARKED_AHEAD = re.compile(r"\(\s*(?P<value>[-\u2013+]+)\s*\)\s*(?P<label>[^,;:()]+)")
_STATE_OF_ORGAN = re.compile(
    r"(?:\w+ly |not |mild |moderate |to |top |top-|at |the |upper |markedly |increased in )*(?:enlarged|"
    r"large|big|"
    r"wide(?:ned)?|prominent|normal|clear|size|"
    r"unremarkable|within normal|wnl|limits|borderline|congested|engorged|hyper\w+|increased|hazy|"
    r"opacified|indistinct|"
    r"collapsed|fractured|thickened|flattened|elevated|blunted|tortuous|calcified|stable|unchanged)\b"
)
# "pleura: thickening" is of the pleura: what a change alone does not say, its label does.
_ORGANS = {"pleura": "pleural", "heart": "cardiac", "mediastinum": "mediastinal"}
_CHANGE_OF_ORGAN = re.compile(
    r"(?<!pleural )(?<!cardiac )(?<!mediastinal )\b(?:thickening|plaques?|enlargement|widening)\b(?! of)"
)
_DIVIDER = re.compile(r"\s*;\s*| - ")
_GOES_ON = re.compile(r"(?:or|nor|and/or)\b")
_PARENTHESES = re.compile(r"\s*[()\[\]]\s*")
_SEPARATORS = re.compile(r"\s*(?:/|,|\band/or\b|\band\b|\bor\b)\s*")


def divide(sentence: str, names_finding: Callable[[str], bool]) -> list[str]:
    """Return the clauses of a sentence in lower case, in order; most sentences are one clause.

    A part that names no finding stays with the part before it: "Effusion - not seen".
    """
    if not _MAY_DIVIDE.search(sentence):
        return [sentence]
    if "(" in sentence:
        sentence = _MARKED.sub(_write_mark, _MARKED_AHEAD.sub(_write_mark, sentence))
    if sentence.count(":") > 1:
        sentence = _RUN_TOGETHER.sub(r"\1; ", sentence)
    clauses: list[str] = []
    for part in _DIVIDER.split(sentence):
        is_whole = names_finding(part) or _LABELLED.fullmatch(part)
        if clauses and (_GOES_ON.match(part) or not is_whole):
            clauses[-1] = f"{clauses[-1]} - {part}" if part.strip(" .") else clauses[-1]
        elif part:
            clauses.append(part)
    return [_PARENTHESES.sub(" , ", _read_label(clause, names_finding)) for clause in clauses]


_OPENINGS = {"no": "no ", "none": "no ", "perhaps": "possible ", "doubtful": "possible ", "yes": ""}
_MAY_DIVIDE = re.compile(r"[;:(=\[]| - ")


def _write_mark(match: re.Match[str]) -> str:
    """Write "effusion (-)" as "no effusion;" and "effusion (+)" as "effusion;"."""
    is_denied = match["value"][0] in "-\u2013na"
    return f"{'no ' if is_denied else ''}{match['label'].strip()}; "


def _read_label(clause: str, names_finding: Callable[[str], bool]) -> str:
    """Write "effusion: none" as "no effusion" and "heart: enlarged" as "heart is enlarged"."""
    labelled = _LABELLED.fullmatch(clause)
    if labelled is None:
        return clause
    label, value = labelled["label"], labelled["value"]
    answer = _ANSWER.match(value)
    if answer is not None and names_finding(label):
        rest = value[answer.end() :].lstrip(" ")
        opening = _OPENINGS[answer.lastgroup]
        names = " or ".join(_SEPARATORS.split(label)) if opening else label
        return f"{opening}{names} {rest}"
    for organ, adjective in _ORGANS.items():
        if organ in label:
            clause = f"{label}: " + _CHANGE_OF_ORGAN.sub(rf"{adjective} \g<0>", value)
    if _STATE_OF_ORGAN.match(value):
        return f"{' and '.join(_SEPARATORS.split(label))} is {value}"
    return clause
