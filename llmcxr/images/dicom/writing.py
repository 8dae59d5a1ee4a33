"""Write a drawn picture as a DICOM Secondary Capture that says in every place the standard offers: synthetic.

Standard: PS3.3 A.8.1 (Secondary Capture), C.7.6.1 (ImageType, SyntheticData), C.8.6.1 (ConversionType SYN).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.files import replacing

if TYPE_CHECKING:
    from pydicom import FileDataset

COMMENTS_LENGTH = 10240  # value representation LT
DERIVATION_LENGTH = 1024  # value representation ST
MARK = "SYNTHETIC"
MAKER = "llmcxr"
STATEMENT = "Synthetic image drawn by a machine from text. Not a radiograph of a patient. Not for diagnosis."


def write_synthetic(
    path: str | os.PathLike,
    image: np.ndarray,
    description: Mapping[str, object],
    seed: int = 0,
    bits_stored: int = 12,
) -> Path:
    """Write a picture (H, W) in [0, 1] as an uncompressed MONOCHROME2 Secondary Capture, marked as synthetic.

    `description` (the prompt, the model, ...) goes into the image comments as `key: value` lines.
    `bits_stored` is 8, 12 or 16. The UIDs follow from the pixels, the description and the seed, and no date
    is written: the same picture gives the same bytes. Raises ValueError for other pixels or bits, UserError
    for an unwritable path.
    """
    if image.ndim != 2 or 0 in image.shape or max(image.shape) > 65535 or not np.isfinite(image).all():
        raise ValueError(f"expected finite pixels of shape (H, W), got shape {image.shape}")
    if bits_stored not in (8, 12, 16):
        raise ValueError(f"expected bits_stored 8, 12 or 16, got {bits_stored}")
    dataset = _build_dataset(image, description, seed, bits_stored)
    with replacing(path) as beside:
        dataset.save_as(beside, enforce_file_format=True)
    return Path(path)


def is_drawn(path: Path) -> bool:
    """Tell whether a DICOM file is one that `write_synthetic` wrote."""
    from pydicom import dcmread

    dataset = dcmread(path, stop_before_pixels=True, specific_tags=["Manufacturer", "SyntheticData"])
    return (dataset.get("Manufacturer"), dataset.get("SyntheticData")) == (MAKER, "YES")


def _build_dataset(
    image: np.ndarray, description: Mapping[str, object], seed: int, bits_stored: int
) -> FileDataset:
    try:
        from pydicom.dataset import FileDataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
    except ImportError as error:
        raise UserError("writing DICOM needs pydicom: pip install 'llmcxr[dicom]'") from error
    comments = "\n".join(
        [STATEMENT, f"seed: {seed}", *(f"{key}: {value}" for key, value in description.items())]
    )
    identity = comments.encode() + image.astype("<f4").tobytes()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = _build_uid("instance", identity)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"  # UTF-8
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = _build_uid("study", identity)
    dataset.SeriesInstanceUID = _build_uid("series", identity)
    _describe_nobody(dataset)
    _mark_synthetic(dataset, comments)
    _set_pixels(dataset, image, bits_stored)
    return dataset


def _build_uid(kind: str, identity: bytes) -> str:
    """Build a UID under 2.25, the root for UUIDs (PS3.5 B.2): a version-8 UUID made from a hash."""
    number = int.from_bytes(hashlib.sha256(kind.encode() + identity).digest()[:16], "big")
    number = number & ~(0xF << 76) & ~(0x3 << 62) | (8 << 76) | (2 << 62)  # version, variant: RFC 9562
    return f"2.25.{number}"


def _describe_nobody(dataset: FileDataset) -> None:
    """Fill the patient and study modules of an image without either; dates stay empty (type 2)."""
    dataset.PatientName = dataset.PatientID = MARK
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Synthetic image: there is no patient"
    dataset.StudyDescription = dataset.SeriesDescription = "SYNTHETIC chest radiograph, not of a patient"
    dataset.StudyID = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.PatientBirthDate = dataset.PatientSex = dataset.PatientOrientation = ""
    dataset.StudyDate = dataset.StudyTime = ""
    dataset.SeriesNumber = dataset.InstanceNumber = 1


def _mark_synthetic(dataset: FileDataset, comments: str) -> None:
    dataset.Modality = "OT"  # never filed among real radiographs (CR, DX)
    dataset.ConversionType = "SYN"
    dataset.SyntheticData = "YES"
    dataset.ImageType = ["DERIVED", "SECONDARY", MARK]
    dataset.Manufacturer = MAKER
    dataset.DerivationDescription = STATEMENT[:DERIVATION_LENGTH]
    dataset.ImageComments = comments[:COMMENTS_LENGTH]
    dataset.BurnedInAnnotation = "NO"
    dataset.RecognizableVisualFeatures = "NO"
    dataset.LossyImageCompression = "00"
    dataset.BodyPartExamined = "CHEST"


def _set_pixels(dataset: FileDataset, image: np.ndarray, bits_stored: int) -> None:
    top = 2**bits_stored - 1
    values = np.rint(np.clip(image, 0, 1).astype(np.float64) * top)
    stored = values.astype("u1" if bits_stored == 8 else "<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = 8 * stored.itemsize
    dataset.BitsStored = bits_stored
    dataset.HighBit = bits_stored - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter = 2 ** (bits_stored - 1)  # with this width LINEAR maps 0 to 0 and top to 1 exactly
    dataset.WindowWidth = 2**bits_stored
    pixels = stored.tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB" if bits_stored == 8 else "OW"
