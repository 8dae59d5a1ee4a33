"""Describe one phantom: its findings, its measurements and its circumstances. Knows no pixels and no wording.

Both halves of the phantom start here: `projection` draws a case, `wording` describes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmcxr.findings import PHANTOM_FINDINGS

FINDINGS = PHANTOM_FINDINGS
SIDES = ("left", "right", "bilateral")
ZONES = ("upper", "mid", "lower")
GRADES = ("small", "moderate", "large")  # worded per finding: mild/moderate/severe edema, nodule/mass ...
VARIATION = 0.2  # by default, so that two CPU cores can learn to draw what was asked for


@dataclass(frozen=True)
class DrawnFinding:
    """Describes one abnormality in the picture. Fields that do not apply to its kind are empty strings."""

    name: str  # one of FINDINGS
    side: str = ""  # one of SIDES; the patient's. Effusion may be bilateral, edema always is
    zone: str = ""  # one of ZONES: consolidation, nodule, atelectasis
    grade: str = ""  # one of GRADES
    extent: float = 0.0  # the continuous size behind the grade, 0..1


@dataclass(frozen=True)
class PhantomCase:
    """Holds all that decides one phantom's picture and text. `cardiothoracic_ratio` > 0.5 is cardiomegaly."""

    seed: int
    index: int
    findings: tuple[DrawnFinding, ...]
    cardiothoracic_ratio: float  # true ratio of the widest heart to the widest inner thorax, 0.38-0.65
    sex: str  # "F" or "M"
    age_years: int
    view_position: str  # "PA" or "AP"
    # Share 0..1 of the full variation of posture, habitus, ribs, vessels, exposure and noise. Lungs, heart
    # and findings always vary fully.
    variation: float = VARIATION

    def find(self, name: str) -> DrawnFinding | None:
        return next((finding for finding in self.findings if finding.name == name), None)
