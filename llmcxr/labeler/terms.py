"""List the labeler's vocabulary: the words that name, deny, doubt, place and grade a finding. Only tables.

To teach the labeler a finding, add a `Term`. Patterns are regular expressions over lower-case text, matched
at word boundaries; the longest-known wording comes first within a term, and terms are tried in the order of
the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LUNG = ("consolidation", "nodule", "mass", "edema", "atelectasis", "infiltration", "pneumonia")
PLEURA = ("pleural effusion", "pneumothorax")
HEART = ("cardiomegaly",)
MEDIASTINUM = ("mediastinal widening",)
DEVICES = ("pacemaker", "central line", "endotracheal tube")
ACUTE = (*PLEURA, "consolidation", "edema", "pneumonia")
CHEST = (*HEART, *MEDIASTINUM, *PLEURA, *LUNG)
# What is still there when told as "prior": "prior rib fracture" is seen today, "prior pneumonia" is not.
LASTING = frozenset(
    (
        *DEVICES,
        "device",
        "fracture",
        "pleural thickening",
        "calcified nodule",
        "fibrosis",
        "hernia",
        "emphysema",
        "other abnormality",
    )
)

_BOTH = r"cardio[- ]?mediastinal silhouette"
_HEART = rf"(?:heart(?: size)?|cardiac (?:silhouette|size|shadow|contours?)|{_BOTH})"
_MEDIASTINUM = rf"(?:mediastinum|mediastinal (?:silhouette|contours?|shadow|structures)|{_BOTH})"
_EFFUSION = (
    r"(?:(?:pleural|pl|p|subpulmonic|parapneumonic)[. -]{0,2})?"
    r"(?<!pericardial )(?<!joint )(?:effusions?|effus|effs?)"
)
_STATE = r"(?:(?:\w+ly|borderline|mild|moderate|size|not|again|is|are|remains?|appears?|in|to|be) ){0,5}"


@dataclass(frozen=True)
class Term:
    """Holds a finding and its wordings. `zoned`: has an upper, mid or lower zone; `sided`: has a side."""

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
            r"increased? (?:in )?(?:the )?(?:heart|cardiac) size",
            rf"enlarged {_HEART}",
            r"large heart",
            r"cardiomeg",
            r"cm(?:(?<=^cm)|(?<=mild cm)|(?<=moderate cm)|(?<=severe cm)|(?<=stable cm)|(?<=no cm)|"
            r"(?<=unchanged cm)|(?<=, cm))"
            r"(?= ?[.,;]|$| (?:and|is|with|or|has|unchanged|stable|versus))",
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
            _EFFUSION,
            r"pleural fluid",
            r"(?:hydro|hemo)thorax",
            r"blunting of (?:the )?(?:\w+ ){0,3}costophrenic (?:angles?|sulcus|sulci)",
            r"costophrenic (?:angle|sulcus) blunting",
        ),
        shares_place=True,
    ),
    Term(
        "pneumothorax",
        (r"(?:hydro)?pneumo[- ]?thora(?:x|ces|xes)", r"(?:hydro)?ptx|pnx", r"pneumo"),
        shares_place=True,
    ),
    Term(
        "consolidation",
        (r"(?:(?:airspace|air space|lobar) )?consolidat(?:ions?|ive|ed)", r"consol"),
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
            r"(?:(?:pulmonary|interstitial|alveolar) ){0,6}(?<!subcutaneous )(?<!tissue )o?edema",
            r"fluid overload",
        ),
        zoned=True,
    ),
    Term(
        "atelectasis",
        (
            r"atelecta(?:sis|ses|tic)",
            r"atelect?|atx",
            r"(?:lobar|lobe|lung|[rl][ulm]l) collapse",
            r"collapse of (?:\w+ ){0,5}(?:lobe|lung|[rl][ulm]l)",
        ),
        zoned=True,
        shares_place=True,
    ),
    Term("infiltration", (r"infiltrat(?:es?|ions?)", r"infil(?:tr)?s?"), zoned=True, shares_place=True),
    Term(
        "pneumonia", (r"(?:broncho)?pneumonias?", r"pneumonic", r"(?:b)?pna"), zoned=True, shares_place=True
    ),
    Term("emphysema", (r"(?<!subcutaneous )emphysema(?:tous)?",), zoned=True),
    Term("fibrosis", (r"fibrosis", r"fibrotic"), zoned=True),
    Term("hernia", (r"(?:(?:hiatal|hiatus|diaphragmatic) )?hernia",), sided=False),
    Term(
        "pacemaker",
        (
            r"(?:cardiac )?pacemakers?",
            r"pacer",
            r"pacing (?:device|leads?|wires?)",
            r"a?icds?|ppm|bi-?v icd|crt-?[dp]",
            r"defibrillator",
        ),
    ),
    Term(
        "central line",
        (
            r"central (?:venous )?(?:lines?|catheters?|access)",
            r"(?:jugular|subclavian|ij|port|venous|dialysis) (?:central |venous ){0,2}(?:lines?|catheters?)",
            r"picc(?: lines?)?|cvc|cvl|vascath|permacath|ij(?:(?<=left ij)|(?<=right ij)|(?<=\bl ij)|"
            r"(?<=\br ij))|port-?a-?cath|portacath(?:eter)?|mediport",
        ),
    ),
    Term("endotracheal tube", (r"(?:endo)?tracheal tubes?", r"et tube", r"ett"), sided=False),
)
MASS = r"mass(?:es)?"  # the wordings of "nodule" that call it a mass: then large, unless graded otherwise

# Words that stand for several findings at once; they count only where they are denied ("No support
# devices.").
GROUPS = (
    (
        r"(?:acute )?(?:(?:cardio-?pulmonary|pulmonary|chest|cardiac|intrathoracic|airspace) ){1,6}"
        r"(?:abnormalit(?:y|ies)|disease|process(?:es)?|findings?|patholog(?:y|ies))",
        ACUTE,
    ),
    (r"(?:acute|active) (?:abnormalit(?:y|ies)|disease|process(?:es)?|findings?)", ACUTE),
    (
        r"(?<!bony )(?<!bone )(?<!osseous )(?<!skeletal )(?<!tissue )(?<!abdominal )abnormalit(?:y|ies)"
        r"|abnormal findings?",
        CHEST,
    ),
    (r"support devices?|devices?", DEVICES),
    (r"lines,? (?:or|and) tubes|tubes,? (?:or|and) lines", DEVICES),
    (r"(?<!kerley b )(?<!kerley )(?<!septal )(?<!fracture )(?<!pleural )lines", DEVICES),
)

# Words which, said to be normal or clear, deny findings. The words allowed between subject and predicate
# are listed, so that "the heart is enlarged, the mediastinum is normal" does not make the heart normal.
_BETWEEN = (
    r"(?:,|and|the|is|are|was|both|all|size|contours?|silhouettes?|shadow|structures|appears?|remains?|"
    r"grossly|stable|"
    r"otherwise|again|well|expanded|inflated|bilaterally|symmetrically|to|be|in|within|at|upper|limits|of|"
    r"heart|"
    r"cardiac|mediastin(?:um|al)|hilar?|top|pulmonary|vasculature|vascularity|lungs?|pleura|pleural|"
    r"spaces?|hila|heart|normal|free|aortic?|but|low|volumes?|(?:hyper|hypo|under)\w+)"
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
_SEEN = (
    r"(?:seen|present|identified|visuali[sz]ed|evident|demonstrated|appreciated|noted|observed|detected|"
    r"visible|apparent|"
    r"found|suspected|shown|discerned|recognized|evidenced|appreciable|identifiable|detectable|delineated)"
)
_BE = r"(?:is|are|was|were|has|have|had|do|does|did|can|could)"
_BEFORE = r"(?:previously|before|formerly|earlier|(?:on|in) (?:the |any )?(?:prior|previous|earlier))"
_EXTENT = (
    r"(?:(?:evidence of|significant|significantly|interval|substantial|substantially|appreciable|"
    r"appreciably|other|further|"
    r"definite|definitely|major|obvious|gross|grossly|marked|markedly|real|clear|visible|relevant|"
    r"convincing|much|great|"
    r"any|notable|measurable|clinically|radiographic|recent|overall|large) )*"
)
_PARTLY = (
    r"(?:partial|partially|partly|near|nearly|almost|incomplete|incompletely|subtotal|some|slight|"
    r"slightly|ongoing|continued|"
    r"continuing|gradual|gradually|slow|slowly|not|never|no|without|delayed|expected|mild|moderate|"
    r"minimal|marked|"
    r"markedly|substantial|substantially|significant|significantly|considerable|largely|mostly|mainly|"
    r"much|somewhat|"
    r"virtually|practically|failed to|yet to|to)"
)
_WHOLLY = r"(?:(?:yet|fully|complete|completely|entirely|totally|quite|interval|been|total)[ -])*"
CUES = {
    # These words deny nothing though they hold a "no", and end the reach of one before.
    "neutral": (
        rf"(?:no|without|not?) {_EXTENT}"
        r"(?:changed?|changes|increased?|improvement|improved|progression|decreased?|worsening|worsened|"
        r"growth|difference"
        r"|(?:enlargement|expansion)(?! (?:of|in) (?:the |this |that )?(?:heart|cardi|medi|superior|"
        r"upper)))(?: in| of)?",
        r"not only|no longer (?:as|so|quite|that)|(?:not|never|hardly|rarely|nor) without|"
        r"not a (?:single )?\w+ (?:is )?without",
        r"no (?:(?:lung|lobe|zone|side|field|study|patient|rib|part|area|region) ){1,2}(?:(?:is|"
        r"are) )?without",
        r"(?:no|not) (?:\w+ly )?(?:larger|bigger|smaller|greater|worse|denser|wider|fewer|less|better|"
        r"different)",
        r"no(?:thing)? (?:more|less|fewer) than|no more (?=[^.,;]* than\b)|no doubt|without (?:a )?doubt",
        rf"{_PARTLY}[ -]{_WHOLLY}(?:resolution|clearing|clearance|resorption|resolved|cleared|gone|"
        rf"disappeared|resolve)(?: of)?",
        r"(?:ensure|document|confirm|assess|until|verify|for|pending|demonstrate|"
        r"awaiting)(?: for)? {W}(?:resolution|clearing)"
        r"(?: of)?".replace("{W}", r"(?:(?:complete|interval|radiographic|full|its|the) )*"),
        rf"(?:{_BE} )?not (?:{_BEFORE} {_SEEN}|{_SEEN} {_BEFORE})",
    ),
    "through": (
        r"(?:consistent|in keeping|associated|compared|comparison|correlated?|along) with|as well as",
    ),
    "doubt": (
        r"(?:cannot|not|never|nor|without|(?:difficult|hard|impossible|unable) to|could not|does not|do not)"
        r"(?: (?:be|been|yet|quite|\w+ly))*(?: (?:exclud(?:ed?|ing)|rul(?:ed?|ing) out)| confirm(?:ed)?)",
        r"(?:to|should|must|please)(?: be)? (?:excluded?|ruled? out)|rule out|^exclude|either (?!side|"
        r"lung|base|hemi|apex|of)",
        r"(?:more|less) likely than|(?:favou?red|preferred) over",
        r"possib(?:le|ly|ility|ilities)(?: of| with)?|probabl[ey]|probability of|(?:less |more |most |"
        r"un)?likely|likelihood of",
        r"suspect(?:ed)?|suspici(?:ous|on) (?:of|for)|suspicion|perhaps|maybe|presum(?:ed|ably|able)|"
        r"doubtful",
        r"may (?:also |well )?(?:represent|reflect|be|indicate|relate|have)|(?:might|could)(?! not)|"
        r"can be seen|versus",
        r"concern(?:ing)?(?: for| of)|(?:a|of) concern|worrisome(?: for)?|question(?:able|ed| of)?|"
        r"equivocal|borderline",
        r"indeterminate|suggest(?:s|ed|ive of|ing|ion of)?|consider(?:ed|ation)?(?! (?:less |"
        r"more )?(?:likely|unlikely))"
        r"|differential|compatible with",
        r"evaluat(?:e|ion) (?:for|of)|assess(?:ment)? for|(?:thought|felt|believed) to (?:be|represent|"
        r"reflect)",
        r"favou?r(?:s|ed|ing)?(?: to (?:be|represent|reflect))?|unclear|uncertain|(?:unclear |uncertain |"
        r"question |possible )?(?:whether|if|that) there (?:is|are)|whether",
        r"(?:if|when) (?:any|present)|not(?: be)? (?:well|adequately|fully|optimally)"
        rf" {_SEEN}|(?:poorly|inadequately) {_SEEN}",
    ),
    "denial after": (
        rf"(?:{_BE} )?(?:(?:now|still|currently|also|again) )?(?:not|no longer|no more|"
        rf"cannot)(?: be)? (?:\w+ ){{0,2}}?(?:{_SEEN}|there|confirmed|established)",
        rf"{_BE}(?: (?:now|been|since|all|both|completely|entirely|fully|totally|clearly|already|"
        rf"definitively|subsequently|"
        r"effectively|reliably|interval|again|therefore|thus))*"
        r" (?:absent|resolved|removed|excluded|cleared|ruled out|gone|disappeared|nil|none|negative(?! for))",
        r"can(?: now)? be (?:\w+ly )?(?:excluded|ruled out)|removal(?! of)",
        r"(?:(?:completely|fully|now|since|totally|subsequently|interval) )*(?:resolved|absent|excluded|"
        r"ruled out|removed|gone|none)"
        r"(?=\s*(?:[.,;)]|$|since\b|in the interval|by\b|completely|now\b))",
    ),
    "denial before": (
        r"no longer|no|without|negative for|absence of|free (?:of|from)|clear of|devoid of|lack(?:s|"
        r"ing)?(?: of)?|neither|nor|never|no longer"
        r"|denie[sd]|rather than|instead of|as opposed to|(?:evidence |argues? )?against|ruled out|"
        r"rules out|excluded?"
        r"|(?:interval )?(?:removal|resolution|clearing|disappearance|exclusion) of|resolved|not|none|"
        r"negative|nil|fail(?:s|ed) to|absent",
    ),
    "history": (
        r"(?:history|diagnosis|episodes?|treatment|bouts?) (?:of|significant for|notable for|"
        r"positive for)|treated for",
    ),
    "past": (r"prior|previous|past|remote",),
    "relative": (r"which",),
    "break": (
        r"but|however|although|though|except(?:ing)?|apart from|aside from|other than|yet|while|whereas|"
        r"albeit",
        r"there (?:is|are|has|have)|with|after|following|status post|from|because|due to|secondary to|"
        r"despite|in spite of",
        r"besides|save for|beyond|excluding|nevertheless|nonetheless|instead|now|currently|only|otherwise|"
        r"in the setting of",
        r"(?:any |interval |significant )*(?:changes?|increase|decrease|improvement) (?:in|of)|still",
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

# --- CheXpert's fourteen (Irvin et al. 2019): the tables above, widened. Read by `chexpert`, which says what
# each name below means there.

_KNOWN = {term.finding: term for term in TERMS}


def _widen(finding: str, *patterns: str) -> Term:
    """Return a term of TERMS with these wordings tried before its own."""
    return replace(_KNOWN[finding], patterns=(*patterns, *_KNOWN[finding].patterns))


_VESSELS = r"(?:vascularity|vasculature|vessels)"

CHEXPERT_TERMS = (
    Term("heart failure", (r"(?:congestive |cardiac )?heart failure", r"a?d?chf|adhf|hf"), sided=False),
    Term(
        "cardiomediastinal enlargement",
        (
            rf"{_BOTH} {_STATE}(?:enlarged|prominent|widened)",
            rf"(?:enlarged|prominent|widened|enlargement of the|prominence of the) {_BOTH}",
            r"cardio[- ]?mediastinal (?:enlargement|widening|prominence)",
        ),
        sided=False,
    ),
    _widen(
        "cardiomegaly",
        rf"{_HEART} {_STATE}(?:enlarged|prominent)",
        rf"prominent {_HEART}",
        r"megalocardia",
    ),
    _widen(
        "mediastinal widening",
        rf"{_MEDIASTINUM} {_STATE}prominent",
        rf"(?:prominent|prominence of the) (?:superior |upper )?{_MEDIASTINUM}",
        r"paratracheal (?:prominence|fullness|thickening|widening)",
        r"mediastinal (?:prominence|fullness|mass|lymphadenopathy|adenopathy)",
    ),
    Term(
        "pleural thickening",
        (
            r"pleural(?:[- ]based)? (?:\w+ ){0,2}(?:thickening|scarring|scars?|plaques?|calcifications?)",
            r"(?:bi)?apical (?:\w+ ){0,2}(?:pleural )?(?:thickening|caps?|capping)",
            r"thickening of the (?:\w+ )?pleura|pleura is (?:\w+ly )?thickened|thickened pleura",
            r"fibrothora(?:x|ces)",
            r"thickening of the (?:\w+ )?fissures?|fissural thickening",
            r"pleur(?:o|al)[- ]?parenchymal (?:scarring|scars?|thickening)",
        ),
        zoned=True,
    ),
    Term("hydropneumothorax", (r"h(?:ydro|emo|aemo)pneumothora(?:x|ces|xes)",), shares_place=True),
    Term(
        "pleural effusion",
        (
            _EFFUSION,
            r"pleural fluid",
            r"(?:hydro|hemo|haemo|chylo|pyo)thorax|empyemas?",
        ),
        shares_place=True,
    ),
    _widen("pneumothorax", r"pleural (?:air|gas)(?: collections?)?"),
    _widen("consolidation"),
    Term(
        "calcified nodule",
        (
            r"calcified (?:\w+ ){0,3}(?:nodules?|nodular (?:densit|opacit)(?:y|ies)|granulomas?)",
            r"granulomatous(?: (?:lung )?(?:infections?|disease|process))?",
            r"(?:nodular )?calcified (?:density|densities|opacity|opacities|lesions?)",
            r"granulomat?a?s?",
        ),
        zoned=True,
    ),
    Term(
        "nodular opacity",
        (
            r"(?:nodular|round(?:ed)?|ovoid|mass-?like) (?:\w+ ){0,3}"
            r"(?:densit(?:y|ies)|opacit(?:y|ies)|opacification)",
        ),
        zoned=True,
    ),
    _widen(
        "nodule",
        r"(?:cavitary|nodular|coin|lung|pulmonary|mass) lesions?",
        r"nodularity|cavit(?:y|ies|ation)|spns?|mets",
        r"carcinoma|neoplasm|malignancy|metastas[ei]s|metastatic disease|tumors?",
    ),
    _widen(
        "edema",
        r"(?:pulmonary )?(?:vascular|venous|interstitial) (?:\w+ )?congestion",
        r"(?:early|cardiac|left ventricular) failure|p?vc|congestion|congested|cephalization|"
        r"vascular prominence",
        rf"(?:increased?|prominen(?:t|ce of the)|engorge(?:d|ment of the)) (?:\w+ ){{0,2}}{_VESSELS}",
        rf"{_VESSELS} (?:\w+ ){{0,3}}(?:engorged|prominent|increased)",
        r"indistinct(?:ness)? (?:of the )?(?:\w+ )?vascul\w+",
    ),
    _widen("atelectasis", r"subsegmental collapse"),
    Term(
        "lung opacity",
        (
            r"infiltrat(?:es?|ions?|ive)|infil(?:tr)?s?|opacs?|ggos?|ilds?|ground[- ]glass(?: opacit(?:y|"
            r"ies)| opacs?| change)?",
            r"haz(?:e|y|iness)|opacit(?:y|ies)|opacifications?|opacified",
            r"densit(?:y|ies)",
            r"(?:airspace|air space|air-space) (?:disease|process)",
            r"(?:interstitial|reticular|reticulonodular) (?:\w+ )?(?:marking|pattern|change|prominence)s?",
            r"(?:interstitial|reticular) (?:(?:lung|\w+) )?(?:thickening|disease|fibrosis)",
            r"(?:increased|prominent|coarsened|coarse) (?:\w+ )?(?:interstitial|interstitium|reticular)\w*",
            r"reticulations?",
            r"scar(?:ring|s)?",
            r"(?:pulmonary )?fibrosis|fibrotic",
            r"(?:peribronchial|bronchial wall) (?:thickening|cuffing)",
        ),
        zoned=True,
        shares_place=True,
    ),
    _widen("pneumonia", r"infect(?:ion|ious)(?: process| disease)?"),
    Term(
        "fracture",
        (
            r"(?<!catheter )(?<!lead )(?<!wire )fractures?(?! (?:line|fixation|wire|lead))",
            r"fractured (?:\w+ ){0,2}(?:ribs?|clavicles?|bones?|humer(?:us|i)|scapulae?|vertebrae?|sternum)",
            r"(?:ribs?|clavicles?|bones?) (?:is |are )fractured",
        ),
    ),
    Term(
        "device",
        (
            r"(?:cardiac )?pacemakers?|pacers?|pacing (?:device|leads?|wires?)|a?icds?|defibrillators?|"
            r"ppm|crt-?[dp]",
            r"ij(?:(?<=left ij)|(?<=right ij)|(?<=\bl ij)|(?<=\br ij))(?! vein)|cvl|dobb?hoff|[on]gts?|"
            r"peg|trach|ecmo|lvad|impella|vascath|permacath|pigtail|ports?",
            r"(?:loop|event) recorder|vagus nerve|tavr|swan(?:[- ]ganz)?|(?:central|picc|support|"
            r"iv) lines?|lines? (?:placement|insertion|removal|tips?)|lines and tubes",
            r"generators?|catheters?|piccs?|cvcs?|port-?a-?cath|portacath(?:eter)?|mediport|chemo-?port|"
            r"infusion port",
            r"(?:venous )?access port",
            r"(?:central|venous|jugular|subclavian|ij|dialysis|picc|swan[- ]ganz|arterial) (?:\w+ )?lines?",
            r"tips? (?:\w+ ){0,6}(?:svc|vena cava|(?:cavo)?atri(?:um|al)|caval|carina|"
            r"ventric(?:le|ular)|stomach)",
            r"tubes?|tubing|etts?|ngt|tracheostomy|drains?|cannula|shunts?|stents?|coils?|filter",
            r"(?:(?:surgical|vascular|cholecystectomy|metallic|mediastinal) ){0,3}(?:(?:cabg )?clips?|"
            r"staples?)",
            r"(?:sternotomy|sternal|cerclage) (?:wires?|sutures?)|sutures?",
            r"(?:prosthetic|artificial|mechanical|replacement) (?:\w+ ){0,2}valves?|valvular prosthesis",
            r"valve (?:replacement|prosthesis)",
            r"(?:spin(?:e|al)|cervical|lumbar|thoracic) (?:\w+ )?fusion|fusion of the (?:\w+ ){0,3}spine",
            r"hardware|arthroplasty|(?<!breast )(?:prosthes[ie]s|implants?)|prosthetic",
            r"screws?|plates? and screws?|rods?|(?:fixation|fusion) (?:plates?|device)",
            r"(?:neuro)?stimulators?|(?:bypass|cabg) markers?|leads?|(?:medical )?devices?|balloon pump|"
            r"iabp|lap-?band|gastric band",
        ),
    ),
    Term(
        "other abnormality",
        (
            r"(?:bony|bone|soft[- ]tissue|breast|sternal|substernal|metallic) (?:mineral )?densit(?:y|ies)",
            r"emphysema(?:tous)?|copd|bull(?:ae?|ous)|blebs?|flatten(?:ed|ing)",
            r"hyper(?:inflat|expan|aerat|lucen)\w+|lucen(?:t|cy|cies)|cyst\w*",
            r"(?:hypo|under)(?:inflat|aerat|ventilat)\w+|(?:low|decreased|reduced) (?:lung )?volumes?",
            r"volume loss|(?:shallow|poor|low|decreased|suboptimal) (?:\w+ )?inspirat\w+|crowding",
            r"bronchiectasis|bronchitis|bronchospasm|asthma|(?:reactive|small) airways? disease|aspiration",
            r"blunt(?:ed|ing)|elevat(?:ed|ion)|eventration|hernia\w*",
            r"(?:dextro|levo)?scolio\w+|kypho\w+|curvature|degenerat\w+|osteophyt\w+|spondyl\w+|spurs?|"
            r"spurring",
            r"osteopeni\w+|deminerali\w+|(?:osteo)?arthrit\w+|arthropathy|arthros\w+|wedging|deformit(?:y|"
            r"ies)|dish",
            r"calcifi\w+|tortuo\w+|ectati?c?\w*|unfold\w+|uncoil\w+|atheroscler\w+|aneurysm\w*",
            r"(?:lymph)?adenopathy|enlarged (?:hilar )?lymph nodes?",
            r"prominen(?:t|ce)|thickening|shift(?:ed)?|deviat\w+|sequela\w*|chronic (?:lung|changes?)",
            r"pneumoperitoneum|pneumomediastinum|free (?:\w+ )?air|subcutaneous emphysema",
            r"pericardial effusion|contusion|hematoma|hemorrhage|metal\w*|foreign bod(?:y|ies)|bullet",
            r"mastectomy|pneumonectomy|lobectomy|resection",
            r"hyperaerat\w+|granulomatous disease",
        ),
    ),
)


def _with_opacity(findings: tuple[str, ...]) -> tuple[str, ...]:
    """Add the opacity that is denied wherever a consolidation is ("The lungs are clear.")."""
    return (*findings, "lung opacity") if "consolidation" in findings else findings


def _with_all_devices(findings: tuple[str, ...]) -> tuple[str, ...]:
    return ("device",) if findings == DEVICES else findings


CHEXPERT_GROUPS = tuple((words, _with_all_devices(_with_opacity(findings))) for words, findings in GROUPS)
CHEXPERT_NORMAL_STATEMENTS = tuple((words, _with_opacity(findings)) for words, findings in NORMAL_STATEMENTS)

# CUES, and besides: a differential, or what something may represent, doubts every member of its list, and
# "compatible with" states, as "consistent with" does.
CHEXPERT_CUES = {
    **CUES,
    "neutral": (*CUES["neutral"], r"age[- ]indeterminate"),
    "through": (*CUES["through"], r"compatible with"),
    "doubt list": (
        r"differential(?: diagnos[ie]s| considerations?)?(?: (?:includ\w+|for))?",
        r"(?:may|might|could) (?:also |well )?(?:represent|reflect|indicate|be (?:due|secondary|related) to)",
    ),
    "doubt": (
        *(words.replace("|compatible with", "") for words in CUES["doubt"]),
        r"correlat(?:e|ion) (?:\w+ ){0,4}(?:for|of)|(?:would be|is) (?:a|another) consideration",
        r"(?:cannot|difficult to|could not)(?: be)? (?:\w+ ){0,2}(?:excluded?|rule out|ruled out)",
    ),
}
# "doubt list" is tried before the "doubt" that its wordings begin like.
CHEXPERT_CUES = {kind: CHEXPERT_CUES[kind] for kind in ("neutral", "through", "doubt list", *tuple(CUES)[2:])}
