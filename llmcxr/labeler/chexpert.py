"""Label a report with CheXpert's fourteen findings, by rule and offline. Knows no images and no models.

The findings and their four states are those of Irvin et al., "CheXpert" (AAAI 2019), and so is what counts
under each, as far as the words published with its labeler say it. The engine is `labeler.rules`, the words
are the CHEXPERT tables of `labeler.terms`; this file adds them up. Where it departs from CheXpert:

- findings and impression are both read, not the impression alone, and indication never is;
- "The lungs are clear" and "no acute disease" make what they cover ABSENT instead of leaving it
  NOT_MENTIONED;
- pulmonary fibrosis is Lung Opacity, not Pleural Other; pleural plaques and thick fissures are Pleural Other;
- heart failure is Edema but says nothing of the heart's size;
- "compatible with" asserts, as "consistent with" does; "likely", "unlikely" and "probable" doubt;
- "no new effusion" is ABSENT; "history of pneumonia" alone mentions nothing.
"""

from __future__ import annotations

from llmcxr.findings import CHEXPERT_FINDINGS, CHEXPERT_FINDINGS_OF
from llmcxr.labeler import terms as tables
from llmcxr.labeler.rules import Vocabulary, read_findings, stronger
from llmcxr.records import Label, Report
from llmcxr.reports import join_sections

VOCABULARY = Vocabulary(
    tables.CHEXPERT_TERMS, tables.CHEXPERT_GROUPS, tables.CHEXPERT_NORMAL_STATEMENTS, tables.CHEXPERT_CUES
)


def label_chexpert(report: Report | str) -> dict[str, Label]:
    """Return the state of each of CHEXPERT_FINDINGS; over several mentions the `stronger` one.

    A text with headings is read as a report. No Finding is PRESENT where nothing abnormal but support devices
    is present or uncertain, else NOT_MENTIONED. An empty report mentions nothing.
    """
    text = join_sections(report, "\n\n") if isinstance(report, Report) else report
    labels = dict.fromkeys(CHEXPERT_FINDINGS, Label.NOT_MENTIONED)
    is_normal = bool(text.strip())
    for mention in read_findings(text, VOCABULARY):
        for name in CHEXPERT_FINDINGS_OF.get(mention.name, ()):
            labels[name] = stronger(labels[name], mention.state)
        if mention.state is not Label.ABSENT and mention.name != "device":
            is_normal = False
    if is_normal:
        labels["No Finding"] = Label.PRESENT
    return labels
