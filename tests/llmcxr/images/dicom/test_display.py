"""Stored values -> brightness: the order of PS3.4, the functions of PS3.3, by hand and against pydicom."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from llmcxr.images.dicom.display import apply_window, to_brightness


def _dataset(**elements: object) -> Dataset:
    dataset = Dataset()
    defaults = {"PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 12}
    for keyword, value in {**defaults, "PixelRepresentation": 0, "SamplesPerPixel": 1, **elements}.items():
        setattr(dataset, keyword, value)
    return dataset


def _voi_lut(data: list[int], bits: int, first: int = 0) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(data), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = data
    item["LUTData"].VR = "US"
    return item


STORED = np.array([[0, 1000], [2000, 4000]], np.uint16)


def test_window_is_applied_after_rescale():
    dataset = _dataset(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000.5, WindowWidth=4001)
    pixels, warnings = to_brightness(
        STORED, dataset
    )  # rescaled: -1000, 1000, 3000, 7000; 0..1 is -1000..3000
    np.testing.assert_allclose(pixels, [[0, 0.5], [1, 1]], atol=1e-6)
    assert warnings == [] and pixels.dtype == np.float32


def test_monochrome1_is_inverted_last():
    elements = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 1000.5, "WindowWidth": 4001}
    bright, _ = to_brightness(STORED, _dataset(**elements))
    dark, _ = to_brightness(STORED, _dataset(PhotometricInterpretation="MONOCHROME1", **elements))
    np.testing.assert_allclose(dark, 1 - bright, atol=1e-7)


def test_inverse_presentation_shape_does_not_invert_monochrome1_twice():
    elements = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 2048, "WindowWidth": 4096}
    once, _ = to_brightness(STORED, _dataset(**elements))
    declared, _ = to_brightness(STORED, _dataset(PresentationLUTShape="INVERSE", **elements))
    np.testing.assert_array_equal(once, declared)
    assert once[0, 0] == 1


def test_voi_lut_is_preferred_to_a_window_and_scaled_by_its_bits():
    dataset = _dataset(WindowCenter=1, WindowWidth=2, VOILUTSequence=[_voi_lut([0, 100, 200, 255], bits=8)])
    pixels, _ = to_brightness(np.array([[0, 1], [2, 9]], np.uint16), dataset)
    np.testing.assert_allclose(pixels * 255, [[0, 100], [200, 255]], atol=1e-3)


def test_voi_lut_that_declares_more_bits_than_it_fills_is_not_black():
    dataset = _dataset(VOILUTSequence=[_voi_lut([0, 1000, 4095], bits=16)])
    pixels, _ = to_brightness(np.array([[0, 1, 2]], np.uint16), dataset)
    np.testing.assert_allclose(pixels, [[0, 1000 / 4095, 1]], atol=1e-6)


def test_first_of_several_windows_counts():
    dataset = _dataset(WindowCenter=[2048, 10], WindowWidth=[4096, 2])
    np.testing.assert_allclose(to_brightness(STORED, dataset)[0], STORED / 4095, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_functions_agree_with_pydicom(function):
    dataset = _dataset(WindowCenter=1500, WindowWidth=900, VOILUTFunction=function)
    values = np.arange(0, 4096, 7, dtype=np.uint16)
    expected = apply_windowing(values, dataset) / 4095
    np.testing.assert_allclose(apply_window(values, 1500, 900, function), expected, atol=1e-6)


def test_a_window_of_width_one_is_a_threshold():
    np.testing.assert_array_equal(apply_window(np.array([4.0, 5.0]), 5, 1), [0, 1])


def test_without_window_8_bits_are_scaled_by_255():
    pixels, warnings = to_brightness(np.array([[0, 51]], np.uint8), _dataset(BitsStored=8))
    np.testing.assert_allclose(pixels, [[0, 0.2]], atol=1e-6)
    assert warnings == []


def test_without_window_12_bits_are_stretched_without_their_padding():
    stored = np.full((100, 100), 1000, np.uint16)
    stored[:50] = np.linspace(500, 1500, 50).astype(np.uint16)[:, None]
    stored[:, :10] = 4000
    pixels, warnings = to_brightness(stored, _dataset(PixelPaddingValue=4000))
    assert pixels[0, 50] == 0 and pixels[49, 50] == 1 and abs(pixels[80, 50] - 0.5) < 0.01
    assert "no window" in warnings[0]


def test_colour_becomes_luminance():
    stored = np.zeros((20, 20, 3), np.uint8)
    stored[..., 1] = 255
    pixels, warnings = to_brightness(stored, _dataset(PhotometricInterpretation="RGB", BitsStored=8))
    np.testing.assert_allclose(pixels, 0.587, atol=1e-4)
    assert "colour" in warnings[0]


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\)"):
        to_brightness(np.zeros((2, 3, 4, 5)), _dataset())
