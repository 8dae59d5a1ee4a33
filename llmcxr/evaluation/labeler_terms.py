"""The labeler's vocabulary: which words name a finding, deny it, doubt it, place it and grade it. Only
tables.

To teach the labeler a finding, add a `Term`. Patterns are regular expressions over lower-case text, matched
at word boundaries; the longest-known wording comes first within a term, and terms are tried in the order of
the table.
"""

from __future__ import annotations

from dataclasses import dataclass

LUNG = ("consolidation", "nodule", "mass", "edema", "atelectasis", "infiltration", "pneumonia")
PLEURA = ("pleural effusion", "pneumothorax")
HEART = ("cardiomegaly",)
MEDIASTINUM = ("mediastinal widening",)
DEVICES = ("pacemaker", "central line", "endotracheal tube")
ACUTE = (*PLEURA, "consolidation", "edema", "pneumonia")
CHEST = (*HEART, *MEDIASTINUM, *PLEURA, *LUNG)

_BOTH = r"cardio[- ]?mediastinal silhouette"
_HEART = rf"(?:heart(?: size)?|cardiac (?:silhouette|size|shadow|contours?)|{_BOTH})"
_MEDIASTINUM = rf"(?:mediastinum|mediastinal (?:silhouette|contours?|shadow|structures)|{_BOTH})"
_STATE = r"(?:(?:\w+ly|borderline|mild|moderate|size|not|again|is|are|remains?|appears?|in|to be) ){0,5}"


@dataclass(frozen=True)
class Term:
    """A finding and its wordings. `zoned`: has an upper, mid or lower zone; `sided`: has a side."""

    finding: str
    patterns: tuple[str, ...]
    sided: bool = True
    zoned: bool = False
    shares_place: bool = False  # "left effusion and atelectasis" puts the atelectasis on the left too


TERMS = (
    Term(
        "cardiomegaly",
        (
            r"cardiomegaly",
            r"(?:cardiac|heart) enlargement",
            rf"enlargement of the {_HEART}",
            rf"enlarged {_HEART}",
            r"large heart",
            rf"{_HEART} {_STATE}(?:enlarged|increased in size|increased|large)",
        ),
        sided=False,
    ),
    Term(
        "mediastinal widening",
        (
            r"mediastinal (?:widening|enlargement)",
            rf"(?:widening|enlargement) of the (?:superior |upper )?{_MEDIASTINUM}",
            rf"(?:widened|wide|enlarged) (?:superior |upper )?{_MEDIASTINUM}",
            rf"{_MEDIASTINUM} {_STATE}(?:widened|wide|enlarged)",
        ),
        sided=False,
    ),
    Term(
        "pleural thickening",
        (r"pleural (?:\w+ )?(?:thickening|scarring|plaques?)", r"thickening of the pleura"),
        zoned=True,
    ),
    Term(
        "pleural effusion",
        (
            r"(?:(?:pleural|subpulmonic|parapneumonic) )?(?<!pericardial )(?<!joint )effusions?",
            r"pleural fluid",
            r"(?:hydro|hemo)thorax",
            r"blunting of (?:the )?(?:\w+ ){0,3}costophrenic (?:angles?|sulcus|sulci)",
            r"costophrenic (?:angle|sulcus) blunting",
        ),
        shares_place=True,
    ),
    Term("pneumothorax", (r"(?:hydro)?pneumothora(?:x|ces|xes)", r"ptx"), shares_place=True),
    Term(
        "consolidation",
        (r"(?:(?:airspace|air space|lobar) )?consolidat(?:ions?|ive|ed)",),
        zoned=True,
        shares_place=True,
    ),
    Term(
        "nodule",
        (
            r"(?:(?:lung|pulmonary) )?(?:nodules?|mass(?:es)?)(?! effect)",
            r"nodular (?:density|densities|opacity|opacities|lesions?)",
            r"coin lesions?",
        ),
        zoned=True,
    ),
    Term(
        "edema",
        (
            r"(?:(?:pulmonary|interstitial|alveolar) )*(?<!subcutaneous )(?<!tissue )o?edema",
            r"fluid overload",
        ),
        zoned=True,
    ),
    Term(
        "atelectasis",
        (r"atelecta(?:sis|ses|tic)", r"(?:lobar|lobe|lung) collapse", r"collapse of the (?:\w+ ){0,2}lobe"),
        zoned=True,
        shares_place=True,
    ),
    Term("infiltration", (r"infiltrat(?:es?|ions?)",), zoned=True, shares_place=True),
    Term("pneumonia", (r"(?:broncho)?pneumonias?", r"pneumonic"), zoned=True, shares_place=True),
    Term("emphysema", (r"(?<!subcutaneous )emphysema(?:tous)?",), zoned=True),
    Term("fibrosis", (r"fibrosis", r"fibrotic"), zoned=True),
    Term("hernia", (r"(?:(?:hiatal|hiatus|diaphragmatic) )?hernia",), sided=False),
    Term(
        "pacemaker",
        (
            r"(?:cardiac )?pacemakers?",
            r"pacer",
            r"pacing (?:device|leads?|wires?)",
            r"a?icd",
            r"defibrillator",
        ),
    ),
    Term(
        "central line",
        (
            r"central (?:venous )?(?:lines?|catheters?|access)",
            r"(?:jugular|subclavian|ij|port|venous|dialysis) (?:central |venous ){0,2}(?:lines?|catheters?)",
            r"picc(?: lines?)?|cvc|port-?a-?cath|portacath|mediport",
        ),
    ),
    Term("endotracheal tube", (r"(?:endo)?tracheal tubes?", r"et tube", r"ett"), sided=False),
)
MASS = r"mass(?:es)?"  # the wordings of "nodule" that call it a mass: then large, unless graded otherwise

