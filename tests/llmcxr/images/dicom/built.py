"""Build DICOM datasets and files for tests, element by element."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

SIDE = 20  # pixels; the smallest picture that is read has 16


def describe(**elements: object) -> Dataset:
    """Make a dataset of these elements alone, by keyword."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def build(values: np.ndarray, **elements: object) -> Dataset:
    """Build a dataset with pixels (H, W) or (H, W, 3) of 8 or 16 bits; an element that is None is left out.

    By default MONOCHROME2, all bits stored, no window.
    """
    values = np.asarray(values)
    bits = 8 * values.dtype.itemsize
    samples = values.shape[2] if values.ndim == 3 else 1
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    described = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "SOPInstanceUID": generate_uid(entropy_srcs=["test"]),
        "Modality": "DX",
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2",
        "PlanarConfiguration": 0 if samples == 3 else None,
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": None,
        "PixelRepresentation": int(np.issubdtype(values.dtype, np.signedinteger)),
        "PixelData": values.astype(values.dtype.newbyteorder("<")).tobytes(),
        **elements,
    }
    if described["HighBit"] is None and described["BitsStored"] and "HighBit" not in elements:
        described["HighBit"] = described["BitsStored"] - 1
    for keyword, value in described.items():
        if value is not None:
            setattr(dataset, keyword, value)
    if "PixelData" in dataset:
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    return dataset


def build_lut(entries: list[int] | bytes, bits: int, first: int = 0, length: int | None = None) -> Dataset:
    """Build a LUT's item from entries, as words (US) or as bytes (OW); `length` is what the file says."""
    item = Dataset()
    length = len(entries) if length is None else length
    item.add_new("LUTDescriptor", "US", [length % 2**16, first % 2**16, bits])
    item.add_new("LUTData", "OW" if isinstance(entries, bytes) else "US", entries)
    return item


def write(path: Path, dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write it as a DICOM file in a native transfer syntax. Byte order of pixels is up to the caller."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def fill(values: list[float] | np.ndarray, dtype: type = np.uint16) -> np.ndarray:
    """Fill a picture (SIDE, SIDE) with these values in turn; `fill(...)[0, :len(values)]` are they."""
    return np.resize(np.asarray(values, dtype=dtype), (SIDE, SIDE))
