"""Single elements, as real files write them."""

from __future__ import annotations

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from llmcxr.images.dicom.elements import get_code, get_count, get_number, get_numbers, get_text


def _raw(keyword: str, representation: str, value: bytes) -> Dataset:
    """A dataset as a file gives it: the element is parsed when it is asked for."""
    dataset, tag = Dataset(), Tag(keyword)
    dataset[tag] = RawDataElement(tag, representation, len(value), value, 0, False, True)
    return dataset


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        (b"2048", [2048]),
        (b" 2048.50 ", [2048.5]),
        (b"2048,5", [2048.5]),
        (b"-1,5E2", [-150]),
        (b"0,168\\0,2", [0.168, 0.2]),
        (b"\\2048", [None, 2048]),
        (b"40\\\\80", [40, None, 80]),
        (b"1,024,5", [None]),
        (b"wide", [None]),
        (b"1e400", [None]),
        (b"NaN", [None]),
        (b"", []),
        (b"4096\0", [4096]),
    ],
)
def test_numbers(value, numbers):
    dataset = _raw("WindowCenter", "DS", value)
    assert get_numbers(dataset, "WindowCenter") == numbers
    assert get_number(dataset, "WindowCenter") == (numbers[0] if numbers else None)


def test_an_element_of_a_wrong_length_counts_as_missing():
    assert get_number(_raw("BitsStored", "US", b"\x0c"), "BitsStored") is None
    assert get_text(_raw("BitsStored", "US", b"\x0c"), "BitsStored") == ""


@pytest.mark.parametrize(
    ("value", "count"), [(b"12", 12), (b"0", 0), (b"-1", None), (b"1.5", None), (b"", None)]
)
def test_counts(value, count):
    assert get_count(_raw("NumberOfFrames", "IS", value), "NumberOfFrames") == count


def test_codes_are_capitals():
    assert get_code(_raw("Modality", "CS", b" dx\0"), "Modality") == "DX"
    assert get_code(_raw("PatientOrientation", "CS", b"l\\f"), "PatientOrientation") == "L"
