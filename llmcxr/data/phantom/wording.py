"""Write what a phantom shows, as a radiologist would: reports and draw requests. Knows no pixels.

Every text is true of its case and complete: each finding is named with whatever side, zone and grade it has
(edema, which is always bilateral here, sometimes without saying so), and nothing absent is asserted. The
vocabulary is kept small, since a tokenizer of some five hundred tokens is trained on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from llmcxr.data.phantom.case import DrawnFinding, PhantomCase
from llmcxr.records import Report
from llmcxr.reports import capitalise, describe_circumstances

LUNG_FINDINGS = ("consolidation", "nodule", "edema", "atelectasis")
PLEURAL_FINDINGS = ("pleural effusion", "pneumothorax")
DEVICES = ("pacemaker", "central line", "endotracheal tube")

_SIZES = {"small": "small", "moderate": "moderate", "large": "large"}
_SEVERITIES = {"small": "mild", "moderate": "moderate", "large": "severe"}
_GRADE_WORDS = {
    "pleural effusion": _SIZES,
    "pneumothorax": _SIZES,
    "consolidation": _SIZES,
    "nodule": {"small": "small", "moderate": "medium-sized", "large": "large"},
    "edema": _SEVERITIES,
    "atelectasis": {"small": "mild", "moderate": "moderate", "large": "marked"},
    "cardiomegaly": _SEVERITIES,
    "mediastinal widening": {"small": "mild", "moderate": "moderate", "large": "marked"},
}
_NOUNS = {
    "pleural effusion": ("pleural effusion", "pleural effusion", "effusion"),
    "consolidation": ("consolidation", "consolidation", "airspace consolidation"),
    "edema": ("pulmonary edema", "pulmonary edema", "edema"),
    "central line": ("central line", "central line", "central venous catheter"),
}
_STATES = {
    "cardiomegaly": "{adverb} enlarged heart",
    "mediastinal widening": "{adverb} widened mediastinum",
}
_UNCOUNTED = ("edema", "atelectasis", "cardiomegaly", "mediastinal widening")
_SECTION_ORDERS = (
    ("heart", "lungs", "pleura", "mediastinum", "devices"),
    ("heart", "mediastinum", "lungs", "pleura", "devices"),
    ("lungs", "pleura", "heart", "mediastinum", "devices"),
    ("devices", "heart", "mediastinum", "lungs", "pleura"),
)
_CROWDED = 4  # from this many findings on, some explicit negatives are left out to keep the report short

_NORMAL_HEART = (
    "The heart is normal in size, cardiothoracic ratio {ratio}.",
    "Heart size is normal with a cardiothoracic ratio of {ratio}.",
    "The heart is not enlarged, cardiothoracic ratio {ratio}.",
    "Normal heart size (cardiothoracic ratio {ratio}).",
    "Cardiothoracic ratio {ratio}, heart size within normal limits.",
)
_LARGE_HEART = (
    "The heart is {adverb} enlarged, cardiothoracic ratio {ratio}.",
    "{Grade} cardiomegaly with a cardiothoracic ratio of {ratio}.",
    "There is {grade} cardiomegaly (cardiothoracic ratio {ratio}).",
    "{Adverb} enlarged heart, cardiothoracic ratio {ratio}.",
    "Cardiothoracic ratio {ratio}, {grade} cardiomegaly.",
)
_CLEAR_LUNGS = (
    "The lungs are clear.",
    "Lungs are clear.",
    "Both lungs are clear.",
    "Clear lungs without consolidation or nodule.",
    "No focal consolidation or edema.",
)
_NO_PLEURAL_FINDING = (
    "No pleural effusion or pneumothorax.",
    "No pneumothorax or pleural effusion.",
    "There is no pneumothorax and no pleural effusion.",
    "No pneumothorax. No effusion.",
    "No effusion or pneumothorax is seen.",
)
_NO_SINGLE_FINDING = {
    "pleural effusion": ("No pleural effusion.", "There is no effusion.", "No effusion is seen."),
    "pneumothorax": ("No pneumothorax.", "There is no pneumothorax.", "No pneumothorax is seen."),
    "consolidation": ("No consolidation.", "No focal consolidation.", "There is no consolidation."),
    "nodule": ("No nodule.", "No nodule or mass.", "There is no lung nodule."),
    "edema": ("No edema.", "No pulmonary edema.", "There is no pulmonary edema."),
    "atelectasis": ("No atelectasis.", "There is no atelectasis."),
}
_NORMAL_MEDIASTINUM = (
    "The mediastinum is normal.",
    "Mediastinal contours are normal.",
    "The mediastinum is not widened.",
    "Normal mediastinum.",
)
_WIDE_MEDIASTINUM = (
    "The mediastinum is {adverb} widened.",
    "There is {grade} mediastinal widening.",
    "{Grade} widening of the mediastinum.",
)
_NO_DEVICES = ("No lines or tubes.", "No support devices.", "There are no lines or tubes.")
_NORMAL_IMPRESSIONS = (
    "No acute cardiopulmonary abnormality.",
    "No acute cardiopulmonary abnormality.",
    "No acute cardiopulmonary disease.",
)
_NORMAL_REQUESTS = (
    "normal chest",
    "normal chest",
    "normal chest radiograph",
    "no acute cardiopulmonary abnormality",
    "clear lungs",
    "no abnormality",
)
_RADIOGRAPHS = ("chest radiograph with", "chest x-ray showing")
_NORMAL_HEART_REQUESTS = ("heart size normal", "normal heart size", "heart not enlarged")


def write_report(case: PhantomCase, rng: np.random.Generator) -> Report:
    """Write findings and impression, 17-75 words (median 40). `rng` chooses the wording only."""
    crowded = len(case.findings) >= _CROWDED
    sections = {
        "heart": [_heart_sentence(case, rng)],
        "lungs": _lung_sentences(case, rng, crowded),
        "pleura": _pleural_sentences(case, rng, crowded),
        "mediastinum": _mediastinal_sentences(case, rng, crowded),
        "devices": _device_sentences(case, rng, crowded),
    }
    findings = " ".join(sentence for name in pick(_SECTION_ORDERS, rng) for sentence in sections[name])
    return Report(findings=findings, impression=_write_impression(case, rng))


def describe(case: PhantomCase, rng: np.random.Generator, complete: bool = False) -> str:
    """Write a terse request to draw the case, in the styles that users type: all findings, then sometimes
    more.

    Two requests in three give the heart's size or its ratio, one in four the view position, the sex or both.
    Now and then a grade, or the side of a device, is left out as users do; `complete=True` keeps each detail.
    """
    findings = case.findings if complete else [_forget(finding, rng) for finding in case.findings]
    items = [noun_phrase(finding, rng) for finding in _in_some_order(findings, rng)]
    items = items or [pick(_NORMAL_REQUESTS, rng)]
    heart, ratio = _heart_request(case, rng)
    style = rng.random()
    if style < 0.4:
        sentences = [*items, *heart, *ratio]
    elif style < 0.75:
        sentences = [", ".join([*items, *heart]), *ratio]
    elif style < 0.93 or not findings:
        sentences = [_join_with(items), *heart, *ratio]
    else:
        sentences = [f"{pick(_RADIOGRAPHS, rng)} {join_list(items)}", *heart, *ratio]
    circumstances = describe_circumstances(case.view_position, case.sex, rng)
    sentences = [*circumstances, *sentences] if rng.random() < 0.5 else [*sentences, *circumstances]
    text = " ".join(f"{capitalise(sentence)}." for sentence in sentences)
    return _as_typed(text) if rng.random() < 0.15 else text


def noun_phrase(finding: DrawnFinding, rng: np.random.Generator) -> str:
    """Write such as "small right pleural effusion" or "nodule in the left upper zone", no full stop."""
    if finding.name in _STATES and rng.random() < 0.25:
        return _fill_grade(_STATES[finding.name], finding)
    grade, noun, adjective = grade_word(finding), _noun(finding, rng), _adjective(finding, rng)
    if finding.name == "edema" and rng.random() < 0.5:
        return _words(grade, noun)
    if adjective and rng.random() < 0.5:
        return _words(grade, noun, location(finding, rng))
    return _words(grade, adjective, noun)


def location(finding: DrawnFinding, rng: np.random.Generator) -> str:
    """Write such as "in the left upper zone" or "on both sides"; "" for what has no place."""
    if finding.zone:
        area = _area(rng)
        if finding.side == "bilateral":
            return f"in both {finding.zone} {area}s"
        return "in the " + _words(finding.side, finding.zone, area)
    if finding.side == "bilateral":
        return "on both sides"
    return f"on the {finding.side}" if finding.side else ""


def grade_word(finding: DrawnFinding) -> str:
    """Return the word for the grade of this kind of finding: "small", "severe" ...; "" where it has none."""
    return _GRADE_WORDS.get(finding.name, {}).get(finding.grade, "")


def with_article(phrase: str, finding: DrawnFinding) -> str:
    """Put "a" or "an" before a phrase that names something countable."""
    if finding.name in _UNCOUNTED or finding.side == "bilateral":
        return phrase
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def ratio_text(case: PhantomCase) -> str:
    """Write the cardiothoracic ratio as reports do, with two decimals."""
    return f"{case.cardiothoracic_ratio:.2f}"


def pick(options: Sequence, rng: np.random.Generator):
    """Pick one of the options, each equally likely; several times faster than `rng.choice`."""
    return options[int(rng.random() * len(options))]


def join_list(phrases: Sequence[str]) -> str:
    """Join phrases as in "a, b and c"."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _area(rng: np.random.Generator) -> str:
    return "lung" if rng.random() < 0.2 else "zone"


