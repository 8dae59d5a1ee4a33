"""Read publishers' CSV tables and the words in their cells. Knows no publisher's column names."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.images.dicom.header import VIEWS, parse_age

SPLIT_WORDS = {"train": "train", "test": "test"} | dict.fromkeys(
    ("val", "valid", "validate", "validation", "dev"), "validate"
)


def read_table(path: Path, required: Iterable[str]) -> list[dict[str, str]]:
    """Read the rows of a CSV file (UTF-8, or gzipped as .gz) by column, cells stripped; missing cells are
    empty.

    Raises UserError for a missing or unreadable file, no rows, or a missing column, naming those found.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            columns = [column.strip() for column in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [{key: value.strip() for key, value in row.items() if key} for row in reader]
    except OSError as error:
        raise UserError(
            f"{path}: expected a CSV table, found none that can be read; check the path"
        ) from error
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise UserError(f"{path}: expected a CSV table in UTF-8, found another kind of file") from error
    missing = [column for column in required if column not in columns]
    if missing:
        found = ", ".join(columns) or "none"
        raise UserError(f"{path}: expected the column {', '.join(missing)}, found {found}; add or rename it")
    if not rows:
        raise UserError(f"{path}: expected at least one row under the header, found none")
    return rows


def parse_split(word: str, source: Path, row: int) -> str:
    """Parse a publisher's split -> train, validate or test. `row` counts from 1 below the header."""
    if word.lower() not in SPLIT_WORDS:
        known = ", ".join(SPLIT_WORDS)
        raise UserError(f"{source}: expected a split ({known}) in row {row}, found {word!r}; correct it")
    return SPLIT_WORDS[word.lower()]


def parse_view(word: str) -> str:
    """Parse a view position as publishers write it -> PA, AP, lateral or unknown."""
    return VIEWS.get(word.strip().upper(), "unknown")


def parse_sex(word: str) -> str | None:
    return {"F": "F", "M": "M"}.get(word.strip().upper()[:1])


def parse_years(word: str) -> float | None:
    """Parse an age in years (`58`, `58.0`, `058Y`, `006M`); None for an empty or impossible one."""
    return parse_age(re.sub(r"\.\d*$", "", word.strip()))


def find_files(folders: Iterable[Path], suffixes: Iterable[str]) -> dict[str, Path]:
    """Find files directly in some folders by name without suffix; the first folder that holds a name wins."""
    suffixes = tuple(suffixes)
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in suffixes:
                found.setdefault(path.stem, path)
    return found
