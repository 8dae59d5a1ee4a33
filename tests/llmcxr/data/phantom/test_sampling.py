"""The cases that are drawn: their prevalences, and that no finding hides another."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcxr.data.phantom import sample_case
from llmcxr.data.phantom.case import FINDINGS, GRADES, ZONES

NUM_CASES = 3000


@pytest.fixture(scope="module")
def cases():
    return [sample_case(5, index) for index in range(NUM_CASES)]


def test_a_case_depends_on_its_seed_and_index_alone():
    assert sample_case(3, 7) == sample_case(3, 7)
    assert len({sample_case(seed, index) for seed in range(3) for index in range(20)}) == 60


def test_prevalences(cases):
    shares = {
        name: count / NUM_CASES for name, count in Counter(f.name for c in cases for f in c.findings).items()
    }
    assert 0.36 < shares.pop("cardiomegaly") < 0.46
    assert set(shares) == set(FINDINGS) - {"cardiomegaly"}
    assert all(0.2 < share < 0.31 for share in shares.values()), shares
    assert 0.12 < np.mean([not case.findings for case in cases]) < 0.18


def test_the_ratio_is_continuous_and_decides_cardiomegaly(cases):
    ratios = np.array([case.cardiothoracic_ratio for case in cases])
    assert ratios.min() >= 0.38 and ratios.max() <= 0.65
    assert len(set(ratios)) == NUM_CASES
    assert all((case.find("cardiomegaly") is not None) == (case.cardiothoracic_ratio > 0.5) for case in cases)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_findings_do_not_hide_one_another(seed, index):
    case = sample_case(seed, index)
    assert len(case.findings) <= 5
    assert [f.name for f in case.findings] == [name for name in FINDINGS if case.find(name)]
    places = [(f.side, f.zone) for f in case.findings if f.zone]
    assert len(places) == len(set(places))
    effusion, pneumothorax = case.find("pleural effusion"), case.find("pneumothorax")
    if effusion:
        sides = ("left", "right") if effusion.side == "bilateral" else (effusion.side,)
        assert not {(side, "lower") for side in sides} & set(places)
        if effusion.grade == "large":
            assert not {(side, "mid") for side in sides} & set(places)
            assert pneumothorax is None or pneumothorax.side != effusion.side
    if pneumothorax:
        assert (pneumothorax.side, "upper") not in places
    for finding in case.findings:
        assert finding.zone in ("", *ZONES) and 0 <= finding.extent <= 1
        assert finding.grade == "" or finding.grade == GRADES[min(2, int(finding.extent * 3))]
