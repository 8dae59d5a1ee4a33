"""Read tables as people have them, and the words in their cells. Knows no publisher's column names.

A row whose cells are not one per column is refused: its cells would be read as other columns'. Messages tell
rows and lines, never a cell, which may be a patient's.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.listing import list_first
from llmcxr.common.rejections import Rejections
from llmcxr.data.json_lines import read_json_lines
from llmcxr.data.text_files import LONGEST_LINE, ROW_MEMORY, check_memory, read_lines
from llmcxr.images.dicom.header import parse_age
from llmcxr.records import SPLIT_WORDS

TABLE = "a CSV table"
JSON_SUFFIXES = (".jsonl", ".json", ".ndjson")
SEPARATORS = ",;\t|"
ROWS_SHOWN = 3
SHARED_LENGTH = 32  # characters of cells that are kept once however many rows have them
# Of a first line only these are shown: it may be a patient's row, where the header was forgotten
COLUMN_WORDS = {
    *("image", "text", "patient_id", "study_id", "split", "view_position", "sex", "age"),
    *("question", "answer", "kind", "id", "report"),
    *("findings", "impression", "caption", "path", "file", "image_id", "label"),
}


class Row(Mapping[str, str]):
    """Gives a row's cells by column. `place` tells messages where it stands: "row 3 (line 4)"."""

    __slots__ = ("cells", "columns", "line", "number")

    def __init__(self, columns: Mapping[str, int], cells: Sequence[str], number: int, line: int) -> None:
        self.columns, self.cells = columns, cells  # a column's name -> its cell's index
        self.number, self.line = number, line  # number counts from 1 below the header

    @property
    def place(self) -> str:
        return f"row {self.number} (line {self.line})"

    def __getitem__(self, column: str) -> str:
        return self.cells[self.columns[column]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


Required = Sequence[str | tuple[str, ...]]  # names of columns; of several in brackets one is needed


def read_table(
    path: Path, required: Iterable[str | tuple[str, ...]], rejections: Rejections | None = None
) -> list[Row]:
    """Read the rows of a table whose columns are separated by comma, semicolon, tab or |; cells are stripped.
    A .jsonl or .json file has a row an object, whose keys are the columns. Columns whose names are ours are
    known in any capitals, and with blanks for underscores.

    With `rejections`, rows of more or fewer cells than the header and empty rows are left out and added to
    it. Empty rows at the end are left out in silence.

    Raises UserError for such rows without `rejections`; for a file that cannot be read or has no rows, a
    column that is missing or repeated, a quote that is not closed and a cell that is too long.
    """
    is_json = path.name.lower().removesuffix(".gz").endswith(JSON_SUFFIXES)
    read = _read_json_table if is_json else _read_csv
    rows = read(path, tuple(required), rejections)
    if not rows:
        raise UserError(f"{path}: expected at least one row under the header, found none; add some")
    return rows


def _read_csv(path: Path, required: Required, rejections: Rejections | None) -> list[Row]:
    reader = _Reader(path, required)
    rows: list[Row] = []
    malformed = Rejections()
    waiting: list[Row] = []  # the empty rows before this one
    for row in reader:
        waiting.append(row)
        if not any(row.cells):
            continue
        for each in waiting:
            if fault := reader.find_fault(each):
                malformed.add(each.place, fault)
            else:
                rows.append(each)
        waiting.clear()
    if rejections is not None:
        rejections.entries += malformed.entries
    elif malformed.entries:
        raise UserError(_tell_malformed(malformed.entries))
    return rows


def _read_json_table(path: Path, required: Required, rejections: Rejections | None) -> list[Row]:
    objects = list(read_json_lines(path))
    names = list(dict.fromkeys(name for *_, found in objects for name in found))
    check_memory(8 * len(names) * len(objects), path, f"{len(names)} columns")
    wanted = _list_wanted(required)
    ours = [_name_as_ours(name, wanted) for name in names]
    _check_columns(path, ours, required)
    columns = {name: place for place, name in enumerate(ours)}
    rows = []
    for number, line, found in objects:
        row = Row(columns, [_to_cell(found.get(name)) for name in names], number, line)
        with skipping(rejections, row.place):
            if None in row.cells:
                raise UserError(f"{path}: expected texts and numbers in {row.place}, found other values")
            rows.append(row)
    return rows


def _to_cell(value: object) -> str | None:
    """Return a value as a table's cell, None for one that is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        return None
    return "" if value is None else str(value).strip()


def _tell_malformed(entries: Sequence[tuple[str, str]]) -> str:
    (_, reason), *others = entries
    if not others:
        return reason
    shown = list_first((place for place, _ in others), ROWS_SHOWN)
    return f"{reason}; {len(others)} more {'row does' if len(others) == 1 else 'rows do'} not fit: {shown}"


def skipping(rejections: Rejections | None, name: str) -> AbstractContextManager[None]:
    """Let an error of the enclosed work on `name` end the work, or with `rejections` become one of those."""
    return nullcontext() if rejections is None else rejections.skip(name)


class _Reader:
    """Gives the rows of a file, whatever their cells, and checks one when it is asked to."""

    def __init__(self, path: Path, required: Required) -> None:
        self.path = path
        self._lines = _Lines(path)
        first = next(self._lines, "")
        self._line = 1
        named = re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE)  # a line that spreadsheets write
        if named:
            first, self._line = next(self._lines, ""), 2
        separator = named[1] if named else _find_separator(first, required)
        self._reader = csv.reader(
            chain([first], self._lines), delimiter=separator, strict=True, skipinitialspace=True
        )
        self._offset = self._line - 1
        self._names = [_strip(name) for name in self._read_cells() or ()]
        wanted = _list_wanted(required)
        names = [_name_as_ours(name, wanted) for name in self._names]
        self._num_named = max((place for place, name in enumerate(names, 1) if name), default=0)
        self._num_cells = len(names)
        _check_columns(path, names, required)
        self.columns = {name: place for place, name in enumerate(names) if name}

    def __iter__(self) -> Iterator[Row]:
        shared: dict[str, str] = {}
        memory, number = 0, 0
        while (cells := self._read_cells()) is not None:
            number += 1
            memory += ROW_MEMORY
            for place, cell in enumerate(cells):
                cell = cell.strip()
                known = shared.get(cell)
                if known is None:
                    memory += sys.getsizeof(cell)
                    if len(cell) <= SHARED_LENGTH:
                        shared[cell] = cell
                cells[place] = cell if known is None else known
            row = Row(self.columns, cells, number, self._line)
            check_memory(memory, self.path, row.place)
            yield row

    def _read_cells(self) -> list[str] | None:
        """Read one row's cells, None at the end; `_line` is then the line on which the row begins."""
        self._line = self._reader.line_num + self._offset + 1
        self._lines.length = 0
        try:
            return next(self._reader, None)
        except csv.Error as error:
            longest = f"{csv.field_size_limit():,}"
            found = (
                f"one of more than {longest} characters; is a quote not closed?"
                if "limit" in str(error)
                else 'a double quote that is not closed or not alone; close it, or write "" for one in a cell'
            )
            raise UserError(
                f"{self.path}: expected cells in the row that begins in line {self._line}, found {found}"
            ) from None

    def find_fault(self, row: Row) -> str:
        """Say why a row is none: it is empty, or has not one cell for every column; "" where it is one."""
        found = len(row.cells)
        if row.cells == self._names:
            return f"{self.path}: expected one header, found it again in {row.place}; remove it"
        if found == self._num_named and any(row.cells):
            return ""
        if not any(row.cells):
            return f"{self.path}: expected cells in {row.place}, found an empty row; remove it"
        if self._num_named <= found <= self._num_cells and not any(row.cells[self._num_named :]):
            return ""
        advice = "put a cell with commas in quotes"
        if found < self._num_named:
            advice = "add those that are missing" if found > 1 else "separate them as the header's are"
        return (
            f"{self.path}: expected {self._num_named} cells in {row.place}, one for each column of the "
            f"header, found {found}; {advice}"
        )


class _Lines:
    """Gives a file's lines; refuses those that make one row of more than LONGEST_LINE characters."""

    def __init__(self, path: Path) -> None:
        self.path, self.length = path, 0  # length: of the row so far, set to 0 by who reads a row
        self._lines = read_lines(path, TABLE)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.length += len(line)
        if self.length > LONGEST_LINE:
            raise UserError(
                f"{self.path}: expected rows of at most {LONGEST_LINE:,} characters, found a longer one; "
                "is a quote not closed?"
            )
        return line


def _strip(name: str) -> str:
    """Strip blanks and the marks of bytes' order, which stand before each of files that were joined."""
    return name.strip().strip("\ufeff").strip()


def _name_as_ours(name: str, wanted: Collection[str]) -> str:
    """Return a column's name in our spelling where it is one of ours: "Patient ID" is patient_id, unless it
    is `wanted` as it is.
    """
    ours = "_".join(name.casefold().split())
    return ours if ours in COLUMN_WORDS and name not in wanted else name


def _find_separator(header: str, required: Required) -> str:
    """Find by which separator a header has most of the columns; the comma where none has any."""
    wanted = _list_wanted(required)

    def count(separator: str) -> int:
        names = [_strip(name.strip(' "\t\r\n')) for name in header.split(separator)]
        return len({_name_as_ours(name, wanted) for name in names} & (wanted | COLUMN_WORDS))

    return max(SEPARATORS, key=count)


def _list_alternatives(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _list_wanted(required: Required) -> set[str]:
    return {name for alternatives in required for name in _list_alternatives(alternatives)}


def _check_columns(path: Path, names: Sequence[str], required: Required) -> None:
    named = [name for name in names if name]
    wanted = [_list_alternatives(alternatives) for alternatives in required]
    if missing := [" or ".join(each) for each in wanted if not set(each) & set(named)]:
        known = _list_wanted(required)
        advice = "add or rename it" if len(names) > 1 else "separate the columns by commas"
        if known.isdisjoint(named):
            advice += "; the first line must name the columns"
        raise UserError(
            f"{path}: expected the column {', '.join(missing)} in the first line, "
            f"found {tell_names(named, known)}; {advice}"
        )
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name and places.setdefault(name, place) != place:
            raise UserError(
                f"{path}: expected columns of different names, found one name for columns {places[name]} and "
                f"{place}; rename or remove one"
            )


def tell_names(names: Iterable[str], known: Iterable[str] = ()) -> str:
    """Tell which names a file has: those that are usual, and how many others, which may be a patient's."""
    usual = {*COLUMN_WORDS, *(name.casefold() for name in known)}
    names = list(names)
    shown = [name for name in names if name.casefold() in usual]
    others = len(names) - len(shown)
    counted = [f"{others} {'other' if others == 1 else 'others'}"] if others else []
    return ", ".join(shown + counted) or "none"


def parse_split(word: str, source: Path, place: str) -> str:
    """Parse a publisher's split -> train, validate or test. `place` says where it stands, as `Row.place`."""
    if word.lower() not in SPLIT_WORDS:
        known, found = ", ".join(SPLIT_WORDS), "another word" if word else "none"
        raise UserError(f"{source}: expected a split ({known}) in {place}, found {found}; correct it")
    return SPLIT_WORDS[word.lower()]


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
