"""Open DICOM files, their bytes or pydicom datasets. No error text holds a patient's data.

DICOM is known by its content: with the preamble that the standard demands, or without, as archives of old
write it, beginning at once with an element.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings as python_warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from struct import unpack_from
from typing import TYPE_CHECKING, BinaryIO

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.layout import EXPECTED

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset

SUFFIXES = (".dcm", ".dicom", ".dic")
MOST_BYTES = 2**28  # of a file, and of what a deflated one unpacks to: 64 megapixels of 16 bits have 2**27
MOST_HEADER = 2**24  # bytes before the pixels: makers' own elements take up to some MB
MOST_READS = 100_000  # some three for each element; a radiograph has hundreds
CHARACTER_SET, LONGEST_CHARACTER_SET = 0x00080005, 1024  # tag, and bytes: each name in it is looked up
FIRST_PIXELS, PIXELS = 0x7FE00008, 0x7FE00010  # tags: of floats, and of whole numbers
START = 4096  # bytes in which the first elements lie
CHUNK = 2**20
META_GROUP = 0x0002
FIRST_GROUPS = (META_GROUP, 0x0004, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028)
LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
DEFLATED = b"1.2.840.10008.1.2.1.99"
EXPLICIT = b"1.2.840.10008.1.2.1\0\0\0"  # as long


def is_dicom(source: Path | bytes) -> bool:
    """Return whether a file or its bytes are DICOM; a file also where its name claims so.

    Raises UserError for a file that may not be read.
    """
    if isinstance(source, bytes):
        return _looks_like_dicom(source[:START])
    if source.suffix.lower() in SUFFIXES:
        return True
    try:
        with source.open("rb") as file:
            return _looks_like_dicom(file.read(START))
    except OSError as error:
        raise _unreadable(source) from error


def is_dataset(source: object) -> bool:
    """Return whether it is a dataset of pydicom, which is imported where there is one."""
    dataset = getattr(sys.modules.get("pydicom"), "Dataset", None)  # another thread may be importing it
    return dataset is not None and isinstance(source, dataset)


def read_dataset(
    source: str | os.PathLike | bytes, name: str | os.PathLike, stop_before_pixels: bool = False
) -> DicomDataset:
    """Read a file or its bytes, also without preamble, to the end or to its pixels.

    Raises UserError, with `name`, for no file, one that is too large or damaged, and one that is not DICOM.
    """
    _import_pydicom()
    try:
        with BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size > MOST_BYTES:
                raise _too_large(name, f"one of {size // 10**6} MB")
            file.seek(0)
            start = file.read(START)
            is_bare = start[128:132] != b"DICM"
            file = _inflate(name, file, start)
            dataset = _read_header(name, file, is_bare)
            if not stop_before_pixels:
                dataset = _read_until(file, PIXELS + 1, is_bare)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{name}: {EXPECTED}, found no such file; check the path") from error
    except PermissionError as error:
        raise _unreadable(name) from error
    except Exception as error:  # pydicom answers damaged bytes with any kind of error
        raise (_not_dicom(name) if is_bare else damaged(name)) from error
    if is_bare and not ("SOPClassUID" in dataset or "Rows" in dataset):
        raise _not_dicom(name)
    return dataset


def _read_header(name: str | os.PathLike, file: BinaryIO, is_bare: bool) -> DicomDataset:
    """Read all before the pixels. A few bytes can tell of many elements, each of which takes a kilobyte."""
    reader = _HeaderReader(file)
    try:
        dataset = _read_until(reader, FIRST_PIXELS, is_bare)
    except Exception:
        if not reader.is_exhausted:
            raise
    if reader.is_exhausted:
        raise UserError(
            f"{name}: {EXPECTED} with a header of at most {MOST_HEADER // 10**6} MB, found a longer one or "
            "one of too many elements; export it again"
        )
    return dataset


def _read_until(file: BinaryIO, last: int, is_bare: bool) -> DicomDataset:
    """Read a file from its beginning up to the tag `last`."""
    from pydicom.filereader import read_partial

    def stop(tag: int, representation: str | None, length: int) -> bool:
        if tag == CHARACTER_SET and length > LONGEST_CHARACTER_SET:
            raise ValueError("no character set has so long a name")
        return tag >= last

    file.seek(0)
    return read_partial(file, stop_when=stop, force=is_bare)


class _HeaderReader:
    """Reads a file until it has read more than MOST_HEADER bytes or MOST_READS times: then it ends."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.size = file.seek(0, os.SEEK_END)
        self.num_bytes = self.num_reads = 0
        self.seek, self.tell = file.seek, file.tell

    @property
    def is_exhausted(self) -> bool:
        return self.num_bytes > MOST_HEADER or self.num_reads > MOST_READS

    def read(self, size: int = -1) -> bytes:
        left = self.size - self.file.tell()
        self.num_reads += 1
        self.num_bytes += left if size < 0 else min(size, left)
        return b"" if self.is_exhausted else self.file.read(size)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's warnings and log lines, which quote a file's values, off screen and log."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def damaged(name: str | os.PathLike) -> UserError:
    return UserError(f"{name}: {EXPECTED}, found a file cut short or damaged; copy or export it again")