def _noun(finding: DrawnFinding, rng: np.random.Generator) -> str:
    if finding.name == "nodule" and finding.grade == "large":
        noun = "mass"
    elif finding.name == "pneumothorax" and finding.grade == "small" and rng.random() < 0.3:
        noun = "apical pneumothorax"  # air rises: in an upright chest a small pneumothorax is at the apex
    else:
        noun = pick(_NOUNS.get(finding.name, (finding.name,)), rng)
    if finding.side != "bilateral" or finding.name in _UNCOUNTED:
        return noun
    return (
        f"{noun.removesuffix('x')}ces"
        if noun.endswith("x")
        else f"{noun}es"
        if noun == "mass"
        else f"{noun}s"
    )


def _adjective(finding: DrawnFinding, rng: np.random.Generator) -> str:
    return _words(finding.side, finding.zone, _area(rng)) if finding.zone else finding.side


def _sentence(finding: DrawnFinding, rng: np.random.Generator, crowded: bool) -> str:
    """Write one of the findings section's sentences about a finding that is in the picture."""
    verb = "are" if finding.side == "bilateral" and finding.name not in _UNCOUNTED else "is"
    style = 0.6 + 0.4 * rng.random() if crowded else rng.random()
    if style < 0.35:
        return f"There {verb} {with_article(noun_phrase(finding, rng), finding)}."
    if style < 0.55 and finding.zone:
        subject = with_article(_words(grade_word(finding), _noun(finding, rng)), finding)
        return f"{capitalise(location(finding, rng))} there {verb} {subject}."
    if style < 0.75:
        return f"{capitalise(with_article(noun_phrase(finding, rng), finding))} {verb} {_seen(finding, rng)}."
    return f"{capitalise(noun_phrase(finding, rng))}."


