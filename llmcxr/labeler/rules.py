"""Read what a report says of each finding, by rule: present, absent or uncertain, where, how much.

Works sentence by sentence: find the words that name findings, then the cues that deny or doubt them, then the
side, zone and grade written around them. The words are in `labeler.terms`; a `Vocabulary` chooses among them:
the phantom's findings here, CheXpert's fourteen in `chexpert`. Knows no images and no models.

"nodule" covers every focal rounded lesion, as in the phantom; "mass" is set besides where one is called a
mass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from llmcxr.labeler import terms as tables
from llmcxr.labeler.clauses import divide
from llmcxr.labeler.context import Context, Cue, keep_outside
from llmcxr.labeler.cues import denied_before, judge
from llmcxr.labeler.shorthand import end_lines, mark_doubts, write_out
from llmcxr.labeler.spelling import correct
from llmcxr.records import Label, Report
from llmcxr.reports import join_sections, parse_sections

LABELED_FINDINGS = (*(term.finding for term in tables.TERMS), "mass")


@dataclass(frozen=True)
class Mention:
    """Holds what a text says of a finding in one place; side, zone, grade as in `DrawnFinding`, or ""."""

    name: str
    state: Label  # PRESENT, ABSENT or UNCERTAIN
    side: str = ""
    zone: str = ""
    grade: str = ""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Holds the words to look for, in the form of the tables of `labeler.terms`. Compared by identity."""

    terms: tuple[tables.Term, ...] = tables.TERMS
    groups: tuple[tuple[str, tuple[str, ...]], ...] = tables.GROUPS
    normal_statements: tuple[tuple[str, tuple[str, ...]], ...] = tables.NORMAL_STATEMENTS
    cues: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: tables.CUES)

    def find_terms(self, sentence: str) -> list[tuple[tables.Term, re.Match[str]]]:
        return [(self._term_of[match.lastgroup], match) for match in self._term.finditer(sentence)]

    def find_groups(self, sentence: str) -> list[tuple[tuple[str, ...], re.Match[str]]]:
        return [(self._group_of[match.lastgroup], match) for match in self._group.finditer(sentence)]

    def find_normal(self, sentence: str) -> list[tuple[tuple[str, ...], re.Match[str]]]:
        if not _MAY_BE_NORMAL.search(sentence):
            return []
        matches = ((findings, pattern.search(sentence)) for pattern, findings in self._normal)
        return [(findings, match) for findings, match in matches if match]

    def find_cues(self, sentence: str) -> list[Cue]:
        return [
            Cue(self._kind_of[cue.lastgroup], cue[0], *cue.span()) for cue in self._cue.finditer(sentence)
        ]

    def names_finding(self, text: str) -> bool:
        return bool(self._term.search(text) or self._group.search(text) or self.find_normal(text))

    @cached_property
    def _term_of(self) -> dict[str, tables.Term]:
        return {f"t{i}": term for i, term in enumerate(self.terms)}

    @cached_property
    def _term(self) -> re.Pattern[str]:
        return _compile_named({name: term.patterns for name, term in self._term_of.items()})

    @cached_property
    def _group_of(self) -> dict[str, tuple[str, ...]]:
        return {f"g{i}": findings for i, (_, findings) in enumerate(self.groups)}

    @cached_property
    def _group(self) -> re.Pattern[str]:
        return _compile_named(
            {name: (group[0],) for name, group in zip(self._group_of, self.groups, strict=True)}
        )

    @cached_property
    def _normal(self) -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
        return [(re.compile(_alternatives((words,))), findings) for words, findings in self.normal_statements]

    @cached_property
    def _kind_of(self) -> dict[str, str]:
        return {kind.replace(" ", "_"): kind for kind in self.cues}

    @cached_property
    def _cue(self) -> re.Pattern[str]:
        return _compile_named({name: self.cues[kind] for name, kind in self._kind_of.items()})


PHANTOM = Vocabulary()


def read_findings(text: str, vocabulary: Vocabulary = PHANTOM) -> tuple[Mention, ...]:
    """Return every mention, in the order of the text; with headings, those of findings and impression.

    A question counts with the answer that follows it ("Is there a nodule? Yes, on the left."), alone it
    says nothing. A cardiothoracic ratio implies a large or a normal heart where nothing else is said of its
    size.
    """
    mentions = list(_read_sentences(_split_sentences(_select_text(text)), vocabulary))
    ratio = read_ratio(text)
    if ratio is not None and ratio != 0.5 and all(mention.name != "cardiomegaly" for mention in mentions):
        mentions.append(Mention("cardiomegaly", Label.PRESENT if ratio > 0.5 else Label.ABSENT))
    return tuple(mentions)


