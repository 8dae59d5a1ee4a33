"""Translate Open-i's manual MeSH tags into CheXpert's fourteen findings, to score the labeler against.

The tags were given by indexers who read the same reports (Demner-Fushman et al., JAMIA 2016). They are a
different vocabulary, so each line of TAGS is a decision, taken from what CheXpert's labeler (Irvin et al.
2019) counts under a finding and not from what ours reads:

- "opacity", airspace disease, infiltrates, lung scars (cicatrix), interstitial markings and interstitial lung
  disease are Lung Opacity. Pulmonary fibrosis is too: CheXpert lists the word under Pleural Other, which is
  not where it is. A tag of consolidation, pneumonia, atelectasis or edema does not imply Lung Opacity:
  CheXpert's labels say what is written.
- A rounded opacity or density is Lung Lesion and Lung Opacity, as CheXpert's "nodular opacity".
- A granuloma, calcified or not, is no Lung Lesion: CheXpert leaves calcified nodules out of it. It is an
  abnormality, so the study is not No Finding.
- Pulmonary congestion and heart failure are Edema, as in CheXpert.
- A blunted costophrenic angle and "deformity" of a rib or vertebra are abnormalities of no finding, as in
  CheXpert: neither says effusion or fracture.
- Clips, wires and sutures ("surgical instruments"), stents, valves and spinal hardware are Support Devices.
- A hydropneumothorax is Pneumothorax and Pleural Effusion.
- No Finding is a study tagged "normal", or with nothing but devices.

The tags never say that a finding is absent: one that a tagged study does not list is taken as absent. The few
"borderline" tags are uncertain. What TAGS does not list (tortuous aorta, scoliosis, ...) only rules out No
Finding.

All fourteen can be expressed, Enlarged Cardiomediastinum only in part: the tags know a prominent mediastinum,
but an enlarged "cardiomediastinal silhouette", which CheXpert counts here, is tagged as the heart's. A tag of
consolidation without a place cannot be told from the loader's name for airspace disease and counts as
neither.
"""

from __future__ import annotations

from collections.abc import Mapping

from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from llmcxr.labeler.rules import stronger
from llmcxr.records import Label

# "heading/qualifier" stands for every tag of that heading that has the qualifier at any place. Headings are
# those of Study.labels: the loader's own names, else the publisher's in lower case.
TAGS: Mapping[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": ("mediastinum/prominent", "mediastinum/enlarged"),
    "Cardiomegaly": ("cardiomegaly", "cardiac shadow/enlarged", "cardiac shadow/borderline"),
    "Lung Lesion": ("nodule", "mass", "cavitation", "opacity/round", "density/round"),
    "Lung Opacity": (
        "opacity",
        "density/lung",
        "density/retrocardiac",
        "airspace disease",
        "infiltration",
        "cicatrix/lung",
        "markings/interstitial",
        "lung/interstitial",
        "lung diseases, interstitial",
        "fibrosis",
    ),
    "Edema": ("edema", "pulmonary congestion", "heart failure"),
    "Consolidation": ("consolidation/lung", "consolidation/pulmonary alveoli"),
    "Pneumonia": ("pneumonia",),
    "Atelectasis": ("atelectasis",),
    "Pneumothorax": ("pneumothorax", "hydropneumothorax", "hemopneumothorax"),
    "Pleural Effusion": ("pleural effusion", "hydropneumothorax", "hemopneumothorax", "hemothorax"),
    "Pleural Other": ("thickening/pleura", "cicatrix/pleura", "calcinosis/pleura"),
    "Fracture": ("fractures, bone",),
    "Support Devices": (
        "catheters, indwelling",
        "implanted medical device",
        "medical device",
        "tube, inserted",
        "surgical instruments",
        "stents",
        "sutures",
        "spinal fusion",
    ),
}


def to_chexpert(labels: Mapping[str, Label]) -> dict[str, Label]:
    """Return the fourteen findings of a study by its Open-i labels (`Study.labels`); {} for no tags."""
    if not labels:
        return {}
    states = dict.fromkeys(CHEXPERT_FINDINGS, Label.ABSENT)
    is_normal = True
    for tag, state in labels.items():
        findings = find_findings(tag)
        for finding in findings:
            states[finding] = stronger(states[finding], state)
        is_normal &= state is Label.ABSENT or findings == ("Support Devices",)
    states["No Finding"] = Label.PRESENT if is_normal else Label.ABSENT
    return states


def find_findings(tag: str) -> tuple[str, ...]:
    """Return the findings of TAGS that a tag stands for."""
    return tuple(finding for finding, patterns in TAGS.items() if any(_fits(tag, one) for one in patterns))


def _fits(tag: str, pattern: str) -> bool:
    heading, *qualifiers = (part.strip() for part in tag.split("/"))
    wanted, *needed = pattern.split("/")
    return heading == wanted and set(needed) <= set(qualifiers)
