"""The contact sheet of phantoms and radiographs."""

import numpy as np

from benchmarks.phantom import NUM_COLUMNS, draw_sheet
from llmcxr.data.phantom import render, sample_case


def test_the_sheet_shows_both_variations_and_the_radiographs():
    sheet = draw_sheet("phantom:n=2,seed=9", size=32)
    assert sheet.shape == (3 * 32, NUM_COLUMNS * 32)
    np.testing.assert_array_equal(sheet[:32, 32:64], render([sample_case(0, 1, 1.0)], 32)[0])
    np.testing.assert_array_equal(sheet[32:64, 32:64], render([sample_case(0, 1)], 32)[0])
    np.testing.assert_array_equal(sheet[64:, 32:64], render([sample_case(9, 1)], 32)[0])
    assert sheet[64:, 64:].max() == 0
    assert draw_sheet(None, size=32).shape == (2 * 32, NUM_COLUMNS * 32)