def _seen(finding: DrawnFinding, rng: np.random.Generator) -> str:
    return pick(("in place", "seen") if finding.name in DEVICES else ("seen", "present", "noted"), rng)


def _heart_sentence(case: PhantomCase, rng: np.random.Generator) -> str:
    finding = case.find("cardiomegaly")
    if finding is None:
        return pick(_NORMAL_HEART, rng).format(ratio=ratio_text(case))
    return capitalise(_fill_grade(pick(_LARGE_HEART, rng), finding, ratio=ratio_text(case)))


def _fill_grade(template: str, finding: DrawnFinding, **values: str) -> str:
    grade = grade_word(finding)
    adverb = f"{grade}ly" if grade not in ("", "marked") else grade and "markedly"
    text = template.format(
        grade=grade, Grade=capitalise(grade), adverb=adverb, Adverb=capitalise(adverb), **values
    )
    return " ".join(text.split())


def _lung_sentences(case: PhantomCase, rng: np.random.Generator, crowded: bool) -> list[str]:
    present = [finding for finding in case.findings if finding.name in LUNG_FINDINGS]
    if not present:
        return [pick(_CLEAR_LUNGS, rng)]
    sentences = [_sentence(finding, rng, crowded) for finding in _in_some_order(present, rng)]
    absent = [name for name in LUNG_FINDINGS if case.find(name) is None]
    if absent and not crowded and rng.random() < 0.6:
        sentences.append(pick(_NO_SINGLE_FINDING[pick(absent, rng)], rng))
    return sentences


