"""Read files out of a tar archive, gzipped or not, without unpacking it. Knows no format of what it holds.

What an archive says of its sizes decides how much is read, so that a small one that grows large is refused
while little of it is in memory.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from llmcxr.common.errors import UserError
from llmcxr.data.text_files import GZIP_MARK

MOST_MEMBERS = 20_000  # files, folders and links
MOST_UNPACKED = 2**30  # bytes of the whole archive
MOST_READ = 2**24  # bytes at once, by which an archive's own records are bounded


def read_members(path: Path, suffix: str, largest: int, what: str) -> Iterator[tuple[str, bytes | None]]:
    """Give the name and content of every file that ends in `suffix`, in the archive's order.

    The content is None for a file of more than `largest` bytes. `what` says in messages what the archive
    should be. Raises UserError for one that is damaged or too large.
    """
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == GZIP_MARK
            with gzip.GzipFile(fileobj=file) if packed else file as data:
                yield from _read_members(_Bounded(data, path, what), suffix, largest)
    except UserError:
        raise
    # tarfile answers damage also by ValueError (of a number) and RecursionError (records about records)
    except (
        tarfile.TarError,
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise UserError(
            f"{path}: expected {what}, found one that is damaged or cut short; download it again"
        ) from error


def _read_members(data: _Bounded, suffix: str, largest: int) -> Iterator[tuple[str, bytes | None]]:
    with tarfile.open(fileobj=data, mode="r:") as archive:
        for number, member in enumerate(archive, 1):
            if member.size < 0 or member.offset_data < 0:
                raise tarfile.ReadError("a negative size")  # which tarfile would follow for ever
            if number > MOST_MEMBERS:
                data.refuse(f"at most {MOST_MEMBERS:,} files in it")
            if member.isreg() and member.name.endswith(suffix):
                content = archive.extractfile(member).read() if member.size <= largest else None
                yield Path(member.name).name, content
        data.check_end(archive.offset)


class _Bounded:
    """Gives the bytes of an archive as a file does, up to some at once and some in all."""

    def __init__(self, data: BinaryIO, path: Path, what: str) -> None:
        self._data, self._path, self._what = data, path, what

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_READ:
            self.refuse(f"records of at most {MOST_READ:,} bytes")
        return self._data.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        if place > MOST_UNPACKED:
            self.refuse(f"at most {MOST_UNPACKED:,} bytes in it")
        return self._data.seek(place, whence)

    def tell(self) -> int:
        return self._data.tell()

    def check_end(self, place: int) -> None:
        """Raise ReadError where no empty record ends the archive at `place`: tarfile takes a damaged one for
        the end. What follows is read for the checksum of a gzipped archive.
        """
        self.seek(place)
        if self.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no end")
        while self.read(MOST_READ):
            self.seek(self.tell())  # refused where it is too far

    def refuse(self, limit: str) -> None:
        raise UserError(f"{self._path}: expected {self._what} with {limit}, found more; check what it holds")
