"""Write readings to a file as they come: as text, as JSON lines or as a table, by the ending of its name."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from llmcxr.common.errors import UserError
from llmcxr.common.files import telling_write_failures
from llmcxr.common.guard import Kind, begins_with
from llmcxr.outputs.reading import READINGS, Reading

COLUMNS = ("id", "report", "findings", "impression", "warnings")  # a table that `evaluate file:` takes
TITLE = "== "  # begins the line above each report of a text


KINDS = {
    ".txt": Kind("reports that llmcxr wrote", begins_with(TITLE)),
    ".jsonl": READINGS,
    ".csv": Kind("a table of reports that llmcxr wrote", begins_with(",".join(COLUMNS))),
}


def find_kind(path: Path) -> Kind:
    """Return the kind of file that a name asks for. Raises UserError for another ending."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise UserError(
            f"{path}: expected a name that ends in {', '.join(KINDS)}, found another; choose one of them"
        )
    return kind


@contextmanager
def open_file(path: Path, suffix: str = "") -> Iterator[Callable[[Reading], None]]:
    """Yield a function that adds a reading to the file, which is begun anew: of the kind of `suffix`, or of
    its name's. Raises UserError where the disk is full.
    """
    suffix = suffix or path.suffix.lower()
    with (
        telling_write_failures(path, "free some space or choose another place"),
        path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield _table_writer(file) if suffix == ".csv" else _line_writer(file, suffix)


def to_titled_text(reading: Reading) -> str:
    return f"{TITLE}{reading.radiograph.path}\n{reading.to_text()}\n"


def _line_writer(file: TextIO, suffix: str) -> Callable[[Reading], None]:
    def write(reading: Reading) -> None:
        text = to_titled_text(reading) if suffix == ".txt" else reading.to_json()
        print(text, file=file, flush=True)

    return write


def _table_writer(file: TextIO) -> Callable[[Reading], None]:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)

    def write(reading: Reading) -> None:
        sections = [reading.sections.get(name, "") for name in ("findings", "impression")]
        warnings = "; ".join(reading.warnings)
        rows.writerow([reading.radiograph.path, reading.result.text, *sections, warnings])
        file.flush()

    return write
