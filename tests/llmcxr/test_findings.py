"""One table of findings, whose columns are as their publishers have them."""

from llmcxr.findings import (
    CHEXPERT_5,
    CHEXPERT_FINDINGS,
    CHEXPERT_FINDINGS_OF,
    FINDING_OF_NIH_LABEL,
    FINDING_OF_OPENI_HEADING,
    FINDINGS,
    PHANTOM_FINDINGS,
    with_article,
)

NAMES = [finding.name for finding in FINDINGS]


def test_each_finding_has_one_line():
    assert len(NAMES) == len(set(NAMES))
    assert tuple(NAMES[: len(PHANTOM_FINDINGS)]) == PHANTOM_FINDINGS and len(PHANTOM_FINDINGS) == 11


def test_every_label_of_a_publisher_has_a_line():
    assert len(FINDING_OF_NIH_LABEL) == 14 and list(FINDING_OF_NIH_LABEL) == sorted(FINDING_OF_NIH_LABEL)
    assert FINDING_OF_NIH_LABEL["Effusion"] == FINDING_OF_OPENI_HEADING["Pleural Effusion"]
    named = {label for labels in CHEXPERT_FINDINGS_OF.values() for label in labels}
    assert named == {*CHEXPERT_FINDINGS} - {"No Finding"}
    assert {name.lower() for name in CHEXPERT_FINDINGS} >= {*CHEXPERT_5}


def test_a_finding_takes_its_article():
    assert with_article("infiltration") == "an infiltration" and with_article("edema") == "edema"
