"""Compare how DICOM radiographs are shown with DCMTK's `dcm2pnm`, an independent reader, in 16 bits of grey.

    python -m benchmarks.dicom_display                   # 200 made files, by seed
    python -m benchmarks.dicom_display --files DIR       # real ones instead
    python -m benchmarks.dicom_display --keep DIR        # leave there the made files that differ

Needs `dcm2pnm`, `dcmj2pnm` and `dcml2pnm` (Debian: dcmtk). Files are equal where no pixel differs by more
than the rounding of both. A kind that is known to differ is allowed so much as its reason explains; a larger
difference ends with exit code 1. Padding, which we show black, is compared nowhere.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    RLELossless,
)

from llmcxr.images.dicom.display import STRETCH
from llmcxr.images.dicom.opening import quiet
from llmcxr.images.dicom.pixels import decode
from llmcxr.images.dicom.reading import read

NUM_FILES, SEED = 200, 0
SIDE = 48  # pixels
FULL = 65535
ROUNDING = 1.1 / FULL  # they cut, we keep
READERS = dict.fromkeys(("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"), "dcml2pnm") | dict.fromkeys(
    (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70)), "dcmj2pnm"
)
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless)
UNUSED = "1.2.3"  # an object's UID
# Reasons why dcm2pnm 3.6.7 shows a file otherwise
COLOUR_STEPS = "it makes grey of whole steps of each colour"
UNDECODED = "it does not decode JPEG 2000: given our decoded values"
OVERSHOT = "pixels above the bits stored, by lossy JPEG, left out: it cuts them off and shows the other end"
ALIKE = "it shows all values alike, as the file says; we leave such a window or LUT aside"
TURNED = "it does not follow the patient orientation: compared mirrored"


@dataclass(frozen=True)
class Comparison:
    """Holds a file's kind, the largest difference by pixel (share of the range), and its reason if known."""

    kind: str
    difference: float
    tolerance: float = ROUNDING
    reason: str = ""

    @property
    def is_equal(self) -> bool:
        return self.difference <= ROUNDING

    @property
    def is_explained(self) -> bool:
        return self.difference <= max(self.tolerance, ROUNDING)


def compare(path: Path, kind: str) -> Comparison:
    """Show a file both ways and compare, but for its padding."""
    with quiet():
        dataset = dcmread(path)
        decoded = decode(path, dataset)
    ours, header = read(path)
    with quiet():
        theirs = _show(path, dataset, _choose_window(dataset, decoded.values, decoded.is_padding))
    values, layout = decoded.values, decoded.layout
    reasons, tolerance = [], ROUNDING
    kept = np.ones(values.shape[:2], bool) if decoded.is_padding is None else ~decoded.is_padding
    if _is_jpeg_2000(dataset):
        reasons.append(UNDECODED)
    if layout.samples == 3 or layout.photometric == "PALETTE COLOR":
        reasons.append(COLOUR_STEPS)
        tolerance = 3 / (2**layout.bits_stored - 1)
    elif values.max() >= 2**layout.bits_stored:
        reasons.append(f"{(values >= 2**layout.bits_stored).sum()} {OVERSHOT}")
        kept &= values < 2**layout.bits_stored
    if any("left aside" in warning for warning in header.warnings):
        reasons.append(ALIKE)
        tolerance = 1.0
    if any("mirrored" in warning for warning in header.warnings):
        reasons.append(TURNED)
        ours = ours[:, ::-1]
    return Comparison(kind, float(np.abs(ours - theirs)[kept].max()), tolerance, "; ".join(reasons))


def _show(path: Path, dataset: Dataset, options: list[str]) -> np.ndarray:
    """Run dcm2pnm -> (H, W) of 0 to 1. It shifts fewer bits up to 16 and leaves zeros below: undone."""
    reader = READERS.get(dataset.file_meta.TransferSyntaxUID, "dcm2pnm")
    with tempfile.TemporaryDirectory() as place:
        picture = Path(place) / "a.png"
        if _is_jpeg_2000(dataset):
            dataset.decompress(generate_instance_uid=False)
            path = Path(place) / "a.dcm"
            dcmwrite(path, dataset)
        command = [reader, "--quiet", *options, "-O", "+G", "+on2", str(path), str(picture)]
        subprocess.run(command, check=True, capture_output=True)
        values = np.asarray(Image.open(picture)).astype(np.float64)
    is_inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
    shares = np.atleast_3d(FULL - values if is_inverted else values)[..., 0] / _find_top(dataset)
    return 1 - shares if is_inverted else shares


