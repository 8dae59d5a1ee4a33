"""Look-up tables: how entries are packed, where they begin, and which cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from llmcxr.images.dicom.lookup import LookupTable, read_lookup_table
from tests.llmcxr.images.dicom.built import build_lut


def _read(item: Dataset, **options: bool) -> np.ndarray | None:
    table = read_lookup_table(item, np.arange(2), **options)
    return None if table is None else table.entries


ENTRIES = [0, 1, 7, 80, 200, 254, 255]


@pytest.mark.parametrize("count", [2, 3, 6, 7])
@pytest.mark.parametrize("packing", ["words", "word bytes", "pairs", "pair bytes"])
def test_entries_of_8_bits_in_every_packing(count, packing):
    entries = ENTRIES[-count:]
    even = entries + [0] * (count % 2)
    data = {
        "words": entries,
        "word bytes": np.array(entries, "<u2").tobytes(),
        "pairs": np.array(even, "u1").view("<u2").tolist(),
        "pair bytes": bytes(even),
    }[packing]
    assert _read(build_lut(data, bits=8, length=count)).tolist() == entries


def test_an_odd_number_of_entries_of_8_bits_may_lack_the_last_byte():
    assert _read(build_lut(bytes(ENTRIES), bits=8)).tolist() == ENTRIES


def test_big_endian_words():
    data = np.array([1, 500, 4000], ">u2").tobytes()
    assert _read(build_lut(data, bits=12, length=3), is_big_endian=True).tolist() == [1, 500, 4000]


def test_zero_entries_stand_for_65536():
    entries = np.arange(2**16)
    item = build_lut(entries.astype("<u2").tobytes(), bits=16, length=2**16)
    assert item.LUTDescriptor[0] == 0
    np.testing.assert_array_equal(_read(item), entries)


def test_a_table_shorter_than_said_may_hold_all_values_that_there_are():
    item = build_lut([10, 20, 30], bits=12, length=4096)
    assert read_lookup_table(item, np.array([0, 2])).entries.tolist() == [10, 20, 30]
    assert read_lookup_table(item, np.array([0, 2, 400])) is None  # which it says to have, and has not


def test_a_table_may_be_counted_one_too_long():
    values = np.array([0, 199, 200, 4000])
    table = read_lookup_table(build_lut(list(range(200)), bits=8, length=201), values)
    assert table.look_up(values).tolist() == [0, 199, 199, 199]


def test_a_table_longer_than_said_is_cut():
    assert _read(build_lut([10, 20, 30, 40], bits=12, length=3)).tolist() == [10, 20, 30]


def test_the_first_value_mapped_may_be_negative_or_not_0():
    negative = read_lookup_table(build_lut([1, 2, 3], bits=8, first=-1), np.array([-5, 9]))
    assert negative.look_up(np.array([-5, -1, 0, 1, 9])).tolist() == [1, 1, 2, 3, 3]
    later = read_lookup_table(build_lut([1, 2, 3], bits=8, first=40000), np.array([0, 50000]))
    assert later.look_up(np.array([0, 40000, 40001, 50000])).tolist() == [1, 1, 2, 3]


def test_a_negative_first_value_before_values_that_are_all_positive():
    table = read_lookup_table(build_lut([1, 2, 3, 4], bits=8, first=-2), np.array([0, 1]))
    assert table.look_up(np.array([0, 1])).tolist() == [3, 4]


def test_8_bit_values_before_a_first_one_that_16_bit_floats_do_not_hold():
    table = LookupTable(np.array([1, 2, 3]), first=65535)
    assert table.look_up(np.array([0, 255], np.uint8)).tolist() == [1, 1]


def test_values_between_are_rounded():
    table = read_lookup_table(build_lut([1, 2, 3], bits=8), np.arange(3))
    assert table.look_up(np.array([0.4, 0.6, 1.9])).tolist() == [1, 2, 3]


def test_brightness_is_by_the_bits_that_are_filled():
    table = read_lookup_table(build_lut([0, 1000, 4095], bits=16), np.arange(3))
    np.testing.assert_allclose(table.to_brightness(np.arange(3)), [0, 1000 / 4095, 1])
    table = read_lookup_table(build_lut([0, 300, 1023], bits=8), np.arange(3))  # more than 8 bits hold
    np.testing.assert_allclose(table.to_brightness(np.arange(3)), [0, 300 / 1023, 1])


@pytest.mark.parametrize(
    "item",
    [
        Dataset(),
        build_lut(b"", bits=12, length=4096),
        build_lut([0, 0, 0], bits=12),
        build_lut([7, 7], bits=12),
    ],
)
def test_tables_that_cannot_be_used(item):
    assert _read(item) is None


def test_a_descriptor_without_three_numbers_or_with_words_cannot_be_used():
    item = build_lut([1, 2], bits=8)
    item.LUTDescriptor = [2, 0]
    assert _read(item) is None
    item["LUTDescriptor"].VR = "LO"
    item.LUTDescriptor = ["a", "b", "c"]
    assert _read(item) is None


def test_a_descriptor_that_could_not_be_parsed_is_read_from_its_bytes():
    item = build_lut([1, 2], bits=8)
    item.add_new("LUTDescriptor", "UN", np.array([2, 0, 8], "<u2").tobytes())
    assert _read(item).tolist() == [1, 2]
