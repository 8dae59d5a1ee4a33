"""Ask about a phantom and answer from what is known of it. Knows no pixels.

An answer's form depends on its question alone, so that answers can be compared word for word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from llmcxr.data.phantom.case import FINDINGS, DrawnFinding, PhantomCase
from llmcxr.data.phantom.wording import DEVICES, grade_word, join_list, pick, ratio_text, with_article
from llmcxr.records import Question
from llmcxr.reports import capitalise

_NUM_QUESTIONS = 6
_NORMALITY_ASKED = 0.16  # of the abnormal cases: about as many as there are normal ones
# Cardiomegaly is the most frequent; asked more often where it is absent, its answers are balanced too.
_ASKED_ABOUT = (*FINDINGS, "cardiomegaly", "cardiomegaly")
_NAMES = {
    "pleural effusion": "pleural effusion",
    "edema": "pulmonary edema",
    "mediastinal widening": "mediastinal widening",
}
_PRESENCE = ("Is there {a}?", "Do you see {a}?", "Does this radiograph show {a}?", "Is {a} present?")
_PRESENCE_ALSO = {
    "cardiomegaly": ("Is the heart enlarged?", "Is there cardiomegaly?"),
    "mediastinal widening": ("Is the mediastinum widened?",),
    "nodule": ("Is there a nodule or mass?", "Is there a lung nodule?"),
    "pleural effusion": ("Is there an effusion?",),
    "central line": ("Is there a central venous catheter?",),
}
_SIDE = ("Which side is the {noun} on?", "On which side is the {noun}?")
_PLACE = ("Where is the {noun}?",)
_ZONE = ("Where is the {noun}?", "In which zone is the {noun}?")
_SIZE = ("How large is the {noun}?", "What size is the {noun}?")
_SEVERITY = ("How severe is the {noun}?", "What is the grade of the {noun}?")
_SIZED = ("pleural effusion", "pneumothorax", "nodule", "consolidation")
_RATIO = (
    "What is the cardiothoracic ratio?",
    "How large is the cardiothoracic ratio?",
    "Measure the cardiothoracic ratio.",
)
_VIEW = ("Is this a PA or AP view?", "What is the view position?", "Which view is this?")
_DEVICES = ("What devices are present?", "Which lines and tubes are seen?", "Which devices do you see?")
_NORMAL = ("Is this radiograph normal?", "Is this a normal chest?", "Is the radiograph normal?")


def ask_questions(case: PhantomCase, rng: np.random.Generator) -> tuple[Question, ...]:
    """Ask about six questions, with their answers; over many cases half of the yes/no answers are yes."""
    questions = [*_ask_presence(case, rng), *_ask_details(case, rng)]
    others = [
        Question(pick(_VIEW, rng), f"{case.view_position}.", "view"),
        Question(pick(_DEVICES, rng), _list_devices(case), "presence"),
    ]
    if not case.findings or rng.random() < _NORMALITY_ASKED:
        questions.append(Question(pick(_NORMAL, rng), "No." if case.findings else "Yes.", "presence"))
    questions.append(Question(pick(_RATIO, rng), f"{ratio_text(case)}.", "measurement"))
    order = rng.permutation(len(others))[: max(1, _NUM_QUESTIONS - len(questions))]
    return tuple([*questions, *(others[i] for i in order)])


def _ask_presence(case: PhantomCase, rng: np.random.Generator) -> Iterator[Question]:
    """Ask about up to two findings that are present, and as many or one more that are absent."""
    present = [case.findings[i] for i in rng.permutation(len(case.findings))[:2]]
    absent = [name for name in _ASKED_ABOUT if case.find(name) is None]
    for finding in present:
        place = "" if finding.name == "edema" else _answer_place(finding)
        yield _presence(finding.name, f"Yes, {place}." if place else "Yes.", rng)
    num_absent = max(1, len(present)) if rng.random() < 0.75 else 1
    drawn = dict.fromkeys(absent[i] for i in rng.permutation(len(absent)))
    for name in list(drawn)[:num_absent]:
        yield _presence(name, "No.", rng)


def _presence(name: str, answer: str, rng: np.random.Generator) -> Question:
    finding = DrawnFinding(name)
    wordings = _PRESENCE_ALSO.get(name, ())
    if wordings and rng.random() < 0.4:
        return Question(pick(wordings, rng), answer, "presence")
    return Question(
        pick(_PRESENCE, rng).format(a=with_article(_NAMES.get(name, name), finding)), answer, "presence"
    )


def _ask_details(case: PhantomCase, rng: np.random.Generator) -> Iterator[Question]:
    """Ask where one of the findings is, and how large or severe one is."""
    placed = [finding for finding in case.findings if finding.name != "edema" and _answer_place(finding)]
    if placed:
        yield _ask_location(pick(placed, rng), rng)
    graded = [finding for finding in case.findings if grade_word(finding)]
    if graded:
        finding = pick(graded, rng)
        question = pick(_SIZE if finding.name in _SIZED else _SEVERITY, rng).format(noun=_name(finding))
        yield Question(question, f"{capitalise(grade_word(finding))}.", "severity")


def _ask_location(finding: DrawnFinding, rng: np.random.Generator) -> Question:
    by_side = finding.side and rng.random() < (0.3 if finding.zone else 0.8)
    answer = _answer_place(replace(finding, zone="") if by_side else finding)
    question = pick(_SIDE if by_side else _ZONE if finding.zone else _PLACE, rng)
    return Question(question.format(noun=_name(finding)), f"{capitalise(answer)}.", "location")


def _name(finding: DrawnFinding) -> str:
    if finding.name == "nodule" and finding.grade == "large":
        return "mass"
    return _NAMES.get(finding.name, finding.name).removeprefix("pleural ")


def _answer_place(finding: DrawnFinding) -> str:
    if finding.zone:
        side = "both " if finding.side == "bilateral" else f"the {finding.side} "
        return f"in {side}{finding.zone} zone{'s' if finding.side == 'bilateral' else ''}"
    if finding.side == "bilateral":
        return "on both sides"
    return f"on the {finding.side}" if finding.side else ""


def _list_devices(case: PhantomCase) -> str:
    devices = [finding for finding in case.findings if finding.name in DEVICES]
    if not devices:
        return "None."
    return f"{capitalise(join_list([with_article(_device(finding), finding) for finding in devices]))}."


def _device(finding: DrawnFinding) -> str:
    return f"{finding.side} {finding.name}".strip()
