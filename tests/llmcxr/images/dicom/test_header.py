"""What a DICOM header says, also where real archives write it oddly."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from llmcxr.images.dicom.header import build_header, find_view, parse_age


def _dataset(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    ("age", "years"),
    [
        ("045Y", 45),
        ("006M", 0.5),
        ("026W", 26 / 52.18),
        ("62", 62),
        ("999Y", None),
        ("", None),
        ("old", None),
    ],
)
def test_ages(age, years):
    assert parse_age(age) == (None if years is None else pytest.approx(years))


def _coded(code: str) -> Dataset:
    return _dataset(ViewCodeSequence=[_dataset(CodeValue=code, CodingSchemeDesignator="SCT")])


@pytest.mark.parametrize(
    ("dataset", "view"),
    [
        (_dataset(ViewPosition="PA"), "PA"),
        (_dataset(ViewPosition="AP"), "AP"),
        (_dataset(ViewPosition="LL"), "lateral"),
        (_dataset(ViewPosition="LATERAL"), "lateral"),
        (_coded("272479007"), "PA"),
        (_coded("399173006"), "lateral"),
        (_dataset(PatientOrientation=["A", "F"]), "lateral"),
        (_dataset(PatientOrientation=["L", "F"]), "unknown"),  # frontal, but PA or AP is not told
        (_dataset(ViewPosition="XY"), "unknown"),
        (_dataset(), "unknown"),
    ],
)
def test_views(dataset, view):
    assert find_view(dataset) == view


def test_spacing_in_the_patient_goes_before_spacing_at_the_detector():
    assert build_header(_dataset(ImagerPixelSpacing=[0.2, 0.1])).pixel_spacing_mm == (0.2, 0.1)
    both = _dataset(ImagerPixelSpacing=[0.2, 0.2], PixelSpacing=[0.18, 0.19])
    assert build_header(both).pixel_spacing_mm == (0.18, 0.19)
    assert build_header(_dataset(PixelSpacing=[0, 0])).pixel_spacing_mm is None


@pytest.mark.parametrize(
    ("elements", "warning"),
    [
        ({"ViewPosition": "LL"}, "a lateral view"),
        ({"Modality": "CT"}, "modality CT"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw detector values"),
        ({"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "INVERSE"}, "contradicts"),
        ({"BurnedInAnnotation": "YES"}, "burned"),
        ({"SyntheticData": "YES"}, "synthetic"),
        ({"ConversionType": "SYN"}, "synthetic"),
    ],
)
def test_what_is_odd_is_warned(elements, warning):
    (sentence,) = build_header(_dataset(**{"Modality": "DX", **elements})).warnings
    assert warning in sentence


def test_an_ordinary_radiograph_has_no_warning_and_a_whole_header():
    header = build_header(_dataset(Modality="DX", ViewPosition="PA", PatientSex="F", PatientAge="031Y"))
    assert (header.view_position, header.sex, header.age_years, header.warnings) == ("PA", "F", 31, ())
