"""From which side a radiograph was taken, in the words of many archives."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from llmcxr.images.dicom.views import find_view, parse_view
from tests.llmcxr.images.dicom.built import describe


@pytest.mark.parametrize(
    ("words", "view"),
    [
        *[
            (words, "PA")
            for words in ("PA", "pa", "P.A.", "PA ERECT", "CHEST_PA", "Postero-anterior", "PA Chest")
        ],
        *[(words, "AP") for words in ("AP", "a.p. liegend", "AP SUPINE", "PORTABLE-AP", "antero-posterior")],
        *[
            (words, "lateral")
            for words in ("LL", "RL", "LATERAL", "LAT", "Left lateral", "L LAT", "Thorax seitlich")
        ],
        *[
            (words, "other")
            for words in ("XTABLE", "X-TABLE LATERAL", "Cross-table lateral", "LAO", "RAO", "LPO")
        ],
        *[
            (words, "other")
            for words in ("RPO", "RLO", "OBLIQUE", "Left anterior oblique", "LT OBL", "SWIMMERS")
        ],
        *[
            (words, "other")
            for words in ("Swimmer's view", "AP LLD", "PA RLD", "Left lateral decubitus", "DECUB")
        ],
        *[(words, "other") for words in ("AP AXIAL", "LORDOTIC", "AP lordotic", "oblique caudo-cranial")],
        *[
            (words, "unknown")
            for words in ("", "CHEST", "PA AND LATERAL", "PA/LAT", "AP/PA", "FRONTAL", "ANTENNA")
        ],
        *[
            (words, "unknown")
            for words in ("CHEST 2 VIEWS PA LAT", "Thorax face et profil", "FRONTAL & LATERAL")
        ],
        *[(words, "unknown") for words in ("PA AND OBLIQUES", "CHEST 2V LAT", "PA, LAT, OBL")],
        *[(words, "other") for words in ("CROSS-TABLE/LATERAL", "LAO/RAO")],
        *[(words, "unknown") for words in ("BILATERAL", "PAIN", "LATE", "SUPINE", "-", "1")],
    ],
)
def test_words(words, view):
    assert parse_view(words) == view


def _coded(code: str, meaning: str = "", modifier: Dataset | None = None) -> Dataset:
    item = describe(CodeValue=code, CodingSchemeDesignator="SCT", CodeMeaning=meaning)
    if modifier is not None:
        item.ViewModifierCodeSequence = [modifier]
    return describe(ViewCodeSequence=[item])


@pytest.mark.parametrize(
    ("dataset", "view"),
    [
        (describe(ViewPosition="PA"), "PA"),
        (describe(ViewPosition="XY"), "unknown"),
        (describe(), "unknown"),
        (_coded("272479007"), "PA"),
        (_coded("R-10206"), "AP"),
        (_coded("399173006"), "lateral"),
        (_coded("399182000"), "other"),  # oblique
        (_coded("399135007"), "other"),  # left anterior oblique
        (_coded("99-LOCAL", "cross-table lateral"), "other"),
        (_coded("99-LOCAL", "postero-anterior"), "PA"),
        (_coded("399067008", modifier=describe(CodeValue="111069", CodeMeaning="Crosstable")), "other"),
        (describe(PatientOrientation=["A", "F"]), "lateral"),
        (describe(PatientOrientation=["P", "F"]), "lateral"),
        (describe(PatientOrientation=["L", "F"]), "unknown"),  # frontal, but PA or AP is not told
        (describe(ViewPosition="PA", PatientOrientation=["A", "F"]), "PA"),
        (describe(SeriesDescription="Chest XTABLE"), "other"),
        (describe(SeriesDescription="Thorax pa/lat"), "unknown"),
        (describe(ViewPosition="LL", SeriesDescription="Chest PA"), "lateral"),
        (describe(ViewPosition="", ProtocolName="W CHEST AP"), "AP"),
        (
            describe(
                ViewPosition="AP", PatientOrientationModifierCodeSequence=[describe(CodeValue="102536004")]
            ),
            "other",  # on the left side
        ),
        (
            describe(
                ViewPosition="AP",
                PatientOrientationCodeSequence=[
                    describe(
                        CodeValue="102538003",
                        PatientOrientationModifierCodeSequence=[
                            describe(CodeValue="L1", CodeMeaning="right lateral decubitus")
                        ],
                    )
                ],
            ),
            "other",
        ),
        (
            describe(
                ViewPosition="AP", PatientOrientationModifierCodeSequence=[describe(CodeValue="40199007")]
            ),
            "AP",  # supine
        ),
    ],
)
def test_headers(dataset, view):
    assert find_view(dataset) == view
