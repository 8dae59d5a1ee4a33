"""Read how the values of a DICOM radiograph lie in its pixel data (PS3.3 C.7.6.3). Decodes nothing.

Elements that say so are missing or wrong in many real files. What follows from the rest is taken from there
and said in a warning; what does not is an error that names the element.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.elements import get_code, get_count

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

EXPECTED = "expected a DICOM radiograph"
MOST_PIXELS = 2**26  # 8192 x 8192; the largest scans of film have 61 million
FLOAT_BITS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
KEYWORDS = ("PixelData", *FLOAT_BITS)
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
RETIRED = ("HSV", "ARGB", "CMYK", "YBRPARTIAL420", "YBRPARTIAL422")
# By their letters alone: some files write them in small letters or with other gaps.
PHOTOMETRICS = {
    "".join(filter(str.isalnum, name)): name
    for name in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", *COLOURS)
}


@dataclass(frozen=True)
class Layout:
    """Describes the values of one frame by the words of the standard."""

    keyword: str  # one of KEYWORDS
    rows: int
    columns: int
    samples: int  # 1, or 3 in colour
    photometric: str  # one of PHOTOMETRICS' values
    bits_allocated: int  # 1, or whole bytes
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_planar: bool

    @property
    def num_bytes(self) -> int:
        """Return the bytes of the frame where it is not compressed."""
        values = self.rows * self.columns * self.samples
        if self.photometric == "YBR_FULL_422":
            values = values // 3 * 2
        return (values * self.bits_allocated + 7) // 8


def read_layout(
    name: str | os.PathLike, dataset: DicomDataset, num_bytes: int | None
) -> tuple[Layout, list[str]]:
    """Read the layout of a dataset of one frame, and warnings of what the file leaves out.

    `num_bytes` is the length of uncompressed pixel data, None where it is compressed. Raises UserError for no
    pixels, several frames, too many pixels, and elements without which pixels cannot be read.
    """
    rows, columns = _read_size(name, dataset)
    keyword = find_keyword(dataset)
    warnings: list[str] = []
    samples, photometric = _read_photometric(name, dataset, warnings)
    values = rows * columns * samples
    bytes_each = None if num_bytes is None else num_bytes / values
    if keyword in FLOAT_BITS:
        allocated = stored = FLOAT_BITS[keyword]
    else:
        allocated, stored = _read_bits(name, dataset, bytes_each, warnings)
    high_bit = get_count(dataset, "HighBit")
    representation = get_count(dataset, "PixelRepresentation")
    if representation not in (0, 1) and keyword not in FLOAT_BITS:
        warnings.append("no pixel representation in the file: read as unsigned")
    layout = Layout(
        keyword,
        rows,
        columns,
        samples,
        photometric,
        allocated,
        stored,
        high_bit if high_bit is not None and stored <= high_bit < allocated else stored - 1,
        representation == 1,
        get_count(dataset, "PlanarConfiguration") == 1,
    )
    return layout, warnings


def find_keyword(dataset: DicomDataset) -> str:
    """Find which element holds the pixels; empty where none does, or none that can be parsed."""
    try:
        return next((keyword for keyword in KEYWORDS if dataset.get(keyword)), "")
    except Exception:  # of a damaged element, with any kind of error
        return ""


def _read_size(name: str | os.PathLike, dataset: DicomDataset) -> tuple[int, int]:
    if not find_keyword(dataset):
        raise UserError(f"{name}: {EXPECTED}, found DICOM without pixels; choose the file with the image")
    frames = get_count(dataset, "NumberOfFrames") or 1
    if frames > 1:
        raise UserError(f"{name}: {EXPECTED} of one frame, found {frames}; export one frame alone")
    sizes = {keyword: get_count(dataset, keyword) for keyword in ("Rows", "Columns")}
    missing = [keyword for keyword, size in sizes.items() if not size]
    if missing:
        raise UserError(
            f"{name}: {EXPECTED} that says its size, found none in {' and '.join(missing)}; export it again"
        )
    rows, columns = sizes["Rows"], sizes["Columns"]
    check_size(name, rows, columns)
    return rows, columns


def check_size(name: str | os.PathLike, rows: int, columns: int) -> None:
    """Refuse a picture of more pixels than a radiograph has, before it is decoded."""
    if rows * columns > MOST_PIXELS:
        raise UserError(
            f"{name}: {EXPECTED} of at most {MOST_PIXELS // 10**6} megapixels, found {rows} x {columns}; "
            "shrink it first"
        )


def _read_photometric(name: str | os.PathLike, dataset: DicomDataset, warnings: list[str]) -> tuple[int, str]:
    """Read samples per pixel and the photometric interpretation, each from the other where it is missing."""
    said = "".join(filter(str.isalnum, get_code(dataset, "PhotometricInterpretation")))
    if said in RETIRED:
        raise UserError(f"{name}: {EXPECTED} in grey or RGB, found {said}; export it in grey")
    photometric = PHOTOMETRICS.get(said)
    samples = get_count(dataset, "SamplesPerPixel")
    if samples is None:
        samples = 3 if photometric in COLOURS else 1
        warnings.append(f"no samples per pixel in the file: read as {samples}")
    if samples not in (1, 3):
        raise UserError(f"{name}: {EXPECTED} of 1 or 3 samples per pixel, found {samples}; export it in grey")
    if photometric is None or (photometric in COLOURS) != (samples == 3):
        photometric = "RGB" if samples == 3 else "MONOCHROME2"
        found = "an unusable" if said else "no"
        warnings.append(f"{found} photometric interpretation in the file: read as {photometric}")
    return samples, photometric


def _read_bits(
    name: str | os.PathLike, dataset: DicomDataset, bytes_each: float | None, warnings: list[str]
) -> tuple[int, int]:
    """Read bits allocated and stored; `bytes_each` is the length of uncompressed data by value."""
    allocated, stored = get_count(dataset, "BitsAllocated"), get_count(dataset, "BitsStored") or 0
    if allocated == 1:
        return 1, 1
    if allocated not in (8, 16, 32, 64) or stored > allocated:
        allocated = _infer_allocated(name, allocated, stored, bytes_each)
        warnings.append(f"no usable number of bits allocated in the file: read as {allocated}")
    if not 1 <= stored <= allocated:
        stored = allocated
        warnings.append(f"no usable number of bits stored in the file: read as {stored}")
    return allocated, stored


def _infer_allocated(
    name: str | os.PathLike, allocated: int | None, stored: int, bytes_each: float | None
) -> int:
    """Infer bits allocated from the length of the data, else from the bits stored, else the usual 16."""
    if bytes_each is None:
        return next(bits for bits in (8, 16, 32, 64) if bits >= min(stored or 16, 64))
    fitting = [bits for bits in (8, 16, 32, 64) if bits <= 8 * bytes_each]
    if not fitting or (allocated or 0) > fitting[-1]:
        raise UserError(
            f"{name}: {EXPECTED} of 1, 8, 16 or 32 bits allocated, found {allocated or 'none'}; "
            "export it again"
        )
    return next((bits for bits in fitting if stored <= bits and bits >= (allocated or 0)), fitting[-1])
