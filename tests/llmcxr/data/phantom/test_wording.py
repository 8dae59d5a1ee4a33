from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.data.phantom.case import FINDINGS, DrawnFinding, PhantomCase
from llmcxr.data.phantom.sampling import sample_case
from llmcxr.data.phantom.wording import describe, noun_phrase, with_article, write_report
from llmcxr.labeler.rules import find_present, label, read_ratio
from llmcxr.records import Label
from tests.llmcxr.data.phantom.cases import phantom_cases

NORMAL = PhantomCase(0, 0, (), 0.45, "F", 60, "PA")
SEEDS = st.integers(0, 2**32)


def assert_says(text: str, case: PhantomCase, details: bool = True) -> None:
    """The text names exactly the case's findings, each with its side and zone (and grade, if `details`)."""
    labels, present = label(text), find_present(text)
    assert {name for name in FINDINGS if labels[name] is Label.PRESENT} == {f.name for f in case.findings}, (
        text
    )
    for finding in case.findings:
        said = present[finding.name]
        assert said.zone == finding.zone, text
        assert said.side in _allowed_sides(finding, details), text
        assert said.grade == finding.grade or (not details and not said.grade), text


def _allowed_sides(finding: DrawnFinding, details: bool) -> tuple[str, ...]:
    """Edema is always bilateral and need not say so; a request may leave out where a device is."""
    may_be_unsaid = finding.name == "edema" or (not details and finding.name in ("pacemaker", "central line"))
    return (finding.side, "") if may_be_unsaid else (finding.side,)


@given(case=phantom_cases(), seed=SEEDS)
def test_report_says_all_that_is_present_and_nothing_else(case, seed):
    report = write_report(case, np.random.default_rng(seed))
    assert_says(report.findings, case)
    assert_says(report.impression, case)
    assert read_ratio(report.findings) == pytest.approx(case.cardiothoracic_ratio, abs=0.0051)


@given(case=phantom_cases(), seed=SEEDS)
def test_request_lists_every_finding(case, seed):
    assert_says(describe(case, np.random.default_rng(seed)), case, details=False)
    assert_says(describe(case, np.random.default_rng(seed), complete=True), case)


def test_500_sampled_cases_are_worded_truly():
    for index in range(500):
        case, rng = sample_case(3, index), np.random.default_rng(index)
        report = write_report(case, rng)
        assert_says(f"{report.findings} {report.impression}", case)
        assert_says(describe(case, rng), case, details=False)


def test_same_random_state_gives_the_same_words():
    case = sample_case(0, 1)
    for write in (write_report, describe):
        assert write(case, np.random.default_rng(5)) == write(case, np.random.default_rng(5))


def test_wording_varies_and_stays_short():
    cases = [sample_case(1, index) for index in range(400)]
    reports = [write_report(case, np.random.default_rng(index)) for index, case in enumerate(cases)]
    num_words = [len(f"{report.findings} {report.impression}".split()) for report in reports]
    assert len({report.findings for report in reports}) > 390
    assert np.percentile(num_words, 99) <= 75
    assert len({write_report(NORMAL, np.random.default_rng(seed)).findings for seed in range(200)}) > 150


def test_requests_give_heart_size_in_about_two_thirds():
    requests = [
        describe(sample_case(2, index), np.random.default_rng(index)).lower() for index in range(1000)
    ]
    share = np.mean([any(word in text for word in ("ratio", "heart", "cardiomegaly")) for text in requests])
    assert 0.6 < share < 0.8


def test_normal_case_is_called_normal():
    report = write_report(NORMAL, np.random.default_rng(0))
    assert report.impression.startswith("No acute cardiopulmonary")
    assert Label.PRESENT not in label(report).values()


def test_bare_findings_are_worded_without_holes():
    rng = np.random.default_rng(0)
    for name in FINDINGS:
        case = replace(NORMAL, findings=(DrawnFinding(name),), cardiothoracic_ratio=0.55)
        for text in (write_report(case, rng).findings, describe(case, rng)):
            assert "  " not in text and " ." not in text and " ," not in text


@pytest.mark.parametrize(
    ("finding", "phrases"),
    [
        (
            DrawnFinding("pleural effusion", "bilateral", grade="large"),
            {"large bilateral effusions", "large effusions on both sides"},
        ),
        (DrawnFinding("endotracheal tube"), {"an endotracheal tube"}),
        (DrawnFinding("nodule", "left", "upper", "large"), {"a large left upper zone mass"}),
    ],
)
def test_articles_and_plurals(finding, phrases):
    rng = np.random.default_rng(0)
    written = {with_article(noun_phrase(finding, rng), finding) for _ in range(200)}
    assert phrases <= written
