"""Read JSON lines as people have them: an object a line. Knows no key of theirs.

Messages tell lines, never a key or a value: either may be a patient's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmcxr.common.errors import UserError
from llmcxr.data.text_files import ROW_MEMORY, check_memory, read_lines


def read_json_lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Give each object of a file after its number, from 1, and its line; blank lines are passed over.

    Raises UserError for a file that cannot be read, and for a line that is no object, has a key twice, or
    characters that are no Unicode.
    """
    number = memory = 0
    for line_number, line in enumerate(read_lines(path, "JSON lines"), 1):
        if not line.strip():
            continue
        number += 1
        place = f"row {number} (line {line_number})"
        num_values, num_groups = line.count(","), line.count("[") + line.count("{")
        memory += ROW_MEMORY + sys.getsizeof(line) + 24 * num_values + 64 * num_groups  # bytes, by estimate
        check_memory(memory, path, place)
        yield number, line_number, _parse_object(line, path, place)


def _parse_object(line: str, path: Path, place: str) -> dict[str, Any]:
    try:
        found = json.loads(line, object_pairs_hook=_refuse_twins)
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
