import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.findings import FINDING_OF_NIH_LABEL
from llmcxr.records import Label, Report
from llmcxr.reports import clean, describe_labels, exchange_sides


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