# Words that stand for several findings at once; they count only where they are denied ("No support
# devices.").
GROUPS = (
    (
        r"(?:acute )?(?:(?:cardio-?pulmonary|pulmonary|chest|cardiac|intrathoracic|airspace) )+"
        r"(?:abnormalit(?:y|ies)|disease|process(?:es)?|findings?|patholog(?:y|ies))",
        ACUTE,
    ),
    (r"(?:acute|active) (?:abnormalit(?:y|ies)|disease|process(?:es)?|findings?)", ACUTE),
    (r"abnormalit(?:y|ies)|abnormal findings?", CHEST),
    (r"support devices?|devices?", DEVICES),
    (r"lines,? (?:or|and) tubes|tubes (?:or|and) lines", DEVICES),
)

# Words which, said to be normal or clear, deny findings. The words allowed between subject and predicate
# are listed, so that "the heart is enlarged, the mediastinum is normal" does not make the heart normal.
_BETWEEN = (
    r"(?:,|and|the|is|are|was|both|all|size|contours?|silhouettes?|shadow|structures|appears?|remains?|grossly|stable|"
    r"otherwise|again|well|expanded|inflated|bilaterally|symmetrically|to|be|in|within|at|upper|limits|of|heart|"
    r"cardiac|mediastin(?:um|al)|hilar?|top|pulmonary|vasculature|vascularity|lungs?|pleural|spaces?|normal|free|aortic?)"
)
_NORMAL = r"(?:normal|unremarkable|wnl|within normal)(?! opac)"
_NOT_LARGE = r"(?:not|nor) (?:\w+ly )?(?:enlarged|increased|widened)"
NORMAL_STATEMENTS = (
    (rf"(?:heart|cardiac|cardio[- ]?mediastinal)(?: {_BETWEEN}){{0,9}} (?:{_NORMAL}|{_NOT_LARGE})", HEART),
    (rf"{_NORMAL} (?:heart|cardiac|cardio[- ]?mediastinal)", HEART),
    (rf"(?:mediastin|cardio[- ]?mediastin)\w*(?: {_BETWEEN}){{0,9}} (?:{_NORMAL}|{_NOT_LARGE})", MEDIASTINUM),
    (rf"{_NORMAL} (?:(?:heart|cardiac|size|and) )*(?:mediastin|cardio[- ]?mediastin)\w*", MEDIASTINUM),
    (rf"(?:lungs?|lung fields|lung zones)(?: {_BETWEEN}){{0,9}} (?:clear(?! of)|{_NORMAL})", LUNG),
    (r"(?:clear|normal) (?:bilateral )?lungs?(?: fields)?", LUNG),
    (
        rf"(?:pleural spaces?|pleura|costophrenic angles?)(?: {_BETWEEN}){{0,9}} (?:clear|sharp|{_NORMAL})",
        PLEURA,
    ),
    (
        rf"{_NORMAL} (?:\w+ ){{0,2}}?(?:chest|chest radiograph|chest x-?ray|cxr|radiograph|study|examination)"
        rf"|(?:chest|radiograph|x-?ray|study) (?:is )?{_NORMAL}",
        CHEST,
    ),
)

