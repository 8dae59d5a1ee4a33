"""Stored values -> brightness: the order of PS3.4, the functions of PS3.3, by hand and against pydicom."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from llmcxr.images.dicom import display
from llmcxr.images.dicom.display import apply_window, to_brightness
from llmcxr.images.dicom.pixels import decode
from tests.llmcxr.images.dicom.built import build, build_lut, fill


def _show(values: np.ndarray, **elements: object) -> tuple[np.ndarray, list[str]]:
    """Show a dataset; 12 bits stored of 16, unless said otherwise."""
    if values.dtype.itemsize == 2 and values.ndim == 2:
        elements = {"BitsStored": 12, **elements}
    dataset = build(values, **elements)
    return to_brightness(decode("a.dcm", dataset), dataset)


STORED = np.array([[0, 1000], [2000, 4000]], np.uint16)


def test_window_is_applied_after_rescale():
    elements = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 1000.5, "WindowWidth": 4001}
    pixels, warnings = _show(STORED, **elements)  # rescaled: -1000, 1000, 3000, 7000; 0..1 is -1000..3000
    np.testing.assert_allclose(pixels, [[0, 0.5], [1, 1]], atol=1e-6)
    assert warnings == [] and pixels.dtype == np.float32


def test_monochrome1_is_inverted_last():
    elements = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 1000.5, "WindowWidth": 4001}
    bright, _ = _show(STORED, **elements)
    dark, _ = _show(STORED, PhotometricInterpretation="MONOCHROME1", **elements)
    np.testing.assert_allclose(dark, 1 - bright, atol=1e-7)


def test_inverse_presentation_shape_does_not_invert_monochrome1_twice():
    elements = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 2048, "WindowWidth": 4096}
    once, _ = _show(STORED, **elements)
    declared, _ = _show(STORED, PresentationLUTShape="INVERSE", **elements)
    np.testing.assert_array_equal(once, declared)
    assert once[0, 0] == 1


def test_signed_values():
    signed = np.array([[-2000, -1000], [0, 1000]], np.int16)
    pixels, _ = _show(signed, BitsStored=16, WindowCenter=-999.5, WindowWidth=2001)
    np.testing.assert_allclose(pixels, [[0, 0.5], [1, 1]], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1 / 4095, 0.01, 1, 3, 1e6])
@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_exact_windows_show_the_same_whatever_the_slope(scale, function):
    """Centre and width in the units of the slope: half way and all of 0..4095."""
    pixels, _ = _show(
        STORED,
        RescaleSlope=scale,
        RescaleIntercept=0,
        WindowCenter=2047.5 * scale,
        WindowWidth=4095 * scale,
        VOILUTFunction=function,
    )
    share = STORED / 4095
    expected = share if function == "LINEAR_EXACT" else 1 / (1 + np.exp(-4 * (share - 0.5)))
    np.testing.assert_allclose(pixels, expected, atol=1e-6)


@pytest.mark.parametrize("width", [0.001, 0.5, 0.9999, 1])
def test_linear_of_width_1_and_below_over_fine_values_is_exact(width):
    scale = width / 4095
    elements = {"RescaleSlope": scale, "RescaleIntercept": 0, "WindowCenter": width / 2, "WindowWidth": width}
    pixels, warnings = _show(STORED, **elements)
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)
    assert warnings == []


def test_linear_of_width_below_1_over_whole_values():
    """(x - c) / w + 0.5: 9 -> -1.5, 10 -> 0.5, 11 -> 2.5."""
    values = np.array([[9, 10, 11]], np.uint16)
    np.testing.assert_allclose(_show(values, WindowCenter=10, WindowWidth=0.5)[0], [[0, 0.5, 1]])


def test_a_window_of_width_one_over_whole_values_is_a_threshold():
    np.testing.assert_array_equal(apply_window(np.array([4.0, 5.0]), 5, 1), [0, 1])


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_functions_agree_with_pydicom(function):
    dataset = build(STORED, BitsStored=12, WindowCenter=1500, WindowWidth=900, VOILUTFunction=function)
    values = np.arange(0, 4096, 7, dtype=np.uint16)
    expected = apply_windowing(values, dataset) / 4095
    np.testing.assert_allclose(apply_window(values, 1500, 900, function), expected, atol=1e-6)


@pytest.mark.parametrize("said", ["linear_exact", " LINEAR_EXACT "])
def test_the_function_is_read_in_any_case(said):
    pixels, _ = _show(STORED, WindowCenter=2047.5, WindowWidth=4095, VOILUTFunction=said)
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)


WHOLE = {"WindowCenter": "2048", "WindowWidth": "4096"}  # LINEAR: 0 to 4095


@pytest.mark.parametrize(
    ("centres", "widths", "num_left_aside"),
    [
        ("2048\\10", "4096\\2", 0),  # the first of several counts
        ("0\\2048", "0\\4096", 1),
        ("\\2048", "4096\\4096", 1),
        ("10\\20\\2048", "-5\\\\4096", 2),
        ("wide\\2048", "400\\4096", 1),
        ("2048,0", "4096", 0),
        ("2048,0\\3", "4,096E3\\7", 0),
        ("1e400\\2048", "1\\4096", 1),
        ("2048", "4096\\", 0),
        ("-5000\\2048", "100\\4096", 1),  # shows all values white
        ("9000\\2048", "100\\4096", 1),  # and all black
    ],
)
def test_the_first_usable_window_counts_and_others_are_said(centres, widths, num_left_aside):
    dataset = build(STORED, BitsStored=12)
    dataset.add_new("WindowCenter", "LO", centres.split("\\"))  # as text, since files write any
    dataset.add_new("WindowWidth", "LO", widths.split("\\"))
    pixels, warnings = to_brightness(decode("a.dcm", dataset), dataset)
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)
    assert warnings == ["a window that cannot be used is left aside"] * num_left_aside


def test_no_window_at_all_can_be_used():
    _, warnings = _show(STORED, WindowCenter=0, WindowWidth=0)
    assert len(warnings) == 2 and "cannot be used" in warnings[0] and "no window" in warnings[1]


def _lut_of_8_bits() -> list[int]:
    return (np.arange(4096) // 16).tolist()


@pytest.mark.parametrize("packing", ["words", "bytes", "word bytes"])
def test_voi_lut_of_8_bits(packing):
    entries = _lut_of_8_bits()
    data = {
        "words": entries,
        "bytes": bytes(entries),
        "word bytes": np.array(entries, "<u2").tobytes(),
    }[packing]
    pixels, warnings = _show(STORED, VOILUTSequence=[build_lut(data, bits=8, length=4096)], **WHOLE)
    np.testing.assert_allclose(pixels, STORED // 16 / 255, atol=1e-6)
    assert warnings == []


def test_voi_lut_after_a_rescale_to_negative_values():
    item = build_lut([0, 100, 200, 255], bits=8, first=-2)
    pixels, _ = _show(
        np.array([[0, 1, 2, 3, 9]], np.uint16),
        RescaleSlope=1,
        RescaleIntercept=-3,
        VOILUTSequence=[item],
    )  # rescaled: -3, -2, -1, 0, 6
    np.testing.assert_allclose(pixels * 255, [[0, 0, 100, 200, 255]], atol=1e-4)


def test_voi_lut_is_preferred_to_a_window_and_clips_at_its_ends():
    item = build_lut([0, 100, 200, 255], bits=8)
    pixels, _ = _show(np.array([[0, 1], [2, 9]], np.uint16), VOILUTSequence=[item], **WHOLE)
    np.testing.assert_allclose(pixels * 255, [[0, 100], [200, 255]], atol=1e-3)


def test_voi_lut_that_declares_more_bits_than_it_fills_is_not_black():
    pixels, _ = _show(np.array([[0, 1, 2]], np.uint16), VOILUTSequence=[build_lut([0, 1000, 4095], bits=16)])
    np.testing.assert_allclose(pixels, [[0, 1000 / 4095, 1]], atol=1e-6)


@pytest.mark.parametrize("unusable", [build_lut(b"", 12, length=4096), build_lut([5, 5], 12), Dataset()])
def test_an_unusable_voi_lut_is_left_aside_and_said(unusable):
    pixels, warnings = _show(STORED, VOILUTSequence=[unusable], **WHOLE)
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)
    assert warnings == ["a VOI LUT that cannot be used is left aside"]
    item = build_lut([0, 4095], 12)
    pixels, warnings = _show(np.array([[0, 1]], np.uint16), VOILUTSequence=[unusable, item], **WHOLE)
    np.testing.assert_allclose(pixels, [[0, 1]])  # the second of two
    assert len(warnings) == 1


def test_an_empty_voi_lut_sequence_counts_as_not_given():
    pixels, warnings = _show(STORED, VOILUTSequence=[], **WHOLE)
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)
    assert warnings == []


def test_modality_lut_goes_before_the_window():
    entries = (4095 - np.arange(4096)).tolist()
    pixels, _ = _show(STORED, ModalityLUTSequence=[build_lut(entries, bits=12)], **WHOLE)
    np.testing.assert_allclose(pixels, 1 - STORED / 4095, atol=1e-6)


def test_modality_lut_of_8_bits():
    entries = _lut_of_8_bits()
    for data in (entries, bytes(entries)):
        item = build_lut(data, bits=8, length=4096)
        pixels, _ = _show(STORED, ModalityLUTSequence=[item], WindowCenter=128, WindowWidth=256)
        np.testing.assert_allclose(pixels, STORED // 16 / 255, atol=1e-6)


def test_an_unusable_modality_lut_is_left_aside_for_the_rescale():
    pixels, warnings = _show(
        STORED,
        ModalityLUTSequence=[build_lut(b"", 12, length=4096)],
        RescaleSlope=2,
        RescaleIntercept=0,
        WindowCenter=4095.5,
        WindowWidth=8191,
    )
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)
    assert warnings == ["a modality LUT that cannot be used is left aside"]


@pytest.mark.parametrize(
    ("slope", "intercept"), [("", ""), (None, None), ("1", ""), ("", "0"), ("one", "none"), ("1,0", "0,0")]
)
def test_an_empty_rescale_counts_as_not_given(slope, intercept):
    dataset = build(STORED, BitsStored=12, **WHOLE)
    dataset.add_new("RescaleSlope", "LO", slope)
    dataset.add_new("RescaleIntercept", "LO", intercept)
    pixels, warnings = to_brightness(decode("a.dcm", dataset), dataset)
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)
    assert warnings == []


def test_a_slope_of_0_is_left_aside_and_said():
    pixels, warnings = _show(STORED, RescaleSlope=0, RescaleIntercept=0, **WHOLE)
    np.testing.assert_allclose(pixels, STORED / 4095, atol=1e-6)
    assert "slope of 0" in warnings[0]


def test_a_negative_slope_turns_dark_into_bright():
    elements = {"RescaleSlope": -1, "RescaleIntercept": 4095}
    pixels, _ = _show(STORED, **elements, **WHOLE)
    np.testing.assert_allclose(pixels, 1 - STORED / 4095, atol=1e-6)
    stretched, _ = _show(fill(range(400)), **elements)
    np.testing.assert_allclose(stretched, 1 - fill(range(400)) / 399, atol=0.01)


@pytest.mark.parametrize("slope", ["1e308", "-1e308"])
def test_a_rescale_that_overflows_is_refused(slope):
    with pytest.raises(ValueError, match="infinite"):
        _show(STORED, RescaleSlope=slope, RescaleIntercept=slope)


def test_the_largest_slope_that_64_bits_hold_is_shown():
    pixels, _ = _show(fill(range(400)), RescaleSlope="1e300", RescaleIntercept=0)
    np.testing.assert_allclose(pixels, fill(range(400)) / 399, atol=0.01)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_floats_that_are_not_finite_are_refused(wrong):
    values = fill([0, 1, wrong], np.float32)
    with pytest.raises(ValueError, match="not finite"):
        _show(STORED, PixelData=None, FloatPixelData=values.tobytes(), Rows=20, Columns=20)


def test_floats_are_windowed():
    values = fill([-1.5, 0, 1.5], np.float32)
    elements = {"PixelData": None, "FloatPixelData": values.tobytes(), "Rows": 20, "Columns": 20}
    window = {"WindowCenter": 0, "WindowWidth": 3, "VOILUTFunction": "LINEAR_EXACT"}
    pixels, _ = _show(STORED, **elements, **window)
    np.testing.assert_allclose(pixels[0, :3], [0, 0.5, 1], atol=1e-6)


def test_without_window_8_bits_are_scaled_by_255():
    pixels, warnings = _show(np.array([[0, 51]], np.uint8))
    np.testing.assert_allclose(pixels, [[0, 0.2]], atol=1e-6)
    assert warnings == []


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("padding", [0, 4095])
def test_padding_is_black_with_a_window(photometric, padding):
    values = fill([padding, 1000, 3000])
    pixels, _ = _show(values, PhotometricInterpretation=photometric, PixelPaddingValue=padding, **WHOLE)
    shown = np.array([1000, 3000]) / 4095
    expected = 1 - shown if photometric == "MONOCHROME1" else shown
    np.testing.assert_allclose(pixels[0, :3], [0, *expected], atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("value", "limit"), [(3900, 4095), (4095, 3900), (4000, None)])
def test_without_window_the_range_is_that_of_the_radiograph_alone(photometric, value, limit):
    values = np.full((100, 100), 1000, np.uint16)
    values[:50] = np.linspace(500, 1500, 50).astype(np.uint16)[:, None]
    values[:, :10] = 4000
    elements = {"PixelPaddingValue": value, "PixelPaddingRangeLimit": limit}
    pixels, warnings = _show(values, PhotometricInterpretation=photometric, **elements)
    assert np.all(pixels[:, :10] == 0)
    if photometric == "MONOCHROME1":
        pixels = 1 - pixels
    assert pixels[0, 50] == 0 and pixels[49, 50] == 1 and abs(pixels[80, 50] - 0.5) < 0.01
    assert "no window" in warnings[0]


def test_padding_is_black_after_a_voi_lut_and_in_8_bits():
    item = build_lut([255, 200, 100, 0], bits=8)
    pixels, _ = _show(np.array([[0, 1, 2]], np.uint16), VOILUTSequence=[item], PixelPaddingValue=0)
    np.testing.assert_allclose(pixels * 255, [[0, 200, 100]], atol=1e-4)
    pixels, _ = _show(np.array([[255, 51]], np.uint8), PixelPaddingValue=255)
    np.testing.assert_allclose(pixels, [[0, 0.2]], atol=1e-6)


def test_windows_of_32_bit_values():
    values = np.array([[0, 10**9], [2 * 10**9, 3 * 10**9]], np.uint32)
    elements = {"BitsAllocated": 32, "BitsStored": 32, "WindowCenter": 1.5e9, "WindowWidth": 3e9}
    pixels, _ = _show(values, VOILUTFunction="LINEAR_EXACT", **elements)
    np.testing.assert_allclose(pixels, values / 3e9, atol=1e-6)


def test_many_wide_values_are_refused_before_they_are_sorted(monkeypatch):
    monkeypatch.setattr(display, "MOST_WIDE", 399)  # a picture has 400
    window = {"WindowCenter": 70000, "WindowWidth": 1001}
    narrow, _ = _show(fill([69500, 70000, 70500], np.uint32), **window)
    np.testing.assert_allclose(narrow[0, :3], [0.0005, 0.5005, 1], atol=1e-6)
    with pytest.raises(ValueError, match="megapixels of floats or of more than 22 bits"):
        _show(fill([0, 2**30], np.uint32), **window)
