"""Label a report with CheXpert's fourteen findings (Irvin et al. 2019), by rule. Knows no images, no models.

The engine is `labeler`, the words are the CHEXPERT tables of `labeler_terms`; this file says what they add up to.
"""

from __future__ import annotations

from llmcxr.evaluation import labeler_terms as tables
from llmcxr.evaluation.labeler import Vocabulary, read_findings, stronger
from llmcxr.records import Label, Report

CHEXPERT_FINDINGS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Lesion",
    "Lung Opacity",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)

_FINDINGS_OF = {  # a name of tables.CHEXPERT_TERMS: what it says in CheXpert's words
    "cardiomegaly": ("Cardiomegaly",),
    "mediastinal widening": ("Enlarged Cardiomediastinum",),
    "heart failure": ("Edema",),
    "pleural thickening": ("Pleural Other",),
    "hydropneumothorax": ("Pneumothorax", "Pleural Effusion"),
    "pleural effusion": ("Pleural Effusion",),
    "pneumothorax": ("Pneumothorax",),
    "consolidation": ("Consolidation",),
    "nodular opacity": ("Lung Lesion", "Lung Opacity"),
    "nodule": ("Lung Lesion",),
    "mass": ("Lung Lesion",),
    "edema": ("Edema",),
    "atelectasis": ("Atelectasis",),
    "lung opacity": ("Lung Opacity",),
    "pneumonia": ("Pneumonia",),
    "fracture": ("Fracture",),
    "device": ("Support Devices",),
}
_VOCABULARY = Vocabulary(
    tables.CHEXPERT_TERMS, tables.CHEXPERT_GROUPS, tables.CHEXPERT_NORMAL_STATEMENTS, tables.CUES
)


def label_chexpert(report: Report | str) -> dict[str, Label]:
    """The state of each of CHEXPERT_FINDINGS; over several mentions present wins, then uncertain."""
    text = f"{report.findings}\n{report.impression}" if isinstance(report, Report) else report
    labels = dict.fromkeys(CHEXPERT_FINDINGS, Label.NOT_MENTIONED)
    is_normal = bool(text.strip())
    for mention in read_findings(text, _VOCABULARY):
        findings = _FINDINGS_OF.get(mention.name, ())
        for name in findings:
            labels[name] = stronger(labels[name], mention.state)
        if mention.state is not Label.ABSENT and findings != ("Support Devices",):
            is_normal = False
    if is_normal:
        labels["No Finding"] = Label.PRESENT
    return labels
