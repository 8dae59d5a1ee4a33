"""Read JSON lines as people have them: an object a line, or one list of objects. Knows no key of theirs.

Messages tell lines, never a key or a value: either may be a patient's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from llmcxr.common.errors import UserError
from llmcxr.data.text_files import ROW_MEMORY, check_memory, read_lines


def read_json_lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Give each object of a file after its number, from 1, and its line; blank lines are passed over. A file
    that is one list of objects is read as well, the line of each being that of the list.

    Raises UserError for a file that cannot be read, and for a line that is no object, has a key twice, or
    characters that are no Unicode.
    """
    number = memory = 0
    lines = enumerate(read_lines(path, "JSON lines"), 1)
    for line_number, line in lines:
        if not line.strip():
            continue
        place = f"row {number + 1} (line {line_number})"
        if not number and line.lstrip().startswith("["):
            yield from _read_list(line, (line for _, line in lines), line_number, path)
            return
        number += 1
        memory += _estimate(line)
        check_memory(memory, path, place)
        yield number, line_number, _check_object(_parse(line, path, place), path, place)


def _read_list(
    first: str, lines: Iterator[str], line_number: int, path: Path
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    memory, text = 0, []
    for line in chain([first], lines):
        memory += _estimate(line)
        check_memory(memory, path, f"line {line_number + len(text)}")
        text.append(line)
    place = f"the list that begins in line {line_number}"
    found = _parse("".join(text), path, place)
    for number, one in enumerate(found if isinstance(found, list) else [found], 1):
        yield number, line_number, _check_object(one, path, f"row {number} of {place}")


def _estimate(line: str) -> int:
    """Estimate the bytes that a line's values take."""
    num_values, num_groups = line.count(","), line.count("[") + line.count("{")
    return ROW_MEMORY + sys.getsizeof(line) + 24 * num_values + 64 * num_groups


def _parse(text: str, path: Path, place: str) -> object:
    try:
        found = json.loads(text, object_pairs_hook=_refuse_twins)
        json.dumps(found, ensure_ascii=False).encode()
    except _TwinError:
        raise UserError(f"{path}: expected every key once in {place}, found one twice; keep one") from None
    except UnicodeEncodeError:
        raise UserError(
            f"{path}: expected Unicode text in {place}, found half a character; correct it"
        ) from None
    except (ValueError, RecursionError):
        raise UserError(
            f"{path}: expected a JSON object in {place}, found text that is none; correct it"
        ) from None
    return found


def _check_object(found: object, path: Path, place: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a JSON object in {place}, found a {type(found).__name__}")
    return found


class _TwinError(Exception):
    """Says that an object has a key twice."""


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwinError
    return found
