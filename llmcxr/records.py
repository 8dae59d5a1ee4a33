"""Define what every room shares: radiographs, reports, studies, labels, questions. No pixels, no models.

A patient has studies; a study has one report and one or more radiographs; labels and questions belong to the
study. "left" and "right" are always the patient's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SPLITS = ("train", "validate", "test")
# A split as people write it, in tables and in opening strings: ours
SPLIT_WORDS = {name: name for name in SPLITS} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "validate"
)
VIEW_POSITIONS = ("PA", "AP", "lateral", "other", "unknown")  # other: oblique, decubitus, lordotic


class Label(StrEnum):
    """Names the four states of a finding in a study (CheXpert, Irvin et al. 2019)."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    NOT_MENTIONED = "not mentioned"


@dataclass(frozen=True)
class Radiograph:
    """Holds one image and what is known of how it was taken. `path` is empty where pixels are computed."""

    image_id: str
    study_id: str
    patient_id: str
    path: str = ""
    view_position: str = "unknown"  # one of VIEW_POSITIONS
    pixel_spacing_mm: tuple[float, float] | None = None  # row, column
    sex: str | None = None  # "F" or "M"
    age_years: float | None = None

    @property
    def is_frontal(self) -> bool:
        return self.view_position in ("PA", "AP")


@dataclass(frozen=True)
class Report:
    """Holds the sections of a radiology report; a section that is missing is an empty string."""

    indication: str = ""
    technique: str = ""
    comparison: str = ""
    findings: str = ""
    impression: str = ""

    def __bool__(self) -> bool:
        return bool(self.findings or self.impression)


@dataclass(frozen=True)
class Question:
    """Holds a question about a study's image, its reference answer, and its kind, by which it is scored."""

    question: str
    answer: str
    kind: str = "presence"  # presence, location, severity, view, sex, measurement


@dataclass(frozen=True)
class LesionBox:
    """Tells where a reader marked a finding: shares of the height and width from its upper left corner."""

    finding: str
    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True)
class Study:
    study_id: str
    patient_id: str
    radiographs: tuple[Radiograph, ...]
    report: Report = field(default_factory=Report)
    labels: Mapping[str, Label] = field(default_factory=dict)
    split: str = "train"
    questions: tuple[Question, ...] = ()

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, got {self.split!r}")


def split_by_patient(patient_id: str, validate: float = 0.1, test: float = 0.1) -> str:
    """Choose the split of a patient from a hash of the id: stable across machines, orders and dataset sizes.

    For sources that publish no split of their own.
    """
    position = int(hashlib.sha256(patient_id.encode()).hexdigest()[:8], 16) / 2**32
    if position < test:
        return "test"
    return "validate" if position < test + validate else "train"
