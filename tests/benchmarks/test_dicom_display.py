"""DICOM as DCMTK shows it, an implementation of its own."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.dicom_display import KINDS, NUM_FILES, Comparison, compare_made, format_table, make

needs_dcmtk = pytest.mark.skipif(
    shutil.which("dcm2pnm") is None or shutil.which("dcmcrle") is None,
    reason="needs dcm2pnm and dcmcrle, an independent DICOM reader: apt-get install dcmtk",
)


def _check(num_files: int, seed: int) -> None:
    comparisons = list(compare_made(num_files, seed))
    assert len(comparisons) == num_files
    assert [compared for compared in comparisons if not compared.is_explained] == []
    assert all(compared.is_equal for compared in comparisons if compared.reason == "")
    assert sum(compared.is_equal for compared in comparisons) >= 0.85 * num_files


@needs_dcmtk
def test_dcm2pnm_shows_each_kind_of_file_as_we_do():
    _check(2 * len(KINDS), seed=1)


@needs_dcmtk
@pytest.mark.slow
def test_dcm2pnm_shows_200_made_files_as_we_do():
    _check(NUM_FILES, seed=0)


def test_the_same_number_makes_the_same_file_and_every_kind_is_made():
    assert {make(number)[0] for number in range(len(KINDS))} == set(KINDS)
    first, again, other = (make(number)[1].PixelData for number in (3, 3, 13))
    assert first == again and first != other


def test_a_difference_without_a_reason_is_said():
    table = format_table([Comparison("LINEAR", 0.0), Comparison("LINEAR", 0.5)])
    assert table.splitlines()[-1] == "| LINEAR | 2 | 1 | 32767.5 | NOT EXPLAINED |"
