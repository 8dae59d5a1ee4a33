"""Read from a DICOM header how a radiograph was taken. Knows no pixels.

Malformed values, common in real archives, are left unknown; no warning quotes what could be a patient's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmcxr.images.dicom.elements import get_code, get_text
from llmcxr.images.dicom.geometry import find_spacing
from llmcxr.images.dicom.views import find_view
from llmcxr.images.header import ImageHeader

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

RADIOGRAPHS = ("CR", "DX", "RG", "RF", "OT", "SC", "")  # modalities under which radiographs are filed
# PS3.3 C.7.3.1.1.1, with the retired ones
MODALITIES = """ANN AR AS ASMT AU BDUS BI BMD CD CFM CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DS DX EC ECG
EEG EMG EOG EPS ES FA FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR
OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD
RTSEGANN RTSTRUCT RWV SC SEG SM SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF XA XAPROTOCOL XC"""
# PS3.16 Annex L; what does not stand here may be the chest in any language
OTHER_PARTS = """ABDOMEN ANKLE ARM BREAST CALCANEUS CLAVICLE COCCYX CSPINE ELBOW EXTREMITY FEMUR FINGER FOOT
FOREARM HAND HEAD HEEL HIP HUMERUS JAW KNEE LEG LSPINE NECK PELVIS SACRUM SCAPULA SHOULDER SKULL SPINE SSPINE
TIBIA TOE TSPINE WRIST"""
OBJECTS = {  # SOP classes of files that often leave the modality out
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.6.1": "US",
    "1.2.840.10008.5.1.4.1.1.3.1": "US",
    "1.2.840.10008.5.1.4.1.1.20": "NM",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
    "1.2.840.10008.5.1.4.1.1.1.2": "MG",
    "1.2.840.10008.5.1.4.1.1.1.2.1": "MG",
    "1.2.840.10008.5.1.4.1.1.12.1": "XA",
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",
    "1.2.840.10008.5.1.4.1.1.104.1": "DOC",
}
RAW_OBJECTS = (  # digital X-ray and mammography for processing
    "1.2.840.10008.5.1.4.1.1.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.2.1",
)
UNITS_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
OLDEST = 120  # years; beyond it an age is a typing error


def build_header(dataset: DicomDataset) -> ImageHeader:
    """Read view position, spacing, sex, age and warnings of a dataset. Never raises for odd values."""
    sex = get_code(dataset, "PatientSex")
    return ImageHeader(
        view_position=find_view(dataset),
        pixel_spacing_mm=find_spacing(dataset),
        sex=sex if sex in ("F", "M") else None,
        age_years=parse_age(get_text(dataset, "PatientAge")),
        warnings=tuple(_warn(dataset)),
    )


def parse_age(age: str) -> float | None:
    """Parse `045Y`, `006M`, `002W`, `010D`, or bare years as some archives write -> years; else None."""
    match = re.fullmatch(r"\s*(\d{1,3})([DWMY]?)\s*", age.upper())
    if match is None:
        return None
    years = int(match[1]) / UNITS_PER_YEAR[match[2] or "Y"]
    return years if years <= OLDEST else None


def find_modality(dataset: DicomDataset) -> str:
    """Find the modality: as said, else as the kind of object shows; "unknown" for a word of no standard."""
    modality = get_code(dataset, "Modality")
    if not modality:
        return OBJECTS.get(get_text(dataset, "SOPClassUID"), "")
    return modality if modality in MODALITIES.split() else "unknown"


def is_raw(dataset: DicomDataset) -> bool:
    """Return whether the pixels are a detector's values, not yet processed to be looked at."""
    intent = get_code(dataset, "PresentationIntentType")
    return intent == "FOR PROCESSING" or get_text(dataset, "SOPClassUID") in RAW_OBJECTS


def _warn(dataset: DicomDataset) -> Iterator[str]:
    view = find_view(dataset)
    if view == "lateral":
        yield "a lateral view: a frontal radiograph is expected"
    elif view == "other":
        yield "an oblique, lying or other special view: a plain frontal radiograph is expected"
    if find_modality(dataset) not in RADIOGRAPHS:
        yield f"modality {find_modality(dataset)}: not a plain radiograph (CR, DX)"
    if get_code(dataset, "BodyPartExamined") in OTHER_PARTS.split():
        yield "the header names a part of the body that is not the chest: a chest radiograph is expected"
    if is_raw(dataset):
        yield "raw detector values (FOR PROCESSING): contrast and polarity may be unusual"
    photometric = get_code(dataset, "PhotometricInterpretation")
    shape = get_code(dataset, "PresentationLUTShape")
    if (photometric, shape) in (("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")):
        yield f"{photometric} contradicts presentation LUT shape {shape}: {photometric} is followed"
    if get_code(dataset, "BurnedInAnnotation") == "YES":
        yield "annotation is burned into the pixels"
    if get_code(dataset, "SyntheticData") == "YES" or get_code(dataset, "ConversionType") == "SYN":
        yield "the file says that it is a synthetic image, not a radiograph of a patient"