def clear_cache() -> None:
    """Forget the sentences read so far, as a measurement of speed needs."""
    _read_statement.cache_clear()
    _read_answer.cache_clear()


def find_present(text: str) -> dict[str, Mention]:
    """Return the present findings, each once, with what any of its mentions gives of side, zone, grade."""
    found: dict[str, Mention] = {}
    for mention in read_findings(text):
        if mention.state is Label.PRESENT:
            known = found.get(mention.name, mention)
            found[mention.name] = replace(
                known,
                side=known.side or mention.side,
                zone=known.zone or mention.zone,
                grade=known.grade or mention.grade,
            )
    return found


def label(report: Report | str) -> dict[str, Label]:
    """Return the state of each of LABELED_FINDINGS; over several mentions the `stronger` one."""
    text = join_sections(report) if isinstance(report, Report) else report
    labels = dict.fromkeys(LABELED_FINDINGS, Label.NOT_MENTIONED)
    for mention in read_findings(text):
        labels[mention.name] = stronger(labels[mention.name], mention.state)
    return labels


def stronger(first: Label, second: Label) -> Label:
    """Join two mentions of a finding: present wins, then uncertain, then absent."""
    return second if _STRENGTH[second] > _STRENGTH[first] else first


def read_ratio(text: str) -> float | None:
    """Find the first cardiothoracic ratio ("ratio 0.53", "53%"); the text may be the number alone."""
    match = _RATIO.search(text) or _NUMBER_ALONE.fullmatch(text)
    if match is None:
        return None
    value = float(match["value"]) / (100 if match["percent"] else 1)
    return value if 0.2 <= value <= 0.95 else None


_STRENGTH = {Label.NOT_MENTIONED: 0, Label.ABSENT: 1, Label.UNCERTAIN: 2, Label.PRESENT: 3}
_NUMBER = r"(?P<value>0?\.\d+|\d{2}(?:\.\d+)?(?=\s*%))\s*(?P<percent>%?)"
_RATIO = re.compile(
    rf"\b(?:(?:cardio-?thoracic|c/t) (?:ratio|index)|ctr)\b[^\d.;]{{0,25}}{_NUMBER}", re.IGNORECASE
)
_NUMBER_ALONE = re.compile(rf"\s*{_NUMBER}\.?\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+|(?:^|\s)\d{1,2}[.)]\s+")
_ANSWER = re.compile(r"(?P<yes>yes\b)?(?P<no>(?:no|none)(?= *(?:[,.;]|$)))?[,. ]*(?P<rest>.*)", re.DOTALL)


def _alternatives(patterns: Iterable[str]) -> str:
    return rf"\b(?=\w)(?:{'|'.join(patterns)})\b"  # most boundaries end a word: the look ahead leaves these


def _compile_named(patterns: Mapping[str, Iterable[str]]) -> re.Pattern[str]:
    # One test for a word boundary before all the names: most places in a text fail it.
    return re.compile(_alternatives(f"(?P<{name}>{'|'.join(words)})" for name, words in patterns.items()))


_MAY_BE_NORMAL = re.compile(r"normal|unremarkable|wnl|clear|sharp|not |nor ")
_SIDE = _compile_named({side: (words,) for side, words in tables.SIDES.items()})
_ZONE = _compile_named({zone: (words,) for zone, words in tables.ZONES.items()})
_GRADE = _compile_named({grade: (words,) for grade, words in tables.GRADES.items()})
_MASS = re.compile(_alternatives((tables.MASS,)))
_BOUNDARY = re.compile(
    r"[,;:/]|\b(?:and|or|nor|with|without|but|plus|no|there (?:is|are)|(?:is|are) (?:seen|present|noted))\b"
)
_STARTS_PLACE = re.compile(r"\s*(?:in|at|on|within|of|along|over|involving|overlying|is|are|throughout)\b")
_POST_END = re.compile(r"[,;:]|\b(?:with|without|but|no|and (?!right|left|lower|mid|upper))\b")
_CONJUNCTION = re.compile(r"\s*(?:,|/|and|or|,\s*and|,\s*or)\s*")
_GRADE_AFTER = re.compile(r"\b(?:is|are|appears?|remains?|measures?)\s+(?:\w+ )?(?P<grade>\w[\w-]*)")
_PLACE_WORDS = {"in", "on", "at", "the", "side", "sided", "zone", "lung", "lobe", "and"}


