"""Find the headings in the text of a report: where each stands, and which section it opens.

The words of headings are the table `WORDS`; whether a word that stands there is meant as a heading is decided
by how it is written, see `_Candidate`. What belongs to a section is the matter of `llmcxr.reports.sections`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# What a heading opens: a section of `Report`, or one of these.
OUTSIDE = "outside"  # in no section: recommendations, who was told, addenda, signatures
ABOUT = "about"  # in no section: who, when, where; the report itself follows after a blank line
PERSON = "person"  # the same, of a doctor: it ends the report too
FILM = "film"  # "PA AND LATERAL CHEST:": findings, unless the report has a heading of that name
TITLE = "title"  # the name of the examination on a line of its own
ORGAN = "organ"  # "LUNGS:": opens findings where none are open; its own words belong to them
BODY = "body"  # what no heading opens: the text at the beginning, and after "FINAL REPORT"
RULE = "rule"  # a line of dashes or the like

_EXAM = r"(?:exam(?:ination)?s?|stud(?:y|ies)|films?|radiographs?|images?|imaging|x-?rays?)"
WORDS = {
    "findings": (
        r"(?:(?:key|main|pertinent|radiographic|radiologic(?:al)?|radiology|imaging|chest|cxr|x-?ray|detailed|"
        r"final|preliminary) )?findings?|observations?|results?|report|narrative|description"
    ),
    "impression": (
        r"(?:(?:final|overall|diagnostic|radiographic|radiologic(?:al)?|radiology|preliminary) )?"
        r"(?:impressions?|conclusions?|interpretations?|opinion|assessment|diagnos[ie]s)|summary|imp"
    ),
    "indication": (
        r"(?:clinical |study )?indications?|clinical (?:history|information|data|details|question|statement|"
        r"background|context|presentation|diagnosis|problem|notes?)|(?:patient |medical |brief |relevant )?"
        r"history(?: of (?:the )?present(?:ing)? illness)?|hpi|hx|"
        r"reasons?(?: for (?:the |this )?(?:exam(?:ination)?|study|visit|request|order|test|procedure|"
        r"imaging|consult(?:ation)?|radiograph|x-?ray|referral))?|(?:underlying )?medical condition|"
        r"(?:admitting|provisional|working|referring) diagnosis|(?:chief|presenting) complaints?"
    ),
    "technique": (
        rf"techniques?|procedures?|views?|projections?|modality|protocol|(?:type of )?{_EXAM}(?: performed)?"
    ),
    "comparison": rf"comparisons?(?: {_EXAM})?|compared (?:to|with)|(?:priors?|previous)(?: {_EXAM})?",
    OUTSIDE: (
        r"recommend(?:ation|ed follow-?up)s?|follow-?up|plan|critical results?|"
        r"(?:communication|notification)s?(?: of (?:critical )?(?:results?|findings?))?|"
        r"(?:final )?(?:addendum|addenda)|(?:(?:teaching|attending) physician )?attestation|disclaimer|"
        r"(?:electronic )?signatures?|(?:electronically )?signed|dictat(?:ed|ion|or)|"
        r"transcri(?:bed|ption|ptionist)|approved|disposition|wet read|end of (?:impression|findings|report)"
    ),
}
# These are headings without a colon too, in capitals or on a line of their own; so far nothing else is.
_STRONG = re.compile(
    r"(?:(?:key|main|radiographic|final|clinical) )?(?:findings?|impressions?|conclusions?|interpretation|"
    r"assessment|summary|indications?|history|reason for \w+|techniques?|comparisons?|recommendations?|"
    r"notifications?|(?:final )?addendum|attestation|communication|wet read|end of \w+)(?:\(s\))?"
)
_JOIN = re.compile(r" *(?:[/&,+]|\band\b|\bwith\b|\bor\b) *")
_SECTION_OF = [(name, re.compile(rf"(?:{words})(?:\(s\))?")) for name, words in WORDS.items()]
_WORD = "|".join(rf"{words}" for words in WORDS.values())
_CANDIDATE = re.compile(
    rf"(?:{_WORD})(?:\(s\))?(?: ?(?:[/&,+]|and|with|or) ?(?:{_WORD})(?:\(s\))?(?![a-z]))*(?![a-z0-9])"
)
# Headings are looked for where a line begins, after the end of a sentence or a mark, and at capitals.
_PLACE = re.compile(r"(?:^|(?<=[\n.?!;|*#_>\[)\"'+•=-])) *(?=[A-Za-z])|(?<![A-Za-z0-9])(?=[A-Z]{2})")
# Before a heading: a number, a bullet, the marks of Markdown or HTML. After it: a remark in brackets, the
# marks again, and a colon or a dash.
_MARKS = r"(?P<marks>(?:#{1,6} ?)?(?:\*{1,3}|(?<!_)_{1,2}|<(?:b|strong|h\d)>|\[)? ?)"
_NUMBER = r"\(?(?:\d{1,2}|[ivxIVX]{1,4}|[a-hA-H])[.)] *"
_LINE_START = re.compile(rf" *(?:[-+*•>=]+ +|(?:#{{1,6}} ?)?{_NUMBER})?{_MARKS}")
_INLINE_START = re.compile(rf"(?:(?P<ended>[.?!;|][\"')*]* *)(?:\d{{1,2}}[.)] )?|(?P<gap>(?<! ) *)){_MARKS}$")
_AFTER = re.compile(
    r"(?: ?\((?!s\))[^()\n]{1,40}\))?(?P<close> ?(?:\*{1,3}|_{1,2}(?!_)|</\w+>|\]))?"
    r"(?P<mark> ?[:：](?:[-–—]+(?=\s))?| *[-–—=]+(?=\s|$)|\.(?= *(?:\n|$))|)"
    r"(?P<closing> ?(?:\*{1,3}|</\w+>|_{1,2}(?!_)))?"
)
_FINISHED = re.compile(r"(?:^|[.?!:;)*=_-]) *$")
_CONTINUED = re.compile(
    r"\b(?:no|the|an?|these|those|other|new|acute|and|or|of|with|for|in|to|any|my|our) *$", re.I
)
RULE_LINE = re.compile(r"^ *(?:[-=*~]{3,}|_{5,}) *$", re.MULTILINE)
_LABEL = re.compile(r"^[ ]*(?:[-*•+#]+ *)?\**(?P<label>[^\n]{2,90}?)\**[:：](?=\s|\*|$)", re.MULTILINE)
_TITLE = re.compile(r"^[ ]*(?:#+ *)?\**(?P<title>[A-Z][A-Z0-9 ,()/&.:_#\[\]*-]{3,90})$", re.MULTILINE)
_BANNER = re.compile(
    r"^[ ]*(?:#+ *)?\**(?:(?:final|wet read|preliminary|(?:diagnostic )?radiology|radiological|chest x-?ray|"
    r"chest radiograph(?:y)?|cxr|x-?ray|medical) )*report\**[ ]*:?\**[ ]*$",
    re.IGNORECASE | re.MULTILINE,
)
_SIGNED = re.compile(
    r"(?:(?<=\n)|^|(?<=[.?!]))[ ]*(?:(?:(?:electronically|digitally) )?"
    r"(?:signed|dictated|transcribed|read|reported|interpreted|approved|reviewed|verified|finali[sz]ed|"
    r"authenticated|prepared)(?: and \w+)?(?: electronically)? by\b|"
    r"this report (?:was|has been) (?:\w+ly )?(?:signed|dictated|approved|verified|reviewed)\b|"
    r"i,? (?:the (?:attending|undersigned)\b|attest\b|certify\b|(?:have )?personally\b))",
    re.IGNORECASE,
)
_SIGNED_HINTS = ("ed by", "read by", "this report", "personally", "attest", "certify", "undersigned")
_OUTSIDE_LINE = re.compile(
    r"^ *(?:WET READ|(?:FINAL )?ADDENDUM)\b|\(?\bEND OF (?:IMPRESSION|FINDINGS|REPORT)\b[).:]*", re.MULTILINE
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A line up to its colon, or a line in capitals, that consists of these words alone names the film, an organ,
# or whom the report is about. One of the first, of the last, has to be there.
_FILM_NOUNS = _words("chest cxr radiograph radiographs xray film films view views thorax")
_FILM_WORDS = _FILM_NOUNS | _words(
    """pa ap lateral lat frontal posteroanterior anteroposterior portable bedside upright supine erect semi
    semierect semiupright single one two three four x ray rays xr image images projection projections study
    examination exam exams placement decubitus left right of the and with a an in on at for dated date
    performed obtained taken time am pm m p only imaging radiography plain digital"""
)
_ORGAN_WORDS = _words(
    """lung lungs heart cardiac cardiomediastinal cardiomediastinum mediastinal mediastinum silhouette contour
    contours size hilum hila hilar pleura pleural space spaces bone bones bony osseous structures skeleton
    skeletal musculoskeletal joints soft tissue tissues chest wall thorax thoracic cage ribs rib spine line
    lines tube tubes catheters device devices hardware support supporting medical apparatus monitoring airway
    airways trachea bronchi tracheobronchial tree diaphragm diaphragms hemidiaphragm hemidiaphragms abdomen
    upper visualized visualised aorta aortic great vessels vessel vasculature vascular vascularity pulmonary
    parenchyma fields field zones left right and the of or in pneumothorax effusion effusions other additional
    incidental costophrenic angles neck findings"""
)
_ABOUT_NAMES = _words(
    """patient name id mrn dob sex gender age accession date time birth hospital department facility
    institution service requested"""
)
_PEOPLE = _words("physician radiologist provider doctor attending")
_ABOUT_WORDS = (
    _ABOUT_NAMES
    | _PEOPLE
    | _words("referring ordering reporting number of exam examination study report location by")
)


@dataclass(frozen=True)
class Heading:
    """Tells what begins at `end`, after a heading that begins at `start`."""

    start: int
    end: int
    opens: str  # a section of Report, or OUTSIDE, ABOUT, PERSON, FILM, TITLE, ORGAN, BODY


def find_headings(text: str) -> list[Heading]:
    """List the headings of a text in their order, none within another."""
    kept: list[Heading] = []
    for heading in sorted(_find_all(text), key=lambda one: (one.start, -one.end)):
        if not kept or heading.start >= kept[-1].end:
            kept.append(heading)
    return kept


def _find_all(text: str) -> Iterator[Heading]:
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters of other alphabets change their length
        lowered = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    if "report" in lowered:
        yield from (Heading(*one.span(), BODY) for one in _BANNER.finditer(text) if _is_banner(one))
    if any(hint in lowered for hint in _SIGNED_HINTS):
        yield from (Heading(*one.span(), OUTSIDE) for one in _SIGNED.finditer(text) if _is_raised(one))
    if "wet read" in lowered or "addendum" in lowered or "end of" in lowered:
        yield from (Heading(*one.span(), OUTSIDE) for one in _OUTSIDE_LINE.finditer(text))
    yield from _find_named(text, lowered)
    if ":" in text or "：" in text:
        yield from _find_labels(text)
    yield from _find_titles(text)
    yield from (Heading(*one.span(), RULE) for one in RULE_LINE.finditer(text))


def _is_banner(line: re.Match[str]) -> bool:
    """Tell a banner from the heading "REPORT:", which is one of the findings."""
    return line[0].strip(" #*:").lower() != "report"


def _is_raised(found: re.Match[str]) -> bool:
    return found[0].strip()[:1].isupper()


# -- headings by name ----------------------------------------------------------------------------------------


def _find_named(text: str, lowered: str) -> Iterator[Heading]:
    for place in _PLACE.finditer(text):
        found = _CANDIDATE.match(lowered, place.end())
        candidate = _Candidate.at(text, found.start(), found.end()) if found else None
        if candidate is not None and candidate.is_heading:
            yield Heading(candidate.start, candidate.end, _section_of(found[0]))


@dataclass(frozen=True)
class _Candidate:
    """Holds words that may be a heading, with how they are written."""

    text: str
    words: str
    start: int  # of the line or of what marks the heading
    end: int  # after its colon
    starts_line: bool
    ends_sentence_before: bool
    gap: str  # the blanks before it, within a line
    is_marked: bool  # in bold, or as a heading of Markdown
    mark: str  # ":", "-" or ""

    @classmethod
    def at(cls, text: str, start: int, end: int) -> _Candidate | None:
        line = text.rfind("\n", 0, start) + 1
        before = text[line:start]
        leading, inline = _LINE_START.fullmatch(before), _INLINE_START.search(before)
        after = _AFTER.match(text, end)
        known = leading or inline
        if known is None:
            return None
        marks, closed = known["marks"], after["close"] or after["closing"]
        return cls(
            text=text,
            words=text[start:end],
            start=line if leading else line + inline.start() + len(inline["ended"] or ""),
            end=after.end() if marks.strip() or not after["closing"] else after.start("closing"),
            starts_line=leading is not None,
            ends_sentence_before=leading is None and inline["ended"] is not None,
            gap="" if leading else inline["gap"] or "",
            is_marked="#" in marks or bool(marks.strip() and closed),
            mark=after["mark"].strip()[:1].replace("：", ":"),
        )

    @property
    def is_heading(self) -> bool:
        words = self.words.lower()
        if " with " in words and "impression" not in words:  # "Comparison with prior: stable"
            return False
        if self.mark == ":":
            return self._is_heading_with_colon()
        if self.starts_line and not self._line_after().strip():
            return self._is_heading_alone()
        if not self._is_strong or not self.words[0].isupper():
            return False
        opens = self.starts_line or self.ends_sentence_before
        if self.is_marked or (self.mark and opens):
            return True
        return self.words.isupper() and opens and self._is_followed_by_a_sentence()

    def _is_heading_with_colon(self) -> bool:
        if self.starts_line:
            return self.words[0].isupper() or not self._goes_on_from_line_before()
        if self.ends_sentence_before or self.is_marked:
            return True
        if not (self._is_strong and self.words.isupper()):
            return False
        # "Lungs clear IMPRESSION: Normal", but not "NO NEW FINDINGS: LUNGS CLEAR"
        around = self.text[max(0, self.start - 40) : self.end + 40]
        return "FINDING" not in self.words or len(self.gap) > 1 or any(map(str.islower, around))

    def _is_heading_alone(self) -> bool:
        if self.is_marked or (self._is_strong and self.words.isupper()):
            return True
        return (self._is_strong or self.words.isupper()) and self._line_before_is_finished()

    @property
    def _is_strong(self) -> bool:
        return any(_STRONG.fullmatch(part) for part in _JOIN.split(self.words.lower()))

    def _line_after(self) -> str:
        end = self.text.find("\n", self.end)
        return self.text[self.end : len(self.text) if end < 0 else end]

    def _line_before(self) -> str:
        above = self.text[: self.start].removesuffix("\n")
        return above[above.rfind("\n") + 1 :]

    def _line_before_is_finished(self) -> bool:
        return _FINISHED.search(self._line_before()) is not None

    def _goes_on_from_line_before(self) -> bool:
        """Tell whether a sentence was broken here: the line before is long, or ends in a word like "no"."""
        above = self._line_before()
        if _FINISHED.search(above) or self.text.lstrip()[:1].islower():  # such a report has no capitals
            return False
        return len(above.strip()) >= 40 or _CONTINUED.search(above) is not None

    def _is_followed_by_a_sentence(self) -> bool:
        return re.match(r" {2,}\S| +[A-Z0-9][a-z0-9.]", self._line_after()) is not None


@lru_cache(maxsize=1024)
def _section_of(words: str) -> str:
    """Return what a heading opens: of several names joined, findings, else impression, else the first."""
    named = [
        next((name for name, pattern in _SECTION_OF if pattern.fullmatch(part)), OUTSIDE)
        for part in _JOIN.split(words)
    ]
    return next((name for name in ("findings", "impression") if name in named), named[0])


# -- headings by the words of a line -------------------------------------------------------------------------


def _find_labels(text: str) -> Iterator[Heading]:
    for found in _LABEL.finditer(text):
        words = set(re.findall(r"[a-z]+", found["label"].lower()))
        if words <= _FILM_WORDS and words & _FILM_NOUNS:
            yield Heading(found.start(), found.end(), FILM)
        elif words and words <= _ORGAN_WORDS:
            yield Heading(found.start(), found.start(), ORGAN)
        elif words <= _ABOUT_WORDS and words & _PEOPLE:
            yield Heading(found.start(), found.end(), PERSON)
        elif words <= _ABOUT_WORDS and words & _ABOUT_NAMES:
            yield Heading(found.start(), found.end(), ABOUT)


def _find_titles(text: str) -> Iterator[Heading]:
    for found in _TITLE.finditer(text):
        if re.search(r":(?!\d)", found["title"]):
            continue
        words = set(re.findall(r"[a-z]+", found["title"].lower()))
        if words <= _FILM_WORDS and words & _FILM_NOUNS:
            yield Heading(found.start(), found.end(), TITLE)
