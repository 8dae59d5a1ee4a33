"""Decode the pixels of a DICOM dataset to stored values. Limits are kept before anything is unpacked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.elements import get_number, get_text
from llmcxr.images.dicom.layout import EXPECTED, Layout, check_size, find_keyword, read_layout
from llmcxr.images.dicom.opening import damaged
from llmcxr.images.dicom.streams import ITEM, is_encapsulated, read_stream_header

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset
    from pydicom.uid import UID

PREFERRED_PLUGINS = ("pylibjpeg", "pillow", "pydicom")
DECODERS = ("gdcm", "pylibjpeg", "openjpeg")  # of the extra "dicom"
PADDING = {  # pixel data: padding value and the other end of its range
    "PixelData": ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    "FloatPixelData": ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    "DoubleFloatPixelData": ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
}
LOSSY_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")  # 8 bits, and 8 or 12
LOSSLESS_JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
BIT_EXACT = ("1.2.840.10008.1.2.5", *LOSSLESS_JPEG, "1.2.840.10008.1.2.4.80")  # with RLE and JPEG-LS
NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"


@dataclass(frozen=True)
class DecodedPixels:
    """Holds a frame's values, their layout, where its padding lies, and warnings."""

    values: np.ndarray  # (H, W), or (H, W, 3) in colour: whole numbers of `layout.bits_stored`, or floats
    layout: Layout
    is_padding: np.ndarray | None  # (H, W) bool: no part of the radiograph; None where there is none
    warnings: tuple[str, ...] = ()


def decode(name: str | os.PathLike, dataset: DicomDataset) -> DecodedPixels:
    """Decode a dataset of one frame. Raises UserError, with `name`, for what cannot be decoded."""
    data = _get_data(dataset)
    syntax, mistaken = _find_syntax(name, dataset, data)
    layout, warnings = read_layout(name, dataset, None if syntax.is_encapsulated else len(data))
    if not syntax.is_encapsulated and len(data) < layout.num_bytes:
        raise UserError(
            f"{name}: {EXPECTED}, found a file cut short or damaged, {len(data)} bytes of pixels where its "
            f"size and bits need {layout.num_bytes}; copy or export it again"
        )
    stored, layout = _decode_frame(name, data, dataset[layout.keyword].VR, syntax, layout)
    values = extract_bits(stored, layout) if _keeps_bits(syntax, layout) else stored
    return DecodedPixels(
        values, layout, find_padding(stored, values, layout, dataset), (*mistaken, *warnings)
    )


def extract_bits(stored: np.ndarray, layout: Layout) -> np.ndarray:
    """Take the bits that count from stored whole numbers: shifted down by the high bit, the rest cleared.

    Other bits, of an overlay or of nothing, may hold anything (PS3.5 8.1.1).
    """
    if not np.issubdtype(stored.dtype, np.integer) or layout.bits_stored in (1, 8 * stored.dtype.itemsize):
        return stored
    top = 8 * stored.dtype.itemsize - 1 - layout.high_bit
    return (stored << top) >> (8 * stored.dtype.itemsize - layout.bits_stored)  # a signed type keeps its sign


def find_padding(
    stored: np.ndarray, values: np.ndarray, layout: Layout, dataset: DicomDataset
) -> np.ndarray | None:
    """Find the pixels that are no part of the radiograph, (H, W) bool; None where there are none.

    They hold the padding value, or one from it to the range's limit, whichever is larger. A value of more
    bits than are stored is sought among the values as stored.
    """
    value, limit = (get_number(dataset, keyword) for keyword in PADDING[layout.keyword])
    if value is None or values.ndim != 2:
        return None
    ends = [_wrap(end, layout) for end in (value, value if limit is None else limit)]
    if np.issubdtype(values.dtype, np.integer):
        top = 2 ** (layout.bits_stored - layout.is_signed)
        if max(ends) >= top or min(ends) < (-top if layout.is_signed else 0):
            values = stored
    is_padding = (values >= min(ends)) & (values <= max(ends))
    return is_padding if is_padding.any() and not is_padding.all() else None


def _wrap(value: float, layout: Layout) -> float:
    """Return what a value's bits mean as a pixel, where the header gives the sign that pixels have not."""
    if layout.keyword != "PixelData":
        return value
    size = 2**layout.bits_allocated
    if layout.is_signed and value >= size // 2:
        return value - size
    return value + size if not layout.is_signed and value < 0 else value


def _get_data(dataset: DicomDataset) -> bytes:
    keyword = find_keyword(dataset)
    value = dataset[keyword].value if keyword else b""
    return value if isinstance(value, bytes | bytearray) else value.read()


