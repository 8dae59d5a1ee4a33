"""Evidence by hand, wrong sentences by their labels, and a curve whose area is worked out."""

import math

import numpy as np
import pytest

from llmcxr.evaluation.card.evidence import evaluate_evidence, is_wrong, risk_coverage, sentence_evidence
from llmcxr.records import Label


class Scorer:
    """p(sentence | image) is the image's mean for an effusion, a half for all else."""

    def score_sentences(self, images, report):
        sentences = [f"{part}." for part in report.split(".") if part]
        return [
            (text.strip(), [math.log(image.mean() if "effusion" in text else 0.5) for image in images])
            for text in sentences
        ]


def flat(grey):
    return np.full((4, 4), grey)


def test_evidence_is_the_gain_over_the_mean_probability_elsewhere():
    effusion, other = sentence_evidence(
        Scorer(), flat(0.8), [flat(0.1), flat(0.3)], "Right pleural effusion. Clear lungs."
    )
    assert effusion.log_probability == pytest.approx(math.log(0.8))
    assert effusion.evidence == pytest.approx(math.log(0.8 / 0.2))
    assert other.evidence == pytest.approx(0)
    with pytest.raises(ValueError, match="another patient"):
        sentence_evidence(Scorer(), flat(0.8), [], "Effusion.")


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Large right pleural effusion.", False),
        ("No pleural effusion.", True),
        ("Left pneumothorax.", True),
        ("No pneumothorax.", False),
        ("Possible pneumothorax.", None),
        ("Frontal radiograph.", None),
    ],
)
def test_a_sentence_is_wrong_if_a_definite_claim_contradicts_the_labels(sentence, expected):
    assert is_wrong(sentence, {"pleural effusion": Label.PRESENT, "pneumothorax": Label.ABSENT}) is expected


def test_risk_and_coverage_by_hand():
    curve = risk_coverage([0.9, 0.1, 0.5, 0.7], [False, True, True, False])
    assert curve["coverage"] == [0.25, 0.5, 0.75, 1.0]
    assert curve["risk"] == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert curve["area"] == pytest.approx((1 / 3 + 1 / 2) / 4) and curve["error"] == 0.5
    assert risk_coverage([], []) == {"coverage": [], "risk": [], "area": None, "error": None}


def test_evidence_finds_the_sentences_that_the_image_does_not_support():
    greys = [0.9, 0.1] * 6
    truths = [{"pleural effusion": Label.PRESENT if grey > 0.5 else Label.ABSENT} for grey in greys]
    reports = ["Right pleural effusion."] * 12  # of everyone: right in the bright half
    patients = [str(i) for i in range(12)]
    result = evaluate_evidence(Scorer(), [flat(grey) for grey in greys], reports, truths, patients)
    assert result["sentences"] == 12
    assert result["evidence"]["error"] == 0.5 and result["evidence"]["area"] < 0.2
    assert not result["best"][0]["wrong"] and result["worst"][0]["wrong"]
    assert result["best"][0]["evidence"] > 0 > result["worst"][0]["evidence"]


def test_an_empty_report_has_no_evidence():
    result = evaluate_evidence(Scorer(), [flat(0.5), flat(0.6)], ["", " "], [{}, {}], ["a", "b"])
    assert result["sentences"] == 0 and result["evidence"]["area"] is None
