from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.records import Report
from llmcxr.reports import SECTIONS, join_sections, parse_sections, to_text

REPORTS = yaml.safe_load(Path(__file__).with_name("sections.yaml").read_text(encoding="utf-8"))
WORDS = ("the", "lungs", "are", "clear", "no", "effusion", "mild", "edema", "0.53")
SECTION_TEXT = st.lists(st.sampled_from(WORDS)).map(" ".join)


@pytest.mark.parametrize(
    ("text", "report"),
    [
        ("FINDINGS: Lungs clear. IMPRESSION: Normal.", Report(findings="Lungs clear.", impression="Normal.")),
        (
            "findings:\nLungs\nclear.\n\nimpression:\nNormal.",
            Report(findings="Lungs clear.", impression="Normal."),
        ),
        ("Lungs are clear.", Report(findings="Lungs are clear.")),
        ("Lungs are clear.\nImpression: Normal.", Report(findings="Lungs are clear.", impression="Normal.")),
        ("", Report()),
        (
            "FINAL REPORT\n INDICATION: Cough // pneumonia?\n\nTECHNIQUE: Chest PA and lateral\n\n"
            "COMPARISON: None.\n\nFINDINGS:\n\nNo focal consolidation.\n\nIMPRESSION: \n\nNo acute process.",
            Report(
                "Cough // pneumonia?",
                "Chest PA and lateral",
                "None.",
                "No focal consolidation.",
                "No acute process.",
            ),
        ),
        ("Findings: Clear. CONCLUSION: Normal.", Report(findings="Clear.", impression="Normal.")),
        ("FINDINGS: Clear.\nIMPRESSION: A.\nIMPRESSION: B.", Report(findings="Clear.", impression="A. B.")),
        ("No new findings: the lungs are clear.", Report(findings="No new findings: the lungs are clear.")),
    ],
)
def test_parse_sections(text, report):
    assert parse_sections(text) == report


def test_there_are_sixty_reports():
    assert len({report["text"] for report in REPORTS}) >= 60


@pytest.mark.parametrize("report", REPORTS, ids=[f"report {i}" for i in range(len(REPORTS))])
def test_invented_reports_are_split_as_by_hand(report):
    given_text = report["text"]
    whole = " ".join(given_text.split())
    expected = {name: report.get(name, "") for name in SECTIONS}
    assert parse_sections(given_text) == Report(
        **{name: whole if text == "whole" else text for name, text in expected.items()}
    )


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\n\n", " "])
@given(findings=SECTION_TEXT, impression=SECTION_TEXT)
def test_sections_survive_a_round_trip(separator, findings, impression):
    report = Report(findings=findings, impression=impression)
    assert parse_sections(to_text(report, separator=separator)) == report


@given(st.text())
def test_any_text_is_split(text):
    report = parse_sections(text)
    assert all("  " not in getattr(report, name) for name in SECTIONS)


@given(SECTION_TEXT)
def test_text_without_headings_is_findings(text):
    assert parse_sections(text) == Report(findings=text)


def test_to_text_writes_the_sections_asked_for():
    report = Report(indication="Cough.", findings="Lungs clear.", impression="Normal.")
    assert to_text(report) == "FINDINGS: Lungs clear.\nIMPRESSION: Normal."
    assert to_text(report, ("impression",)) == "IMPRESSION: Normal."
    assert to_text(Report(impression="Normal.")) == "IMPRESSION: Normal."


def test_sections_are_joined_without_headings_where_they_are_there():
    assert join_sections(Report(findings="Clear.", impression="Normal.")) == "Clear. Normal."
    assert join_sections(Report(findings="Clear.", impression="Normal."), "\n") == "Clear.\nNormal."
    assert join_sections(Report(impression="Normal.")) == "Normal." and join_sections(Report()) == ""