def _choose_window(dataset: Dataset, values: np.ndarray, is_padding: np.ndarray | None) -> list[str]:
    if dataset.get("VOILUTSequence"):
        return ["+Wl", "1"]
    if "WindowCenter" in dataset:
        return _choose_exact(dataset) or ["+Wi", "1"]
    if _is_plain(dataset):
        return []
    real = values if is_padding is None else values[~is_padding]
    rescaled = real * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    low, high = np.percentile(rescaled, STRETCH, method="inverted_cdf")
    return ["+Ww", str((low + high + 1) / 2), str(high - low + 1)]  # LINEAR from low to high


def _is_jpeg_2000(dataset: Dataset) -> bool:
    return dataset.file_meta.TransferSyntaxUID in JPEG2000TransferSyntaxes


def _is_plain(dataset: Dataset) -> bool:
    """Return whether values are scaled by their bits where there is no window."""
    return dataset.SamplesPerPixel == 3 or (dataset.BitsStored <= 8 and not dataset.PixelRepresentation)


def _choose_exact(dataset: Dataset) -> list[str]:
    """Choose the window in stored values where dcm2pnm would cut rescaled ones to whole ones, or where it
    does not know the function: its LINEAR is (x - (c - 0.5)) / (w - 1) + 0.5. Empty where neither is so.
    """
    slope, intercept = (
        float(dataset.get(f"Rescale{name}", one)) for name, one in (("Slope", 1), ("Intercept", 0))
    )
    is_exact = dataset.get("VOILUTFunction") == "LINEAR_EXACT"
    if not (is_exact or slope % 1 or intercept % 1):
        return []
    centre, width = float(dataset.WindowCenter), float(dataset.WindowWidth)
    if not is_exact:
        centre, width = centre - 0.5, width - 1
    return ["-M", "+Ww", str((centre - intercept) / slope + 0.5), str(width / slope + 1)]


def _find_top(dataset: Dataset) -> int:
    """Return what dcm2pnm shows for white."""
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
    elif "WindowCenter" not in dataset and _is_plain(dataset):
        bits = int(dataset.BitsStored)
    else:
        bits = 16
    return FULL if bits == 16 else 2**16 - 2 ** (16 - bits)


def make(number: int, seed: int = SEED) -> tuple[str, Dataset]:
    """Make the dataset of this number, and name its kind. The same seed gives the same datasets."""
    rng = np.random.default_rng((seed, number))
    kind = KINDS[number % len(KINDS)]
    return kind, _MAKERS[kind](rng)


def _make_grey(rng: np.random.Generator, **elements: object) -> Dataset:
    """Make a dataset of values over all their bits, with rubbish in the bits that are not stored."""
    bits = int(rng.choice([8, 10, 12, 14, 15, 16]))
    allocated = 8 if bits == 8 and rng.random() < 0.5 else 16
    high_bit = int(rng.choice([bits - 1, allocated - 1]))
    is_signed = bool(rng.random() < 0.3)
    values = rng.integers(0, 2**bits, (SIDE, SIDE))
    rubbish = rng.integers(0, 2**allocated, (SIDE, SIDE)) & ~((2**bits - 1) << (high_bit + 1 - bits))
    stored = (values << (high_bit + 1 - bits)) | (rubbish if rng.random() < 0.5 else 0)
    return _build(
        stored.astype(f"<u{allocated // 8}"),
        BitsStored=bits,
        HighBit=high_bit,
        PixelRepresentation=int(is_signed),
        PhotometricInterpretation=str(rng.choice(["MONOCHROME1", "MONOCHROME2"])),
        **elements,
    )


