import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.findings import FINDING_OF_NIH_LABEL
from llmcxr.records import Label, Report
from llmcxr.reports import (
    clean,
    describe_labels,
    exchange_sides,
    join_sections,
    parse_sections,
    to_text,
)

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


def test_to_text_writes_the_sections_asked_for():
    report = Report(indication="Cough.", findings="Lungs clear.", impression="Normal.")
    assert to_text(report) == "FINDINGS: Lungs clear.\nIMPRESSION: Normal."
    assert to_text(report, ("impression",)) == "IMPRESSION: Normal."
    assert to_text(Report(impression="Normal.")) == "IMPRESSION: Normal."


@given(findings=SECTION_TEXT, impression=SECTION_TEXT)
def test_sections_survive_a_round_trip(findings, impression):
    report = Report(findings=findings, impression=impression)
    assert parse_sections(to_text(report)) == report


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Compared to ___, the lungs are   clear.", "Compared to, the lungs are clear."),
        ("The XXXX are clear.\n Normal XXXX.", "The are clear. Normal."),
        ("Normal chest x-XXXX.", "Normal chest."),
        ("Seen by Dr. [**Last Name**] ( ).", "Seen by Dr."),
        ("XXXX. Lungs clear, XXXX.", "Lungs clear."),
        ("Ratio 0.53.", "Ratio 0.53."),
        ("", ""),
    ],
)
def test_clean(text, cleaned):
    assert clean(text) == cleaned


@given(st.text())
def test_clean_is_done_after_once_on_any_text(text):
    assert "  " not in clean(text)


def test_describe_labels_says_what_is_labelled_and_who_was_imaged():
    report = describe_labels(["Effusion", "Infiltration"], "PA", "F", 58)
    assert report.findings == "Pleural effusion and infiltration."
    assert report.impression == "Pleural effusion and infiltration."
    assert report.technique == "PA chest radiograph."
    assert report.indication == "58-year-old woman."


def test_describe_labels_claims_no_health_from_missing_labels():
    report = describe_labels(["No Finding"])
    assert report == Report(findings="No labelled finding.", impression="No labelled finding.")


def test_describe_labels_keeps_the_four_states_apart():
    labels = {
        "pneumothorax": Label.ABSENT,
        "Mass": Label.UNCERTAIN,
        "edema": Label.PRESENT,
        "nodule": Label.NOT_MENTIONED,
    }
    report = describe_labels(labels)
    assert report.findings == "Edema. Possible mass. No pneumothorax."
    assert report.impression == "Edema. Possible mass."


def test_describe_labels_varies_with_rng():
    written = {describe_labels(["Hernia"], rng=np.random.default_rng(seed)).findings for seed in range(50)}
    assert written == {"Hernia.", "There is hernia.", "Findings of hernia.", "The radiograph shows hernia."}


def test_fourteen_nih_labels():
    assert len(FINDING_OF_NIH_LABEL) == 14


def test_sides_are_exchanged_with_their_capitals():
    text = "Left pacemaker; nodule in the right upper zone, upright film."
    assert exchange_sides(text) == "Right pacemaker; nodule in the left upper zone, upright film."
    assert exchange_sides(exchange_sides(text)) == text


def test_sections_are_joined_without_headings_where_they_are_there():
    assert join_sections(Report(findings="Clear.", impression="Normal.")) == "Clear. Normal."
    assert join_sections(Report(findings="Clear.", impression="Normal."), "\n") == "Clear.\nNormal."
    assert join_sections(Report(impression="Normal.")) == "Normal." and join_sections(Report()) == ""
