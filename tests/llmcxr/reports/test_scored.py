from pathlib import Path

import numpy as np
import pytest
import yaml

from llmcxr.data.dataset import texts_of_report
from llmcxr.labeler.chexpert import label_chexpert
from llmcxr.metrics.reports.tokens import tokenize
from llmcxr.records import Label, Report, Study
from llmcxr.reports import join_sections, parse_sections, to_text
from llmcxr.reports.chat_text import strip_reasoning
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
        "### 1. Findings\nTip of the line in ___.\n### 2. Impression\nNo change.",
        "## 1) **Findings**\nTip of the line in ___.\n## 2) **Impression**\nNo change.",
        "FINDINGS: Tip of the line in ___.\\n\\nIMPRESSION: No change.",  # a line break written out
        "<p><b>Findings:</b> Tip of the line in ___.</p><p><b>Impression:</b> No change.</p>",
        "<h2>Findings</h2><ul><li>Tip of the line in.</li></ul><h2>Impression</h2><p>No change.</p>",
        "FINDINGS: Tip of the line in ___.<br/>IMPRESSION: No change.<br>",
        "<findings>Tip of the line in ___.</findings>\n<impression>\nNo change.\n</impression>",
        '{"findings": "Tip of the line in ___.", "impression": "No change."}',
        '```json\n{"Reason": "Line", "Findings": ["Tip of the line in"], "Impression": "No change."}\n```',
        '{"report": "FINDINGS: Tip of the line in ___.\\nIMPRESSION: No change."}',
        "__Findings__: Tip of the line in.\n__Impression__: No change.",
        "### FINDINGS\nTip of the line in.\n\n### IMPRESSION\nNo change.",
        "**FINDINGS:** Tip of the line in **___**.\n**IMPRESSION:** No change.",
        "<think>FINDINGS: Gone.</think>FINDINGS: Tip of the line in XXXX.\nIMPRESSION: No change.",
    ],
)
def test_one_report_is_scored_alike_however_it_is_written(text):
    assert scored_text(text) == "Tip of the line in. No change."
    assert scored_text(scored_text(text)) == scored_text(text)
    assert scored_text(parse_sections(strip_reasoning(text))) == scored_text(text)  # as a dataset's own text
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
    assert scored_text(text) == reference == scored_text(reference)
    assert tokenize(scored_text(join_sections(study.report))) == tokenize(reference)


@pytest.mark.parametrize(
    "text",
    [
        "No effusion\nCardiomegaly\nEdema",
        "No effusion\n\nCardiomegaly\n\nEdema",
        "- No effusion\n- Cardiomegaly\n- Edema",
        "* No effusion\n* Cardiomegaly\n* **Edema**",
        "1. No effusion\n2. Cardiomegaly\n3. Edema",
        "FINDINGS:\nNo effusion\nCardiomegaly\n\nIMPRESSION:\nEdema",
        "## Findings\n- No effusion\n- Cardiomegaly\n## Impression\n- Edema",
    ],
)
def test_a_no_does_not_reach_the_next_line_of_a_list(text):
    labels = label_chexpert(scored_text(text))
    present = [name for name, state in labels.items() if state is Label.PRESENT]
    assert present == ["Cardiomegaly", "Edema"] and labels["Pleural Effusion"] is Label.ABSENT


def test_lines_that_are_wrapped_are_one_sentence():
    text = "No consolidation is seen in the\nright lung, no effusion or\nEdema of the\nLungs is there."
    assert scored_text(text) == text.replace("\n", " ")
