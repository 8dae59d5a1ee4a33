"""Find from which side a radiograph was taken, in the words and codes of a DICOM header.

| said anywhere | view |
|---|---|
| PA, postero-anterior, dorso-ventral | PA |
| AP, antero-posterior, ventro-dorsal, also AP supine, portable, mobile | AP |
| LL, RL, lateral, seitlich, profile | lateral |
| oblique, LAO, RAO, LPO, RPO, LLO, RLO; cross-table; decubitus, LLD, RLD; swimmer's; lordotic | other |

"other" is a view of its own beside the plain PA, AP and lateral: a study's frontal radiograph is never one of
these. A decubitus or lordotic film shows the chest from the front, but lying on a side or from below: heart
size and levels of fluid are not what they are on a plain one. Words that name two views at once, as the
description of a whole series does (CHEST PA AND LATERAL), say nothing of one radiograph.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmcxr.images.dicom.elements import get_code, get_text, get_values

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

# Asked first: a cross-table lateral and a lateral decubitus are no plain laterals.
OTHER = re.compile(
    r"\b(LAO|RAO|LPO|RPO|[LR]LO|[LR]?OBL|OBLIQ(UE)?S?|SCHRÄG|SCHRAEG"
    r"|X ?TABLE|CROSS ?TABLE|XTL|HORIZONTAL BEAM|DECUB(ITUS)?|[LR]LD"
    r"|SWIMMER S|SWIMMERS?|LORDOTIC|AXIAL|APICAL|TANGENTIAL|CRANIO ?CAUDAL|CAUDO ?CRANIAL)\b"
)
PLAIN = {
    "PA": re.compile(r"\b(P ?A|POSTERO ?ANTERIOR|POSTERIOR ANTERIOR|DORSO ?VENTRAL)\b"),
    "AP": re.compile(r"\b(A ?P|ANTERO ?POSTERIOR|ANTERIOR POSTERIOR|VENTRO ?DORSAL)\b"),
    "lateral": re.compile(
        r"\b([LR]?LAT|LATERALS?|LL|RL|LATERO ?LATERAL|SEITLICH|PROFILO?|PERFIL|SAGITTAL)\b"
    ),
}

FRONTAL = re.compile(r"\b(FRONTAL|FACE|CORONAL|[23] ?V(IEWS?|WS?)?|(TWO|THREE) VIEWS?)\b")  # also both views
LIST = re.compile(r"[&+/,;]|\b(AND|WITH|UND|MIT|ET)\b")

VIEW_CODES = {  # SNOMED CT and the older SNOMED RT, PS3.16 CID 4010
    "272479007": "PA",
    "R-10214": "PA",
    "R-40888": "PA",
    "399348003": "AP",
    "R-10206": "AP",
    "399067008": "lateral",
    "R-102CD": "lateral",
    "399173006": "lateral",
    "R-10236": "lateral",
    "399198007": "lateral",
    "R-10232": "lateral",
    "30730003": "lateral",  # sagittal
    "399260004": "lateral",  # medio-lateral
    "R-10224": "lateral",
    "399352003": "lateral",  # latero-medial
    "R-10228": "lateral",
}
OTHER_VIEWS = """399038007 R-10210 399059000 R-10216 399135007 R-10220 260427002 R-40783 399236003 R-10234
399368009 R-10226 399356000 R-40985 399312000 R-10208 399184004 R-10238 399182000 R-102C1 260426006 R-40782
399006002 R-10212 399160007 R-10204 399132005 R-10252 399325008 R-10254 399004004 R-10246 399225005 R-10250
399288005 R-10248 399099002 R-10230 399061009 R-10241 399110001 R-102C2 399162004 R-10242 399196006 R-10244"""
VIEW_CODES |= dict.fromkeys(OTHER_VIEWS.split(), "other")  # oblique, axial, tangential, cranio-caudal
MODIFIER_CODES = dict.fromkeys(  # PS3.16 CID 4011 and 20: crosstable, decubitus and its sides, lordotic
    ("111069", "32185000", "102536004", "102535000", "260450008"), "other"
)
POSITIONS = ("PatientOrientationCodeSequence", "PatientOrientationModifierCodeSequence")
DESCRIPTIONS = ("ProtocolName", "AcquisitionDeviceProcessingDescription", "SeriesDescription")


def find_view(dataset: DicomDataset) -> str:
    """Find PA, AP, lateral, other or unknown: from the view position, the coded view and how the patient lay,
    else from the rows' direction and from descriptions.
    """
    said = [parse_view(get_text(dataset, "ViewPosition"))]
    said += [_find_coded(item) for item in get_values(dataset, "ViewCodeSequence")]
    if _is_lying_on_side(dataset):
        said.insert(0, "other")
    if get_code(dataset, "PatientOrientation")[:1] in ("A", "P"):  # front to back: seen from the side
        said.append("lateral")
    said += [parse_view(get_text(dataset, keyword)) for keyword in DESCRIPTIONS]
    return next((view for view in said if view != "unknown"), "unknown")


def parse_view(words: str) -> str:
    """Parse a view as headers and publishers write it -> PA, AP, lateral, other or unknown (see the table).

    Underscores, hyphens, dots and slashes count as blanks.
    """
    is_list = LIST.search(words.upper()) is not None
    words = re.sub(r"[\W_]+", " ", words.upper()).strip()
    found = [view for view, rule in PLAIN.items() if rule.search(words)]
    if FRONTAL.search(words) and "PA" not in found and "AP" not in found:
        found.append("unknown")
    if OTHER.search(words):
        return "unknown" if is_list and set(found) - {"lateral"} else "other"
    return found[0] if len(found) == 1 else "unknown"


def _find_coded(item: DicomDataset) -> str:
    modifiers = get_values(item, "ViewModifierCodeSequence")
    if any(_look_up(modifier, MODIFIER_CODES) == "other" for modifier in modifiers):
        return "other"
    return _look_up(item, VIEW_CODES)


def _is_lying_on_side(dataset: DicomDataset) -> bool:
    """Return whether the coded position of the patient is decubitus or lordotic."""
    items = [item for keyword in POSITIONS for item in get_values(dataset, keyword)]
    items += [inner for item in items for inner in get_values(item, POSITIONS[1])]
    return any(_look_up(item, MODIFIER_CODES) == "other" for item in items)


def _look_up(item: DicomDataset, codes: dict[str, str]) -> str:
    return codes.get(get_code(item, "CodeValue")) or parse_view(get_text(item, "CodeMeaning"))
