import numpy as np
import pytest
from sklearn.metrics import f1_score

from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.images.agreement import LabelAgreement, agreement_by_finding, agreement_metrics, f1
from llmcxr.metrics.metric import Inputs, score, score_all
from llmcxr.metrics.scores import auroc
from llmcxr.records import Label

PRESENT, ABSENT, UNCERTAIN, BLANK = (
    LABEL_STATES[label] for label in (Label.PRESENT, Label.ABSENT, Label.UNCERTAIN, Label.NOT_MENTIONED)
)


def test_f1_equals_sklearn():
    rng = np.random.default_rng(0)
    wanted, seen = (rng.random(200) < 0.3).astype(float), rng.random(200)
    assert f1(wanted, seen) == pytest.approx(f1_score(wanted, seen >= 0.5))


def test_uncertain_is_left_out_and_blank_is_not_asked_for():
    labels = np.array([[PRESENT], [ABSENT], [BLANK], [UNCERTAIN]], np.int8)
    seen = np.array([[0.9], [0.2], [0.6], [0.0]])
    result = agreement_by_finding(labels, seen, ["edema"])["edema"]
    assert (result["support"], result["absent"], result["uncertain"]) == (1, 2, 1)
    assert result["auroc"] == 1
    assert result["f1"] == pytest.approx(2 / 3)  # one hit, one false alarm
    assert result["note"] == ""


def test_one_class_absent_is_none_and_said():
    labels = np.array([[PRESENT, ABSENT], [PRESENT, BLANK]], np.int8)
    result = agreement_by_finding(labels, np.full((2, 2), 0.7), ["edema", "nodule"])
    assert result["edema"]["auroc"] is None and "every request" in result["edema"]["note"]
    assert result["edema"]["f1"] == 1
    assert result["nodule"]["auroc"] is None and "no request" in result["nodule"]["note"]
    assert result["nodule"]["f1"] is None


def test_the_mean_goes_over_the_findings_that_have_a_score():
    labels = np.array([[PRESENT, ABSENT], [ABSENT, ABSENT]], np.int8)
    inputs = Inputs(
        ["a", "b"],
        findings=("edema", "nodule"),
        reference_labels=labels,
        drawn_probabilities=np.array([[0.9, 0.1], [0.1, 0.2]]),
    )
    scores = {result.name: result for result in score_all(agreement_metrics(inputs.findings), inputs)}
    assert scores["label auroc"].value == scores["label auroc: edema"].value == 1
    assert scores["label auroc: nodule"].value is None
    assert scores["label auroc: nodule"].note == "undefined for these studies"


def test_interval_holds_the_value():
    rng = np.random.default_rng(1)
    wanted = rng.random((300, 2)) < 0.4
    inputs = Inputs(
        [str(study // 2) for study in range(300)],
        findings=("edema", "nodule"),
        reference_labels=np.where(wanted, PRESENT, ABSENT).astype(np.int8),
        drawn_probabilities=np.clip(0.4 * wanted + 0.6 * rng.random((300, 2)), 0, 1),
    )
    result = score(LabelAgreement("auroc", auroc, resamples=100), inputs)
    assert result.interval[0] < result.value < result.interval[1] < 1


def test_nan_and_shapes_are_refused():
    labels = np.zeros((3, 2), np.int8)
    with pytest.raises(ValueError, match="1 of 3 drawings have NaN"):
        agreement_by_finding(labels, np.array([[0, 0], [0, np.nan], [0, 0]]), ["edema", "nodule"])
    with pytest.raises(ValueError, match=r"labels \(3, 2\) but probabilities \(3, 1\)"):
        agreement_by_finding(labels, np.zeros((3, 1)), ["edema", "nodule"])
    with pytest.raises(ValueError, match="2 columns of labels for 1 findings"):
        agreement_by_finding(labels, np.zeros((3, 2)), ["edema"])