@dataclass(slots=True)
class _Found:
    """A term in a sentence, with what is written around it."""

    term: tables.Term
    text: str
    start: int
    end: int
    side: str = ""
    zone: str = ""
    grade: str = ""
    placed_before: bool = False  # its side or zone stands before it

    @property
    def lasts(self) -> bool:
        return self.term.finding in tables.LASTING

    def say(self, state: Label) -> Iterator[Mention]:
        if state is Label.NOT_MENTIONED:
            return
        is_mass = _MASS.search(self.text) is not None
        grade = self.grade or ("large" if is_mass else "")
        yield Mention(self.term.finding, state, self.side, self.zone, grade)
        if is_mass:
            yield Mention("mass", state, self.side, self.zone, self.grade)


def _select_text(text: str) -> str:
    text = end_lines(text) if "\n" in text else text
    return join_sections(parse_sections(text), "\n") if ":" in text else text


def _split_sentences(text: str) -> list[str]:
    return [sentence.lower() for sentence in _SENTENCE_END.split(mark_doubts(text)) if sentence]


def _read_sentences(sentences: list[str], vocabulary: Vocabulary) -> Iterator[Mention]:
    question = ""
    for sentence in sentences:
        if question:
            if _INTERROGATIVE.search(question) or _answers(sentence):
                yield from _read_answer(question, sentence, vocabulary)
                question = ""
                continue
            yield from _read_doubt(question, vocabulary)
            question = ""
        if sentence.endswith("?"):
            question = sentence
            continue
        yield from _read_statement(sentence, vocabulary)
    if question and not _INTERROGATIVE.search(question):
        yield from _read_doubt(question, vocabulary)


def _answers(sentence: str) -> bool:
    answer = _ANSWER.match(sentence)
    return bool(answer["yes"] or answer["no"])


def _read_doubt(question: str, vocabulary: Vocabulary) -> tuple[Mention, ...]:
    """Read "opacity, pneumonia?" as "opacity, question pneumonia"."""
    stated, comma, doubted = question.rstrip("?").rpartition(",")
    return _read_statement(f"{stated}{comma} question {doubted}", vocabulary)


_INTERROGATIVE = re.compile(
    r"(?:^|[,:] )(?:is|are|was|were|do|does|did|has|have|can|could|what|which|where|who|how|why|when|any|"
    r"should|would|will"
    r"|name|list|describe|in which|on which|at which)\b"
)


@lru_cache(maxsize=1 << 16)
def _read_statement(sentence: str, vocabulary: Vocabulary) -> tuple[Mention, ...]:
    sentence = correct(write_out(" ".join(sentence.split())))
    clauses = divide(sentence, vocabulary.names_finding)
    mentions = [mention for clause in clauses for mention in _read_clause(clause, vocabulary)]
    return tuple(dict.fromkeys(mentions))


def _read_clause(clause: str, vocabulary: Vocabulary) -> list[Mention]:
    found = _find_terms(clause, vocabulary)
    normal = vocabulary.find_normal(clause)
    groups = vocabulary.find_groups(clause)
    if not found and not normal and not groups:
        return []
    context = Context(clause, found, keep_outside(vocabulary.find_cues(clause), found, normal))
    mentions = [mention for item in found for mention in item.say(judge(item, context))]
    for findings, group in groups:
        if denied_before(group.start(), group.end(), False, context):
            mentions += [Mention(name, Label.ABSENT) for name in findings]
    return mentions + [Mention(name, Label.ABSENT) for findings, _ in normal for name in findings]


@lru_cache(maxsize=1 << 16)
def _read_answer(question: str, sentence: str, vocabulary: Vocabulary) -> tuple[Mention, ...]:
    answer = _ANSWER.match(sentence)
    rest = answer["rest"]
    asked = [replace(item, grade="", text="") for item in _find_terms(question, vocabulary)]
    stated = _read_statement(rest, vocabulary)
    if answer["no"]:
        groups = [name for findings, _ in vocabulary.find_groups(question) for name in findings]
        denied = [item.term.finding for item in asked] + groups
        return (*(Mention(name, Label.ABSENT) for name in denied), *stated)
    if answer["yes"]:
        normal = [name for findings, _ in vocabulary.find_normal(question) for name in findings]
        stated = (*stated, *(Mention(name, Label.ABSENT) for name in normal))
    elif stated:
        return stated
    placed = [_place(item, rest, "") for item in asked]
    placed = [
        replace(
            item, side=item.side or before.side, zone=item.zone or before.zone, grade=_first(_GRADE, rest)
        )
        for item, before in zip(placed, asked, strict=True)
    ]
    return (*(mention for item in placed for mention in item.say(Label.PRESENT)), *stated)


