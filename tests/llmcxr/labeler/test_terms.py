import re

import pytest

from llmcxr.data.phantom.case import FINDINGS
from llmcxr.labeler import terms


def test_every_finding_of_the_phantom_has_words():
    assert set(FINDINGS) <= {term.finding for term in terms.TERMS}


@pytest.mark.parametrize("term", [*terms.TERMS, *terms.CHEXPERT_TERMS], ids=lambda term: term.finding)
def test_patterns_are_regular_expressions_of_lower_case_text(term):
    for pattern in term.patterns:
        assert re.compile(pattern) and re.sub(r"\\.", "", pattern).islower()


def test_what_groups_and_normal_statements_deny_has_words():
    known = {term.finding for term in terms.TERMS} | {"mass"}
    for _, findings in (*terms.GROUPS, *terms.NORMAL_STATEMENTS):
        assert set(findings) <= known
