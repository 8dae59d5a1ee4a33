"""List the findings in one table: their names in our labels, reports and metrics, and in every source.

To add a source's names, add a column here and read it there. How texts word a finding is the labeler's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    name: str
    nih: str = ""  # its label in ChestX-ray14, as the publisher's CSV spells it (Wang et al. 2017)
    openi: tuple[str, ...] = ()  # its MeSH headings in Open-i
    chexpert: tuple[str, ...] = ()  # what a mention of it is in CheXpert's words
    article: str = ""  # "a" or "an" in a question, where it takes one
    sides: tuple[str, ...] = ()  # that can be asked of a phantom which has it
    is_zoned: bool = False  # whether its zone can be asked of a phantom which has it


_EITHER = ("left", "right")

# What phantoms have, in the order of every array over them. CheXpert's terms know devices as "device" alone.
_PHANTOM = (
    Finding("cardiomegaly", "Cardiomegaly", ("Cardiomegaly",), ("Cardiomegaly",)),
    Finding(
        "pleural effusion",
        "Effusion",
        ("Pleural Effusion",),
        ("Pleural Effusion",),
        article="a",
        sides=(*_EITHER, "bilateral"),
    ),
    Finding("pneumothorax", "Pneumothorax", ("Pneumothorax",), ("Pneumothorax",), sides=_EITHER),
    Finding(
        "consolidation",
        "Consolidation",
        ("Airspace Disease", "Consolidation"),
        ("Consolidation",),
        sides=_EITHER,
        is_zoned=True,
    ),
    Finding("nodule", "Nodule", ("Nodule",), ("Lung Lesion",), "a", _EITHER, is_zoned=True),
    Finding("edema", "Edema", ("Pulmonary Edema",), ("Edema",)),
    Finding(
        "atelectasis",
        "Atelectasis",
        ("Pulmonary Atelectasis",),
        ("Atelectasis",),
        sides=_EITHER,
        is_zoned=True,
    ),
    Finding("mediastinal widening", chexpert=("Enlarged Cardiomediastinum",)),
    Finding("pacemaker", sides=_EITHER),
    Finding("central line", sides=_EITHER),
    Finding("endotracheal tube"),
)
FINDINGS = (
    *_PHANTOM,
    Finding("emphysema", "Emphysema", ("Emphysema", "Pulmonary Emphysema")),
    Finding("fibrosis", "Fibrosis", ("Pulmonary Fibrosis",)),
    Finding("hernia", "Hernia", ("Hernia, Hiatal",), article="a"),
    Finding("infiltration", "Infiltration", ("Infiltrate",), article="an"),
    Finding("mass", "Mass", ("Mass",), ("Lung Lesion",), article="a"),
    Finding("pleural thickening", "Pleural_Thickening", chexpert=("Pleural Other",)),
    Finding("pneumonia", "Pneumonia", ("Pneumonia",), ("Pneumonia",)),
    Finding("cardiomediastinal enlargement", chexpert=("Cardiomegaly", "Enlarged Cardiomediastinum")),
    Finding("device", chexpert=("Support Devices",)),
    Finding("fracture", chexpert=("Fracture",)),
    Finding("heart failure", chexpert=("Edema",)),
    Finding("hydropneumothorax", chexpert=("Pneumothorax", "Pleural Effusion")),
    Finding("lung opacity", chexpert=("Lung Opacity",)),
    Finding("nodular opacity", chexpert=("Lung Lesion", "Lung Opacity")),
)

_ARTICLES = {finding.name: finding.article for finding in FINDINGS}
PHANTOM_FINDINGS = tuple(finding.name for finding in _PHANTOM)
FINDING_OF_NIH_LABEL = dict(sorted((finding.nih, finding.name) for finding in FINDINGS if finding.nih))
FINDING_OF_OPENI_HEADING = {heading: finding.name for finding in FINDINGS for heading in finding.openi}
# A name that is not here is an abnormality of no finding of CheXpert's: it only rules out No Finding.
CHEXPERT_FINDINGS_OF = {finding.name: finding.chexpert for finding in FINDINGS if finding.chexpert}
CHEXPERT_FINDINGS = (  # in the order of the publisher's tables (Irvin et al. 2019)
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
# The five of CheXpert's competition, in any spelling of capitals: CheXpert's labels write them large.
CHEXPERT_5 = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural effusion")


def with_article(name: str) -> str:
    """Turn "nodule" into "a nodule"; a name that takes none, or is not in the table, stays as it is."""
    return f"{_ARTICLES.get(name, '')} {name}".strip()
