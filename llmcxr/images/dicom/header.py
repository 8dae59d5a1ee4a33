"""Read from a DICOM header how a radiograph was taken. Knows no pixels.

Malformed values, common in real archives, are left unknown; no warning quotes what could be a patient's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.images.header import ImageHeader

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

RADIOGRAPHS = ("CR", "DX", "RG", "RF", "OT", "SC", "")  # modalities under which radiographs are filed
VIEWS = {"PA": "PA", "AP": "AP"} | dict.fromkeys(
    ("LL", "RL", "LLO", "RLO", "LAT", "LATERAL", "LARGE LATERAL"), "lateral"
)
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
}
SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
UNITS_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
OLDEST = 120  # years; beyond it an age is a typing error


def build_header(dataset: DicomDataset) -> ImageHeader:
    """Read view position, spacing, sex, age and warnings of a dataset. Never raises for odd values."""
    sex = get_text(dataset, "PatientSex").upper()
    return ImageHeader(
        view_position=find_view(dataset),
        pixel_spacing_mm=_find_spacing(dataset),
        sex=sex if sex in ("F", "M") else None,
        age_years=parse_age(get_text(dataset, "PatientAge")),
        warnings=tuple(_warn(dataset)),
    )


def find_view(dataset: DicomDataset) -> str:
    """Find PA, AP, lateral or unknown from view position, coded view, or the rows' direction."""
    view = get_text(dataset, "ViewPosition").upper()
    if view in VIEWS:
        return VIEWS[view]
    for item in dataset.get("ViewCodeSequence") or ():
        if get_text(item, "CodeValue") in VIEW_CODES:
            return VIEW_CODES[get_text(item, "CodeValue")]
    rows_run_to = get_text(dataset, "PatientOrientation").upper()
    return "lateral" if rows_run_to[:1] in ("A", "P") else "unknown"  # front to back: seen from the side


def parse_age(age: str) -> float | None:
    """Parse `045Y`, `006M`, `002W`, `010D`, or bare years as some archives write -> years; else None."""
    match = re.fullmatch(r"\s*(\d{1,3})([DWMY]?)\s*", age.upper())
    if match is None:
        return None
    years = int(match[1]) / UNITS_PER_YEAR[match[2] or "Y"]
    return years if years <= OLDEST else None


def get_text(dataset: DicomDataset, keyword: str) -> str:
    """Return an element's value as text, the first of several; empty where there is none."""
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, str) and isinstance(value, Iterable):
        value = next(iter(value), None)
    return "" if value is None else str(value).strip()


def get_number(dataset: DicomDataset, keyword: str) -> float | None:
    """Return an element's first value as a number; None where there is none or it is malformed."""
    try:
        number = float(get_text(dataset, keyword))
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _find_spacing(dataset: DicomDataset) -> tuple[float, float] | None:
    """Find (row, column) in mm: calibrated in the patient, else at the detector, some 5-10% wider."""
    for keyword in SPACINGS:
        try:
            row, column = (float(value) for value in dataset.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if row > 0 and column > 0:
            return row, column
    return None


def _warn(dataset: DicomDataset) -> Iterator[str]:
    if find_view(dataset) == "lateral":
        yield "a lateral view: a frontal radiograph is expected"
    if get_text(dataset, "Modality") not in RADIOGRAPHS:
        yield f"modality {get_text(dataset, 'Modality')[:16]}: not a plain radiograph (CR, DX)"
    if get_text(dataset, "PresentationIntentType") == "FOR PROCESSING":
        yield "raw detector values (FOR PROCESSING): contrast and polarity may be unusual"
    photometric = get_text(dataset, "PhotometricInterpretation")
    shape = get_text(dataset, "PresentationLUTShape")
    if (photometric, shape) in (("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")):
        yield f"{photometric} contradicts presentation LUT shape {shape}: {photometric} is followed"
    if get_text(dataset, "BurnedInAnnotation") == "YES":
        yield "annotation is burned into the pixels"
    if get_text(dataset, "SyntheticData") == "YES" or get_text(dataset, "ConversionType") == "SYN":
        yield "the file says that it is a synthetic image, not a radiograph of a patient"