def _decode_frame(
    name: str | os.PathLike, data: bytes, representation: str, syntax: UID, layout: Layout
) -> tuple[np.ndarray, Layout]:
    """Return the frame's values as the decoder gives them, and their layout: the photometric interpretation
    is then that of the values, and the bits of colours are those of the compressed stream.
    """
    from pydicom.pixels import get_decoder

    options = {
        "pixel_keyword": layout.keyword,
        "pixel_vr": representation,
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.is_signed),
        "planar_configuration": int(layout.is_planar and not syntax.is_encapsulated),
        "number_of_frames": 1,
    }
    if _keeps_bits(syntax, layout):
        options["correct_unused_bits"] = False  # `extract_bits` does, by the high bit
    if not syntax.is_encapsulated:
        options["view_only"] = True  # no copy
    decoder, plugin = syntax, ""
    try:
        if syntax.is_encapsulated:
            stream = read_stream_header(data)
            if layout.samples == 3 and stream.bits:
                layout = replace(layout, bits_stored=stream.bits)
            check_size(name, stream.rows, stream.columns * stream.components)
            if syntax in LOSSY_JPEG and stream.bits:
                allocated = 8 if stream.bits <= 8 else 16
                options |= {"bits_stored": stream.bits, "bits_allocated": allocated}
            if syntax in LOSSLESS_JPEG and stream.bits > layout.bits_stored:
                options["bits_stored"] = stream.bits  # GDCM clears the others, by a high bit of its own
            decoder, plugin = _choose_decoder(syntax, stream.bits)
        with _without_gdcm_lines(plugin):
            stored, found = get_decoder(decoder).as_array(
                data, index=0, raw=True, decoding_plugin=plugin, **options
            )
    except UserError:
        raise
    except Exception as error:  # every plugin answers bad bytes with errors of its own
        if not syntax.is_encapsulated:
            raise damaged(name) from error
        lacking = [module for module in DECODERS if find_spec(module) is None]
        advice = "pip install 'llmcxr[dicom]' for more, or export it" if lacking else "export it again,"
        raise UserError(
            f"{name}: {EXPECTED} that can be decoded, found {syntax.name} that is damaged or that no "
            f"installed decoder reads; {advice} uncompressed"
        ) from error
    return stored, replace(layout, photometric=str(found["photometric_interpretation"]))


def _choose_decoder(syntax: UID, bits: int) -> tuple[UID, str]:
    """Choose the syntax whose decoder decodes, and its plugin, empty for pydicom's choice.

    GDCM aborts on some damaged files: only where it is alone. It decodes JPEG of 12 bits, for which pydicom
    does not ask it under that syntax's name.
    """
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEGLossless

    if syntax in LOSSY_JPEG and bits > 8 and find_spec("gdcm"):
        return JPEGLossless, "gdcm"
    try:
        plugins = get_decoder(syntax).available_plugins
    except NotImplementedError:  # decoding says so
        return syntax, ""
    return syntax, next((plugin for plugin in PREFERRED_PLUGINS if plugin in plugins), "")


@contextmanager
def _without_gdcm_lines(plugin: str) -> Iterator[None]:
    """Keep off the screen what GDCM's C code prints on streams that it decodes all the same."""
    if plugin != "gdcm":
        yield
        return
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _keeps_bits(syntax: UID, layout: Layout) -> bool:
    """Return whether the decoder gives words as they were stored, unused bits too; lossy ones overshoot.

    JPEG-LS knows no signs: they are those of the words.
    """
    if syntax == NEAR_LOSSLESS:
        return layout.is_signed or layout.high_bit >= layout.bits_stored
    return not syntax.is_encapsulated or syntax in BIT_EXACT


def _find_syntax(name: str | os.PathLike, dataset: DicomDataset, data: bytes) -> tuple[UID, list[str]]:
    """Find the transfer syntax: as declared, unless the data's own bytes show that they are compressed or
    that they are not; then a warning says so.
    """
    from pydicom.uid import UID, ExplicitVRLittleEndian

    declared = _find_declared_syntax(dataset)
    is_known = declared.is_transfer_syntax
    if is_known and declared.is_encapsulated and data[:4] != ITEM:
        return ExplicitVRLittleEndian, [f"declared as {declared.name}, found uncompressed: read as it is"]
    if not (is_known and declared.is_encapsulated) and is_encapsulated(data):
        found = UID(read_stream_header(data).syntax)
        said = declared.name if is_known else "an unknown transfer syntax"
        return found, [f"declared as {said}, found {found.name}: read as it is"]
    if not is_known:
        raise UserError(
            f"{name}: {EXPECTED} in a transfer syntax of the standard, found an unknown one; "
            "export it again as Explicit VR Little Endian"
        )
    return declared, []


def _find_declared_syntax(dataset: DicomDataset) -> UID:
    """Find the declared transfer syntax, else the one that the file's encoding shows, else the usual one."""
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    declared = get_text(getattr(dataset, "file_meta", None) or {}, "TransferSyntaxUID")
    if declared:
        return UID(declared)
    is_implicit, is_little = dataset.original_encoding
    if is_implicit is None:  # made in memory
        return ExplicitVRLittleEndian
    explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
    return ImplicitVRLittleEndian if is_implicit else explicit
