"""What a DICOM header says, also where real archives write it oddly."""

from __future__ import annotations

import pytest

from llmcxr.images.dicom.header import build_header, find_modality, is_raw, parse_age
from tests.llmcxr.images.dicom.built import describe


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


def test_spacing_in_the_patient_goes_before_spacing_at_the_detector():
    both = describe(ImagerPixelSpacing=[0.2, 0.2], PixelSpacing=[0.18, 0.18])
    assert build_header(both).pixel_spacing_mm == (0.18, 0.18)
    assert build_header(describe(PixelSpacing=[0, 0])).pixel_spacing_mm is None


@pytest.mark.parametrize(
    ("elements", "warning"),
    [
        ({"ViewPosition": "LL"}, "a lateral view"),
        ({"ViewPosition": "XTABLE"}, "special view"),
        ({"ViewPosition": "AP LLD"}, "special view"),
        ({"Modality": "CT"}, "modality CT"),
        ({"BodyPartExamined": "knee"}, "a part of the body that is not the chest"),
        ({"Modality": "Mr Miller"}, "modality unknown"),  # a patient's words are not repeated
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw detector values"),
        ({"PhotometricInterpretation": "MONOCHROME2", "PresentationLUTShape": "INVERSE"}, "contradicts"),
        ({"BurnedInAnnotation": "YES"}, "burned"),
        ({"SyntheticData": "YES"}, "synthetic"),
        ({"ConversionType": "SYN"}, "synthetic"),
    ],
)
def test_what_is_odd_is_warned(elements, warning):
    (sentence,) = build_header(describe(**{"Modality": "DX", **elements})).warnings
    assert warning in sentence


def test_an_ordinary_radiograph_has_no_warning_and_a_whole_header():
    header = build_header(describe(Modality="DX", ViewPosition="PA", PatientSex="F", PatientAge="031Y"))
    assert (header.view_position, header.sex, header.age_years, header.warnings) == ("PA", "F", 31, ())


def test_modality_as_said_or_as_the_object_shows():
    assert find_modality(describe(Modality="dx")) == "DX"
    assert find_modality(describe(SOPClassUID="1.2.840.10008.5.1.4.1.1.2")) == "CT"
    assert find_modality(describe(Modality="CR", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")) == "CR"
    assert find_modality(describe()) == ""


def test_raw_by_intent_or_by_object():
    assert is_raw(describe(PresentationIntentType="for processing"))
    assert is_raw(describe(SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1.1"))
    assert not is_raw(describe(PresentationIntentType="FOR PRESENTATION"))
    assert not is_raw(describe())
