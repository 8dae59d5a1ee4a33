import re
from dataclasses import dataclass

import pytest

from llmcxr.labeler.context import Context
from llmcxr.labeler.cues import judge
from llmcxr.labeler.rules import PHANTOM
from llmcxr.records import Label


@dataclass
class Term:
    text: str
    start: int
    end: int
    side: str = ""
    zone: str = ""
    grade: str = ""
    lasts: bool = False


def terms_of(sentence, **described):
    return [
        Term(match[0], *match.span(), **described)
        for match in re.finditer(r"effusion|nodule|edema", sentence)
    ]


@pytest.mark.parametrize(
    ("sentence", "states"),
    [
        ("effusion", "present"),
        ("no effusion, nodule or edema", "absent absent absent"),
        ("effusion is not seen", "absent"),
        ("effusion without nodule", "present absent"),
        ("no effusion but nodule", "absent present"),
        ("possible effusion", "uncertain"),
        ("effusion cannot be excluded", "uncertain"),
    ],
)
def test_how_far_a_cue_reaches(sentence, states):
    found = terms_of(sentence)
    context = Context(sentence, found, PHANTOM.find_cues(sentence))
    assert [judge(term, context).name.lower() for term in found] == states.split()


def test_a_denial_does_not_reach_a_later_member_of_a_list_with_a_place_of_its_own():
    sentence = "no effusion, nodule"
    for side, state in (("", Label.ABSENT), ("left", Label.PRESENT)):
        found = terms_of(sentence, side=side)
        assert judge(found[1], Context(sentence, found, PHANTOM.find_cues(sentence))) is state
