"""Recognise a folder whose files are not as they were written: a list in it has their sizes and checksums."""

from __future__ import annotations

import zlib
from pathlib import Path

from vqgan.json_text import from_json, to_json

FILE = "files.json"  # name -> [bytes, CRC-32]
BLOCK = 1 << 22  # bytes


def write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {str(path.relative_to(folder)): [path.stat().st_size, _checksum(path)] for path in files}
    (folder / FILE).write_text(to_json(listed, indent=2) + "\n", encoding="utf-8")


def find_damage(folder: Path) -> str:
    """Say what is wrong with the first file that is not as it was written; "" where none is, and where there
    is no list, as in checkpoints of before it was kept.
    """
    if not (folder / FILE).exists():
        return ""
    try:
        listed = from_json((folder / FILE).read_text(encoding="utf-8"))
        expected = {name: (int(size), int(checksum)) for name, (size, checksum) in listed.items()}
    except (ValueError, TypeError, AttributeError, OSError):
        return f"{FILE}, which is no list of files"
    for name, (size, checksum) in expected.items():
        path = folder / name
        if not path.is_file():
            return f"no {name}"
        if path.stat().st_size != size:
            return f"{path.stat().st_size} of {size} bytes of {name}"
        if _checksum(path) != checksum:
            return f"another checksum of {name}"
    return ""


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum
