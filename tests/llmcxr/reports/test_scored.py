from pathlib import Path

import numpy as np
import pytest
import yaml

from llmcxr.data.dataset import texts_of_report
from llmcxr.records import Report, Study
from llmcxr.reports import join_sections, parse_sections, to_text
from llmcxr.reports.scored import scored_answer, scored_text

REPORTS = Path(__file__).with_name("sections.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS: Tip of the line in ___.\n\nIMPRESSION: No change.",
        "Tip of the line in ___. No change.",
        "Indication: Line.\nFindings:\nTip of the line in.\nImpression:\nNo change.",
        "## Findings\nTip of the line in ___.\n\n## Impression\nNo change.",
        "Findings\n--------\nTip of the line in ___.\n\n**Impression**\nNo change.",
        "# Chest X-Ray Report\n\n**Findings:** Tip of the line in ___.\n\n**Impression**: *No change*.",
        "1. **Findings:** Tip of the line in.\n2. **Impression:** No change.",
        "__Findings__: Tip of the line in.\n__Impression__: No change.",
        "### FINDINGS\nTip of the line in.\n\n### IMPRESSION\nNo change.",
        "**FINDINGS:** Tip of the line in **___**.\n**IMPRESSION:** No change.",
        "<think>FINDINGS: Gone.</think>FINDINGS: Tip of the line in XXXX.\nIMPRESSION: No change.",
    ],
)
def test_one_report_is_scored_alike_however_it_is_written(text):
    assert scored_text(text) == "Tip of the line in. No change."
    assert scored_text(scored_text(text)) == scored_text(text)
    assert scored_text(Report(findings="Tip of the line in ___.", impression="No change.")) == scored_text(
        text
    )


@pytest.mark.parametrize("text", ["", " \n", "FINDINGS:\n\nIMPRESSION:", "XXXX.", "...", "nan", "<think>Hm"])
def test_what_says_nothing_is_scored_as_no_report(text):
    assert scored_text(text) == ""


def test_a_section_with_a_heading_of_its_own_is_scored_as_its_text_is():
    report = Report(findings="Clear. IMPRESSION: Well.", impression="Well.")
    assert scored_text(report) == scored_text(to_text(report)) == "Clear. Well. Well."


def test_answers_are_scored_without_reasoning_and_markdown():
    assert scored_answer("<think>Yes?</think>\n**No**, none.") == "No, none."


@pytest.mark.parametrize("text", [one["text"] for one in yaml.safe_load(REPORTS.read_text(encoding="utf-8"))])
def test_a_text_scores_as_the_report_that_a_dataset_makes_of_it(text):
    """For each of the invented reports: read as a dataset's, as its sections joined, and once more."""
    study = Study("s", "p", (), parse_sections(text))
    reference = scored_text(texts_of_report(study, np.random.default_rng(0)).report)
    assert (
        scored_text(text) == scored_text(join_sections(study.report)) == reference == scored_text(reference)
    )
