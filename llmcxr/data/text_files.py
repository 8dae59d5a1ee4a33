"""Read other people's text files line by line, within limits of memory. Knows no format of theirs.

A file may be gzipped, whatever its name, and is UTF-8 or, where it begins with that mark, UTF-16, as
spreadsheets write. Messages tell lines, never what stands in them.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from llmcxr.common.errors import UserError

LONGEST_LINE = 2**22  # characters: a table's row or a JSON object beyond is none that somebody wrote
MOST_MEMORY = 2**29  # bytes that a file's rows may take, by estimate: those of the largest archive take half
ROW_MEMORY = 400  # bytes of a row besides its text, by estimate
GZIP_MARK = b"\x1f\x8b"
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SPREADSHEET_MARKS = {b"PK\x03\x04": "a spreadsheet (.xlsx) or zip file", b"\xd0\xcf\x11\xe0": "an .xls file"}


def read_lines(path: Path, what: str) -> Iterator[str]:
    """Give the lines of a file with their ends. `what` says in messages what the file should be.

    Raises UserError for a file that is missing, damaged, not text or another kind of file, and for a line
    that is longer than LONGEST_LINE; where it can, it names the line.
    """
    with _telling_damage(path, what), path.open("rb") as file, _unpack(file, path) as data:
        yield from _decode(data, path, what)


def check_memory(memory: int, path: Path, place: str) -> None:
    """Raise UserError where the rows up to the one at `place` take more than MOST_MEMORY bytes."""
    if memory > MOST_MEMORY:
        raise UserError(
            f"{path}: expected rows that take at most {MOST_MEMORY // 2**20} MB of memory, "
            f"found more at {place}; split the file"
        )


def _decode(data: BinaryIO, path: Path, what: str) -> Iterator[str]:
    head = data.peek(4)[:4]
    if head in SPREADSHEET_MARKS:
        raise UserError(f"{path}: expected {what}, found {SPREADSHEET_MARKS[head]}; save or unpack it as CSV")
    # a byte that is no UTF-8 becomes a lone surrogate, by which its line is known
    encoding, errors = ("utf-16", "strict") if head[:2] in UTF16_MARKS else ("utf-8-sig", "surrogateescape")
    text = io.TextIOWrapper(data, encoding, errors, newline="")
    number = 0
    while line := text.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise UserError(
                f"{path}: expected lines of at most {LONGEST_LINE:,} characters, found a longer one in line "
                f"{number}; correct it"
            )
        if "\0" in line:
            raise UserError(
                f"{path}: expected {what}, found a NUL byte in line {number}; save it as text in UTF-8"
            )
        if not _is_unicode(line):
            raise UserError(
                f"{path}: expected {what} in UTF-8, found bytes in line {number} that are none; "
                "save it in UTF-8"
            )
        yield line


def _is_unicode(line: str) -> bool:
    if line.isascii():
        return True
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _unpack(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Give what a file holds, unpacked piece by piece where it is gzipped."""
    is_packed = file.peek(2)[:2] == GZIP_MARK
    if path.suffix.lower() == ".gz" and not is_packed:
        raise UserError(
            f"{path}: expected a gzipped file, found one whose beginning is damaged or not packed; "
            "download it again, or rename it without .gz"
        )
    if not is_packed:
        yield file
        return
    with gzip.GzipFile(fileobj=file) as unpacked:
        yield unpacked


@contextmanager
def _telling_damage(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"{path}: expected {what}, found a gzipped file that is damaged or cut short; download it again"
        ) from error
    except UnicodeDecodeError:
        raise UserError(
            f"{path}: expected {what} in UTF-8, found another kind of file; save it in UTF-8"
        ) from None
    except OSError as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else "none that can be read"
        reason = "" if isinstance(error, FileNotFoundError) else f" ({type(error).__name__})"
        raise UserError(f"{path}: expected {what}, found {found}{reason}; check the path") from error