def _find_terms(sentence: str, vocabulary: Vocabulary) -> list[_Found]:
    matches = vocabulary.find_terms(sentence)
    found = []
    for i, (term, match) in enumerate(matches):
        previous_end = matches[i - 1][1].end() if i else 0
        next_start = matches[i + 1][1].start() if i + 1 < len(matches) else len(sentence)
        before = _text_before(sentence[previous_end : match.start()], is_first=i == 0)
        after = _text_after(sentence[match.end() : next_start], is_last=i + 1 == len(matches))
        item = _Found(term, match[0], match.start(), match.end())
        found.append(_place(item, before, after))
    return _share_places(sentence, found)


def _text_before(gap: str, is_first: bool) -> str:
    """Cut out the part of the text before a term that speaks of it."""
    boundaries = list(_BOUNDARY.finditer(gap))
    if not boundaries:
        return "" if not is_first and _STARTS_PLACE.match(gap) else gap
    nearest = gap[boundaries[-1].end() :]
    opens_with_place = is_first and _STARTS_PLACE.match(gap) and not _SIDE.search(nearest)
    return gap if opens_with_place else nearest


def _text_after(gap: str, is_last: bool) -> str:
    """Cut out the part of the text after a term that speaks of it."""
    if not is_last:
        boundaries = list(_BOUNDARY.finditer(gap))
        if boundaries:
            gap = gap[: boundaries[-1].start()]
        elif not _STARTS_PLACE.match(gap):
            return ""
    end = _POST_END.search(gap)
    if end is None:
        return gap
    rest = gap[end.start() :]
    for pattern in (_SIDE, _ZONE, _GRADE):
        rest = pattern.sub(" ", rest)
    says_only_where = _PLACE_WORDS.issuperset(re.findall(r"\w+", rest))
    return gap if says_only_where else gap[: end.start()]


def _place(item: _Found, before: str, after: str) -> _Found:
    term = item.term
    side_before = _read_side(before) if term.sided else ""
    zone_before = _first(_ZONE, before) if term.zoned else ""
    side = side_before or (_read_side(after) if term.sided else "")
    zone = zone_before or (_first(_ZONE, after) if term.zoned else "")
    grade = _last(_GRADE, before) or _first(_GRADE, item.text) or _grade_after(after)
    return replace(item, side=side, zone=zone, grade=grade, placed_before=bool(side_before or zone_before))


def _read_side(text: str) -> str:
    sides = {match.lastgroup for match in _SIDE.finditer(text)}
    return sides.pop() if len(sides) == 1 else "bilateral" if sides else ""


def _grade_after(text: str) -> str:
    stated = _GRADE_AFTER.search(text)
    if stated is not None and (grade := _first(_GRADE, stated["grade"])):
        return grade
    end = _POST_END.search(text)
    return _first(_GRADE, text[end.start() :]) if end else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.lastgroup if match else ""


def _last(pattern: re.Pattern[str], text: str) -> str:
    names = [match.lastgroup for match in pattern.finditer(text)]
    return names[-1] if names else ""


def _share_places(sentence: str, found: list[_Found]) -> list[_Found]:
    """Give both one place in "left effusion and atelectasis" and "effusion and atelectasis on the left"."""
    for i in range(1, len(found)):
        if _can_share(sentence, found[i - 1], found[i]) and found[i - 1].placed_before:
            found[i] = _take_place(found[i], found[i - 1])
    for i in range(len(found) - 2, -1, -1):
        if _can_share(sentence, found[i], found[i + 1]) and not found[i + 1].placed_before:
            found[i] = _take_place(found[i], found[i + 1])
    return found


def _can_share(sentence: str, left: _Found, right: _Found) -> bool:
    both = left.term.shares_place and right.term.shares_place
    return both and _CONJUNCTION.fullmatch(sentence, left.end, right.start) is not None


def _take_place(item: _Found, other: _Found) -> _Found:
    if item.side or item.zone:
        return item
    return replace(item, side=other.side, zone=other.zone if item.term.zoned else "")