def _build(stored: np.ndarray, **elements: object) -> Dataset:
    dataset = Dataset()
    described = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "SOPInstanceUID": UNUSED,
        "Modality": "DX",
        "SamplesPerPixel": 1,
        "Rows": SIDE,
        "Columns": SIDE,
        "BitsAllocated": 8 * stored.dtype.itemsize,
        "PixelData": stored.tobytes(),
        **elements,
    }
    for keyword, value in described.items():
        setattr(dataset, keyword, value)
    dataset["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    return dataset


def _find_range(dataset: Dataset) -> tuple[float, float]:
    """Return the lowest and highest value after the rescale."""
    bits = dataset.BitsStored
    low = -(2 ** (bits - 1)) if dataset.PixelRepresentation else 0
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    return tuple(sorted((slope * low + intercept, slope * (low + 2**bits - 1) + intercept)))


def _add_window(rng: np.random.Generator, dataset: Dataset, function: str = "") -> Dataset:
    """Add a window within the range of values, or wider."""
    low, high = _find_range(dataset)
    dataset.WindowCenter = round(float(rng.uniform(low, high)), 1)
    dataset.WindowWidth = round(float(rng.uniform(0.05, 1.5)) * (high - low) + 2, 1)
    if function:
        dataset.VOILUTFunction = function
    return dataset


def _add_rescale(rng: np.random.Generator, dataset: Dataset, slopes: list[float]) -> Dataset:
    dataset.RescaleSlope = float(rng.choice(slopes))
    dataset.RescaleIntercept = int(rng.integers(-2000, 2000))
    return dataset


def _make_table(rng: np.random.Generator, dataset: Dataset, bits: int) -> Dataset:
    """Make a rising LUT over part of the values, or beginning before them, of this many bits, all filled."""
    low, high = _find_range(dataset)
    first = int(low) + int(rng.integers(-200, 200)) if low < 0 else int(rng.integers(0, 1 + int(high) // 4))
    length = int(rng.integers(2, min(2**16, 2 + int(high) - min(first, int(high)))) + 1)
    entries = np.sort(rng.integers(0, 2**bits, length))
    entries[0], entries[-1] = 0, 2**bits - 1
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if dataset.PixelRepresentation else "US", [0, 0, 0])
    item["LUTDescriptor"].VR = "US"
    item.LUTDescriptor = [length % 2**16, first % 2**16, bits]
    if bits == 8 and rng.random() < 0.5:  # two entries a word
        item.add_new("LUTData", "OW", entries.astype("u1").tobytes() + b"\0" * (length % 2))
    else:
        item.add_new("LUTData", "US", entries.tolist())
    return item


def _make_voi_lut(rng: np.random.Generator) -> Dataset:
    dataset = _make_grey(rng)
    dataset.VOILUTSequence = [_make_table(rng, dataset, int(rng.choice([8, 10, 12, 16])))]
    return dataset


def _make_modality_lut(rng: np.random.Generator) -> Dataset:
    dataset = _make_grey(rng)
    dataset.ModalityLUTSequence = [_make_table(rng, dataset, bits := int(rng.choice([8, 12, 16])))]
    dataset.ModalityLUTSequence[0].ModalityLUTType = "US"
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (bits - 1), round(float(rng.uniform(0.2, 1.2)) * 2**bits)
    return dataset


def _make_padded(rng: np.random.Generator) -> Dataset:
    dataset = _make_grey(rng)
    low, high = _find_range(dataset)
    value, limit = (int(low), int(low + (high - low) // 8))
    representation = "SS" if dataset.PixelRepresentation else "US"
    dataset.add_new("PixelPaddingValue", representation, value)
    if rng.random() < 0.7:
        dataset.add_new("PixelPaddingRangeLimit", representation, limit)
    return _add_window(rng, dataset) if rng.random() < 0.5 or dataset.BitsStored == 8 else dataset


def _make_colour(rng: np.random.Generator) -> Dataset:
    bits = int(rng.choice([8, 12, 16]))
    values = rng.integers(0, 2**bits, (SIDE, SIDE, 3))
    planar = int(rng.integers(0, 2))
    stored = (values.transpose(2, 0, 1) if planar else values).astype("<u1" if bits == 8 else "<u2")
    return _build(
        stored,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB" if bits > 8 else str(rng.choice(["RGB", "YBR_FULL"])),
        PlanarConfiguration=planar,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )


_MAKERS = {
    "LINEAR": lambda rng: _add_window(rng, _make_grey(rng)),
    "LINEAR after a whole slope": lambda rng: _add_window(
        rng, _add_rescale(rng, _make_grey(rng), [1, 2, 3, -1])
    ),
    "LINEAR after a slope of parts": lambda rng: _add_window(
        rng, _add_rescale(rng, _make_grey(rng), [0.5, 0.37, 1.6])
    ),
    "SIGMOID": lambda rng: _add_window(rng, _make_grey(rng), "SIGMOID"),
    "LINEAR_EXACT": lambda rng: _add_window(rng, _make_grey(rng), "LINEAR_EXACT"),
    "VOI LUT": _make_voi_lut,
    "modality LUT": _make_modality_lut,
    "no window": _make_grey,
    "padding": _make_padded,
    "colour": _make_colour,
}
KINDS = tuple(_MAKERS)


def write(path: Path, dataset: Dataset, syntax: str) -> Path:
    """Write a dataset whose pixels lie as in little endian, in this transfer syntax."""
    meta = dataset.file_meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, UNUSED
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    if syntax == ExplicitVRBigEndian:
        _swap(dataset, "PixelData")
        for item in (*dataset.get("VOILUTSequence", ()), *dataset.get("ModalityLUTSequence", ())):
            _swap(item, "LUTData")
    dcmwrite(path, dataset, enforce_file_format=True)
    if syntax == RLELossless:
        subprocess.run(["dcmcrle", str(path), str(path)], check=True, capture_output=True)
    return path


def _swap(dataset: Dataset, keyword: str) -> None:
    if dataset[keyword].VR == "OW":
        dataset[keyword].value = np.frombuffer(dataset[keyword].value, "<u2").astype(">u2").tobytes()


def compare_made(num_files: int, seed: int = SEED, keep: Path | None = None) -> Iterator[Comparison]:
    """Compare made files, each kind in every transfer syntax in turn."""
    for number in range(num_files):
        kind, dataset = make(number, seed)
        with tempfile.TemporaryDirectory() as place, quiet():
            syntax = SYNTAXES[number // len(KINDS) % len(SYNTAXES)]
            path = write(Path(place) / f"{number:03}.dcm", dataset, syntax)
            compared = compare(path, kind)
            if keep is not None and not compared.is_equal:
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, keep)
        yield compared


def format_table(comparisons: list[Comparison]) -> str:
    """Format a Markdown table: kinds, files, how many are equal, and why the others are not."""
    lines = ["| kind | files | equal | largest difference, of 65535 | why |", "|---|---|---|---|---|"]
    for kind in dict.fromkeys(compared.kind for compared in comparisons):
        same = [compared for compared in comparisons if compared.kind == kind]
        others = [compared for compared in same if not compared.is_equal]
        reasons = dict.fromkeys(
            compared.reason if compared.is_explained else "NOT EXPLAINED"
            for compared in same
            if compared.reason or not compared.is_equal
        )
        largest = max(compared.difference for compared in same) * FULL
        lines.append(
            f"| {kind} | {len(same)} | {len(same) - len(others)} | {largest:.1f} | {'; '.join(reasons)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=Path, metavar="DIR", help="compare the DICOM files of a folder")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave there the made files that differ")
    options = parser.parse_args()
    if shutil.which("dcm2pnm") is None:
        print("skipped: no dcm2pnm; apt-get install dcmtk")
        return
    if options.files is None:
        comparisons = list(compare_made(NUM_FILES, keep=options.keep))
    else:
        comparisons = [compare(path, path.name) for path in sorted(options.files.iterdir())]
    print(format_table(comparisons))
    sys.exit(0 if all(compared.is_explained for compared in comparisons) else 1)


if __name__ == "__main__":
    main()