def _pleural_sentences(case: PhantomCase, rng: np.random.Generator, crowded: bool) -> list[str]:
    present = [finding for finding in case.findings if finding.name in PLEURAL_FINDINGS]
    if not present:
        return [] if crowded and rng.random() < 0.5 else [pick(_NO_PLEURAL_FINDING, rng)]
    sentences = [_sentence(finding, rng, crowded) for finding in _in_some_order(present, rng)]
    absent = [name for name in PLEURAL_FINDINGS if case.find(name) is None]
    if absent and not crowded and rng.random() < 0.8:
        sentences.append(pick(_NO_SINGLE_FINDING[absent[0]], rng))
    return sentences


def _mediastinal_sentences(case: PhantomCase, rng: np.random.Generator, crowded: bool) -> list[str]:
    finding = case.find("mediastinal widening")
    if finding is not None:
        return [capitalise(_fill_grade(pick(_WIDE_MEDIASTINUM, rng), finding))]
    return [] if crowded or rng.random() < 0.15 else [pick(_NORMAL_MEDIASTINUM, rng)]


def _device_sentences(case: PhantomCase, rng: np.random.Generator, crowded: bool) -> list[str]:
    present = [finding for finding in case.findings if finding.name in DEVICES]
    if present:
        return [_sentence(finding, rng, crowded) for finding in _in_some_order(present, rng)]
    return [pick(_NO_DEVICES, rng)] if not case.findings or rng.random() < 0.4 else []


def _write_impression(case: PhantomCase, rng: np.random.Generator) -> str:
    if not case.findings:
        return pick(_NORMAL_IMPRESSIONS, rng)
    phrases = [noun_phrase(finding, rng) for finding in _in_some_order(case.findings, rng)]
    style = rng.random()
    if style < 0.5:
        return " ".join(f"{capitalise(phrase)}." for phrase in phrases)
    text = join_list(phrases) if style < 0.8 else _join_with(phrases)
    return f"{capitalise(text)}."


def _in_some_order(findings: Sequence[DrawnFinding], rng: np.random.Generator) -> list[DrawnFinding]:
    """Return the order given, or in two of five times another."""
    if len(findings) < 2 or rng.random() < 0.6:
        return list(findings)
    return [findings[i] for i in rng.permutation(len(findings))]


def _join_with(phrases: Sequence[str]) -> str:
    """Join phrases as in "a with b and c"."""
    return phrases[0] if len(phrases) == 1 else f"{phrases[0]} with {join_list(phrases[1:])}"


def _forget(finding: DrawnFinding, rng: np.random.Generator) -> DrawnFinding:
    """Leave out what users leave out: sometimes a grade, sometimes on which side a device is."""
    if finding.grade and rng.random() < 0.2 and not (finding.name == "nodule" and finding.grade == "large"):
        return replace(finding, grade="")
    if finding.name in DEVICES and rng.random() < 0.2:
        return replace(finding, side="")
    return finding


def _heart_request(case: PhantomCase, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Write what a request adds about the heart: words for its size, and its ratio."""
    choice = rng.random()
    if choice < 0.42:
        return [], [f"cardiothoracic ratio {ratio_text(case)}"]
    if case.find("cardiomegaly") is None and choice < 0.55:
        return [pick(_NORMAL_HEART_REQUESTS, rng)], []
    return [], []


def _as_typed(text: str) -> str:
    """Leave out capitals and the last full stop, but for PA and AP."""
    return text.lower().removesuffix(".").replace("ap view", "AP view").replace("pa view", "PA view")