# Tried in this order at each place of a sentence; a cue swallows what a later one would misread.
CUES = {
    "neutral": (
        r"(?:no|without|not?) (?:(?:significant|interval|substantial|appreciable|other|further) )*"
        r"(?:changed?|increased?|improvement|progression|decreased?|worsening)(?: in| of)?",
        r"not only",
        r"no longer",
    ),
    "doubt": (
        r"(?:cannot|can not|not|difficult to|could not)(?: be)?(?: entirely| completely)?"
        r" (?:excluded?|rule out|ruled out)",
        r"possib(?:le|ly|ility of)|probabl[ey]|likely|unlikely|suspect(?:ed)?|suspici(?:ous|on) (?:of|for)",
        r"may (?:also |well )?(?:represent|reflect|be|indicate|relate)|might|could|can be seen|versus|vs",
        r"concern(?:ing)? (?:for|of)|worrisome for|question(?:able| of|ed)|equivocal|borderline",
        r"indeterminate|suggest(?:s|ed|ive of|ing)?|consider|differential|compatible with",
        r"rule out|evaluat(?:e|ion) (?:for|of)|assess(?:ment)? for",
    ),
    "denial after": (
        r"(?:is|are|was|were|has|have|do|does)? ?(?:not|no longer) (?:\w+ ){0,2}?(?:seen|present|identified"
        r"|visualized|evident|demonstrated|appreciated|noted|observed|detected|visible|apparent|found|suspected)",
        r"(?:is|are|was|were|has|have)(?: been| now)?(?: been)? (?:absent|resolved|removed|excluded|cleared)",
    ),
    "denial before": (
        r"no|without|negative for|absence of|free of|clear of|neither|nor|never|denies|rather than|ruled out"
        r"|removal of|resolution of|resolved|not|none",
    ),
    "break": (
        r"but|however|although|though|except|apart from|aside from|other than|yet|while|whereas|which",
        r"there (?:is|are)|with|after|following|status post|from|because|due to|secondary to",
    ),
}

SIDES = {
    "bilateral": r"bilateral(?:ly)?|both|bi-?(?:basilar|basal|apical)|right and left|left and right",
    "left": r"left(?:-sided)?(?! atri| ventric)|lul|lll|lingular?",
    "right": r"right(?:-sided)?(?! atri| ventric)|rul|rml|rll",
}
ZONES = {
    "upper": r"upper|apical|apex|apices|biapical|rul|lul",
    "mid": r"mid|middle|mid-?(?:lung|zone)|perihilar|hilum|hilar|lingular?|rml",
    "lower": r"lower|bases?|basal|basilar|bi-?(?:basilar|basal)|retrocardiac|rll|lll",
}
GRADES = {
    "small": r"small|tiny|trace|minimal(?:ly)?|mild(?:ly)?|slight(?:ly)?|minor|minute|subtle",
    "moderate": r"moderate(?:ly)?|medium",
    "large": r"large|big|huge|severe(?:ly)?|marked(?:ly)?|massive(?:ly)?|extensive|gross(?:ly)?|substantial",
}
