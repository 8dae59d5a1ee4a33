"""Split the text of a report into its sections, and write them again. The rules, in short:

- A heading is a word of `headings.WORDS` with a colon (or " -") at the start of a line or a sentence, in any
  case; with the marks of Markdown or HTML, or a number before it; in capitals, within a line too. Without a
  colon it is one on a line of its own, in Markdown, or in capitals before a new sentence. Within a sentence
  no word is ("no new findings: ...", "comparison is made to ...").
- Joined headings ("FINDINGS AND IMPRESSION", "FINDINGS/IMPRESSION") are findings; "IMPRESSION AND PLAN" is
  the impression.
- Line breaks written out, tags of HTML, and the keys of JSON count as lines and headings.
- Text without headings is findings; so is text before the first heading, and what follows an indication, a
  technique or a comparison in a paragraph of its own, where no findings stand under their heading. "PA AND
  LATERAL CHEST:" then opens findings, as organs do ("LUNGS: clear"), which keep their words; else it is
  technique. A title in capitals that names the examination is technique.
- Recommendations, notifications, addenda, wet reads, signatures and what follows "END OF IMPRESSION" are in
  no section, up to the next heading, and up to a drawn line where they stand before the report. So are lines
  that tell the patient's name, the date and the like.
- What is under a heading stays as it is written ("As above."), with single blanks, without drawn lines and
  the stars of Markdown. Paragraphs, and lines of a list that each begin with a capital, end in a full stop
  where they end in a letter, so that joined lines stay apart. A heading that returns adds to its section.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmcxr.records import Report
from llmcxr.reports.chat_text import to_plain_layout
from llmcxr.reports.headings import (
    ABOUT,
    BODY,
    FILM,
    ORGAN,
    OUTSIDE,
    PERSON,
    RULE,
    RULE_LINE,
    TITLE,
    Heading,
    find_headings,
)

SECTIONS = ("indication", "technique", "comparison", "findings", "impression")
PREAMBLE = ("indication", "technique", "comparison", ABOUT, PERSON)

_PLAIN = re.compile(r"[\n -~]*")
_BREAKS = re.compile(r"\r\n?|[\f\v\x1c-\x1e\x85\u2028\u2029]")
_BLANKS = re.compile(r"[^\S\n ]|\u200b|\ufeff")
_STARS = re.compile(r"(?<![\[*])\*{2,3}(?![\]*])")
_PARAGRAPH = re.compile(r"\n\s*\n")
_ITEM = re.compile(r"[-+*•(]* ?(?:[A-Z]|\d+[.)] ?[A-Z])")
_UNFINISHED = re.compile(
    r"\b(?:a|an|the|no|of|or|and|in|on|at|to|by|for|from|with|is|are|than|right|left)$", re.I
)
_NEW_LINE = re.compile(r"(?:(?<=[.?!])|(?<=none)|(?<=None)|(?<=NONE)|(?<=vailable)) *\n(?= *[A-Z0-9])")


@dataclass(frozen=True)
class _Segment:
    opened_by: str  # what its heading opens
    text: str

    def split(self, has_report: bool) -> tuple[str, str]:
        """Split the segment of a preamble into what belongs to its heading and the paragraphs after it.

        Where the report has no other text, or after a comparison, a line after a finished one is a paragraph.
        """
        text = self.text.lstrip()
        first, *rest = _PARAGRAPH.split(text, maxsplit=1)
        if not rest and (not has_report or self.opened_by == "comparison"):
            first, *rest = _NEW_LINE.split(text, maxsplit=1)
        return first, "".join(rest)


def parse_sections(text: str) -> Report:
    """Split the text of a report into sections; see the rules above."""
    text = to_plain_layout(text)
    if not _PLAIN.fullmatch(text):
        text = _BLANKS.sub(" ", _BREAKS.sub("\n", text))
    segments = _cut(text, find_headings(text))
    if RULE_LINE.search(text):
        segments = [_Segment(one.opened_by, RULE_LINE.sub("\n", one.text)) for one in segments]
    segments = [one for one in segments if one.text.strip()]
    written = {name: _join(segments, name) for name in SECTIONS}
    if written["findings"]:
        technique = [one.text for one in segments if one.opened_by in ("technique", TITLE, FILM)]
        return _build(written | {"technique": " ".join(technique)})
    heads, body = _find_body(segments, bool(written["impression"]))
    return _build(heads | {"findings": body, "impression": written["impression"]})


def _cut(text: str, headings: Sequence[Heading]) -> list[_Segment]:
    segments, opened_by, begin = [], BODY, 0
    for heading in headings:
        before = _Segment(opened_by, text[begin : heading.start])
        if not _counts(heading, before, segments):
            continue
        if heading.opens == BODY:  # what stands above "FINAL REPORT" under no heading is no finding
            segments = [one for one in (*segments, before) if one.opened_by != BODY]
        else:
            segments.append(before)
        if heading.opens == TITLE:
            segments.append(_Segment(TITLE, text[heading.start : heading.end]))
        opened_by = BODY if heading.opens in (TITLE, RULE) else heading.opens
        begin = heading.end
    return [*segments, _Segment(opened_by, text[begin:])]


def _counts(heading: Heading, before: _Segment, segments: Sequence[_Segment]) -> bool:
    """Tell whether a heading opens something where it stands."""
    is_preamble = before.opened_by in PREAMBLE and bool(before.text.strip())
    match heading.opens:
        case "title":
            return is_preamble or before.opened_by == BODY
        case "organ":
            return is_preamble
        case "film":
            return before.opened_by not in ("findings", "impression", ORGAN)
        case "about":
            return before.opened_by not in ("findings", ORGAN, FILM, OUTSIDE)
        case "rule":
            return before.opened_by == OUTSIDE and not _has_report(segments)
    return True


def _has_report(segments: Sequence[_Segment]) -> bool:
    return any(one.opened_by in ("findings", "impression", FILM, ORGAN) for one in segments)


def _find_body(segments: Sequence[_Segment], has_impression: bool) -> tuple[dict[str, str], str]:
    """Return the sections of the preamble, and the findings that stand under no heading of that name."""
    heads, parts = _split_preambles(segments, has_impression, is_last_only=True)
    if not has_impression and not any(parts):
        heads, parts = _split_preambles(segments, has_impression, is_last_only=False)
    for place, one in enumerate(segments):
        if one.opened_by in (BODY, ORGAN, FILM):
            parts[place] = one.text
    first = segments[0] if segments else None
    is_title = (
        first is not None and first.opened_by == BODY and not first.text.rstrip().endswith((".", "?", "!"))
    )
    if is_title and any(parts[1:]):
        parts[0] = ""
    return heads, " ".join(parts)


def _split_preambles(
    segments: Sequence[_Segment], has_impression: bool, is_last_only: bool
) -> tuple[dict[str, str], list[str]]:
    """Split each section of the preamble, or the last of those in a row, from the paragraphs after it.

    Returns the sections, and these paragraphs by the segment's place, "" for the others.
    """
    heads: dict[str, str] = {}
    parts = [""] * len(segments)
    for place, one in enumerate(segments):
        if one.opened_by not in (*PREAMBLE, TITLE):
            continue
        following = segments[place + 1].opened_by if place + 1 < len(segments) else ""
        is_cut = one.opened_by != TITLE and not (is_last_only and following in PREAMBLE)
        is_cut = is_cut and not (one.opened_by in (ABOUT, PERSON) and _has_report(segments[:place]))
        head, parts[place] = one.split(has_impression) if is_cut else (one.text, "")
        name = "technique" if one.opened_by == TITLE else one.opened_by
        heads[name] = f"{heads.get(name, '')} {head}"
    return {name: heads[name] for name in heads if name in SECTIONS}, parts


def _join(segments: Sequence[_Segment], name: str) -> str:
    return " ".join(one.text for one in segments if one.opened_by == name)


def _build(sections: dict[str, str]) -> Report:
    plain = {name: _STARS.sub("", text) if "*" in text else text for name, text in sections.items()}
    return Report(**{name: " ".join(_end_lines(text).split()) for name, text in plain.items()})


def _end_lines(text: str) -> str:
    """End paragraphs and the lines of lists with a full stop, but the last; wrapped lines are none."""
    if text.isupper() or "\n" not in text.strip():
        return text
    paragraphs = [one.strip() for one in _PARAGRAPH.split(text) if one.strip()]
    lines = []
    for paragraph in paragraphs:
        begun = [line.strip() for line in paragraph.split("\n")]
        is_list = all(_ITEM.match(line) for line in begun) and not any(map(_UNFINISHED.search, begun[:-1]))
        lines += begun if is_list else [" ".join(begun)]
    ended = [
        f"{line}." if _ITEM.match(after) and line[-1].isalnum() else line for line, after in pairwise(lines)
    ]
    return "\n".join([*ended, lines[-1]])


def to_text(
    report: Report,
    sections: Sequence[str] = ("findings", "impression"),
    has_headings: bool = True,
    separator: str = "\n",
) -> str:
    """Write the named sections, each under its heading where asked for; sections that are empty are left out.

    A new line ends a sentence for the labeler, a space does not: the separator can change what it finds.
    """
    written = ((name, getattr(report, name)) for name in sections)
    return separator.join(
        f"{name.upper()}: {text}" if has_headings else text for name, text in written if text
    )


def join_sections(report: Report, separator: str = " ") -> str:
    """Join findings and impression without headings: the text of a report as metrics compare it."""
    return to_text(report, has_headings=False, separator=separator)
