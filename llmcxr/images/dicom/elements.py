"""Read single elements of a DICOM header, malformed ones too. Knows no element's meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset as DicomDataset


LONGEST = 2**20  # bytes of an element that is read: 8 of the longest LUTs; parsed, each may take hundreds


def get_values(dataset: DicomDataset, keyword: str) -> list[object]:
    """Return all values of an element; none where it is missing, empty, too long or cannot be parsed."""
    try:
        if _measure_unparsed(dataset, keyword) > LONGEST:
            return []
        value = dataset.get(keyword)
    except Exception:  # elements are parsed when they are asked for, with any kind of error
        return []
    if value is None:
        return []
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return [value]
    return list(value)


def _measure_unparsed(dataset: DicomDataset, keyword: str) -> int:
    """Return an element's length in bytes; 0 where it is missing or parsed already."""
    from pydicom.dataelem import RawDataElement

    element = dataset.get_item(keyword) if keyword in dataset else None
    return len(element.value or b"") if isinstance(element, RawDataElement) else 0


def get_text(dataset: DicomDataset, keyword: str) -> str:
    """Return an element's value as text, the first of several; empty where there is none."""
    values = get_values(dataset, keyword)
    return str(values[0]).strip(" \0") if values and values[0] is not None else ""


def get_code(dataset: DicomDataset, keyword: str) -> str:
    """Return a coded string in the capitals that the standard demands; empty where there is none."""
    return get_text(dataset, keyword).upper()


def get_numbers(dataset: DicomDataset, keyword: str) -> list[float | None]:
    """Return an element's values as numbers, None for each that is empty, malformed or not finite."""
    return [parse_number(value) for value in get_values(dataset, keyword)]


def get_number(dataset: DicomDataset, keyword: str) -> float | None:
    """Return an element's first value as a number; None where there is none or it is malformed."""
    return next(iter(get_numbers(dataset, keyword)), None)


def get_count(dataset: DicomDataset, keyword: str) -> int | None:
    """Return an element's first value as a whole number, 0 or more; None where it is anything else."""
    number = get_number(dataset, keyword)
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def parse_number(value: object) -> float | None:
    """Parse a decimal string, also one with a decimal comma; None where it is not a finite number."""
    text = str(value).strip(" \0")
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", text):
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
