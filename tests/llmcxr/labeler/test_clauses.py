import re

import pytest

from llmcxr.labeler.clauses import divide

NAMES = re.compile(r"effusion|edema|nodule|heart|lungs").search


@pytest.mark.parametrize(
    ("sentence", "clauses"),
    [
        ("no effusion", ["no effusion"]),
        ("no effusion; mild edema", ["no effusion", "mild edema"]),
        ("no effusion - mild edema", ["no effusion", "mild edema"]),
        ("effusion; or edema", ["effusion - or edema"]),
        ("no effusion (mild edema)", ["no effusion , mild edema , "]),
        ("effusion: none.", ["no effusion ."]),
        ("effusion - not seen", ["no effusion "]),
        ("edema: mild", ["edema: mild"]),
        ("edema: no change", ["edema: no change"]),
        ("effusion/edema: none", ["no effusion or edema "]),
        ("effusion: no, edema: yes", ["no effusion ", "edema "]),
        ("effusion (-), edema (+)", ["no effusion", ",edema"]),
        ("effusion: possible", ["possible effusion "]),
        ("heart: enlarged", ["heart is enlarged"]),
        ("heart: mild edema", ["heart: mild edema"]),
        ("view: none", ["view: none"]),
    ],
)
def test_clauses(sentence, clauses):
    assert divide(sentence, lambda text: bool(NAMES(text))) == clauses