def _unreadable(name: str | os.PathLike) -> UserError:
    return UserError(f"{name}: {EXPECTED}, found a file that may not be read; change its permissions")


def _not_dicom(name: str | os.PathLike) -> UserError:
    return UserError(f"{name}: {EXPECTED}, found a file that is not DICOM; give it the ending of what it is")


def _too_large(name: str | os.PathLike, found: str) -> UserError:
    return UserError(
        f"{name}: {EXPECTED} of at most {MOST_BYTES // 10**6} MB, found {found}; export one picture alone"
    )


def _import_pydicom():
    try:
        import pydicom
    except ImportError as error:
        raise UserError("reading DICOM needs pydicom: pip install 'llmcxr[dicom]'") from error
    return pydicom


def _looks_like_dicom(start: bytes) -> bool:
    return start[128:132] == b"DICM" or any(_starts_with_elements(start, order) for order in "<>")


def _starts_with_elements(start: bytes, order: str) -> bool:
    """Return whether two elements follow each other as in a dataset: tags rise, each where the last ends."""
    first = _read_tag(start, order, 0)
    if first is None or first[0] not in FIRST_GROUPS:
        return False
    second = _read_tag(start, order, first[2])
    return second is not None and first[:2] < second[:2] and second[0] <= FIRST_GROUPS[-1]


def _read_tag(start: bytes, order: str, place: int) -> tuple[int, int, int] | None:
    """Read an element's group and number and where it ends; None where none lies wholly in `start`."""
    if place + 12 > len(start):
        return None
    group, number = unpack_from(f"{order}HH", start, place)
    representation = start[place + 4 : place + 6]
    if representation in LONG:
        length = 12 + unpack_from(f"{order}I", start, place + 8)[0]
    elif representation.isalpha() and representation.isupper():  # explicit: two letters
        length = 8 + unpack_from(f"{order}H", start, place + 6)[0]
    else:
        length = 8 + unpack_from(f"{order}I", start, place + 4)[0]
    return (group, number, place + length) if place + length <= len(start) else None


def _inflate(name: str | os.PathLike, file: BinaryIO, start: bytes) -> BinaryIO:
    """Return the file from its beginning, unpacked where it is deflated (PS3.5 A.5), up to a limit."""
    place = 132 if start[128:132] == b"DICM" else 0
    while (tag := _read_tag(start, "<", place)) is not None and tag[0] == META_GROUP:
        place = tag[2]
    file.seek(0)
    if DEFLATED not in start[:place]:
        return file
    file.seek(place)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    parts = [start[:place].replace(DEFLATED, EXPLICIT)]
    waiting, size = file.read(CHUNK), 0
    while waiting and not inflater.eof:
        parts.append(inflater.decompress(waiting, CHUNK))
        size += len(parts[-1])
        if size > MOST_BYTES:
            raise _too_large(name, "one that unpacks to more")
        waiting = inflater.unconsumed_tail or file.read(CHUNK)
    if not inflater.eof:
        raise damaged(name)
    return BytesIO(b"".join(parts))
