import pytest

from llmcxr.records import Report
from llmcxr.reports import to_text
from llmcxr.reports.scored import scored_answer, scored_text


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS: Tip of the line in ___.\n\nIMPRESSION: No change.",
        "Tip of the line in ___. No change.",
        "Indication: Line.\nFindings:\nTip of the line in.\nImpression:\nNo change.",
        "## Findings\nTip of the line in ___.\n\n## Impression\nNo change.",
        "Findings\n--------\nTip of the line in ___.\n\n**Impression**\n- No change.",
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
