import warnings
from dataclasses import replace

import numpy as np
import pytest

from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from llmcxr.metrics.metric import Inputs, score, score_all
from llmcxr.metrics.reports.label_f1 import (
    CHEXPERT_5,
    BothDefinite,
    Coverage,
    LabelMetric,
    OmissionNegative,
    label_metrics,
)
from llmcxr.metrics.significance import compare

FIVE = tuple(finding for finding in CHEXPERT_FINDINGS if finding.lower() in CHEXPERT_5)
POSITIVE, NEGATIVE, DEFINITE = OmissionNegative("positive"), OmissionNegative("negative"), BothDefinite()
BLANK = -2


def make_inputs(num=300, findings=CHEXPERT_FINDINGS, seed=0):
    rng = np.random.default_rng(seed)
    reference = rng.choice([1, 0, -1, BLANK], (num, len(findings)), p=[0.3, 0.2, 0.1, 0.4]).astype(np.int8)
    candidate = np.where(rng.random(reference.shape) < 0.6, reference, rng.permutation(reference))
    patients = [f"p{i // 2}" for i in range(num)]
    return Inputs(patients, findings=findings, reference_labels=reference, candidate_labels=candidate)


def value(inputs, measure, convention, average="micro", findings=None):
    metric = LabelMetric(measure, convention, tuple(findings or inputs.findings), "x", average)
    return metric.value(metric.rows(inputs))


def column(reference, candidate):
    labels = [np.array(labels, np.int8)[:, None] for labels in (reference, candidate)]
    return Inputs([str(i) for i in range(len(reference))], None, None, ("edema",), *labels)


def test_each_convention_worked_by_hand():
    #                 hit, alarm, miss, uncertain/present, present/blank, blank/uncertain, absent/absent
    inputs = column([1, 0, 1, -1, 1, BLANK, 0], [1, 1, 0, 1, BLANK, -1, 0])
    assert value(inputs, "F1", POSITIVE) == pytest.approx(2 * 2 / (2 * 2 + 2 + 2))
    assert value(inputs, "F1", NEGATIVE) == pytest.approx(2 * 1 / (2 * 1 + 2 + 2))
    assert value(inputs, "F1", DEFINITE) == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert value(inputs, "balanced accuracy", NEGATIVE) == pytest.approx((1 / 3 + 2 / 4) / 2)
    coverage = Coverage(("edema",), "edema")
    assert coverage.value(coverage.rows(inputs)) == pytest.approx(4 / 5)


def test_an_omission_costs_under_one_convention_only():
    inputs = column([1, 1, 0], [1, BLANK, 0])
    assert value(inputs, "F1", NEGATIVE) == pytest.approx(2 / 3)
    assert value(inputs, "F1", DEFINITE) == 1.0


def as_binary(inputs, convention):
    states = (1, -1) if convention == POSITIVE else (1,)
    return tuple(
        np.isin(labels, states).astype(int) for labels in (inputs.reference_labels, inputs.candidate_labels)
    )


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("convention", [POSITIVE, NEGATIVE])
@pytest.mark.parametrize("findings", [CHEXPERT_FINDINGS, FIVE])
def test_omission_negative_equals_scikit_learn(average, convention, findings):
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    inputs = make_inputs()
    columns = [CHEXPERT_FINDINGS.index(finding) for finding in findings]
    true, said = (labels[:, columns] for labels in as_binary(inputs, convention))
    theirs = precision_recall_fscore_support(true, said, average=average)
    ours = [value(inputs, name, convention, average, findings) for name in ("precision", "recall", "F1")]
    assert ours == pytest.approx(theirs[:3])
    accuracy = value(inputs, "balanced accuracy", convention, average, findings)
    assert accuracy == pytest.approx(roc_auc_score(true, said, average=average))


def test_each_finding_equals_scikit_learn():
    from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

    inputs = make_inputs()
    true, said = as_binary(inputs, NEGATIVE)
    theirs = {
        "F1": f1_score,
        "precision": precision_score,
        "recall": recall_score,
        "balanced accuracy": balanced_accuracy_score,
    }
    for place, finding in enumerate(CHEXPERT_FINDINGS):
        for measure, function in theirs.items():
            ours = value(inputs, measure, NEGATIVE, findings=[finding])
            assert ours == pytest.approx(function(true[:, place], said[:, place]))


def test_both_definite_equals_scikit_learn_on_the_pairs_that_count():
    from sklearn.metrics import f1_score

    inputs = make_inputs()
    true, said = inputs.reference_labels, inputs.candidate_labels
    keep = np.isin(true, (0, 1)) & np.isin(said, (0, 1))
    assert value(inputs, "F1", DEFINITE) == pytest.approx(f1_score(true[keep], said[keep]))
    each = [f1_score(true[keep[:, i], i], said[keep[:, i], i]) for i in range(14)]
    assert value(inputs, "F1", DEFINITE, "macro") == pytest.approx(np.mean(each))


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
def test_equals_torchmetrics(average):
    import torch
    from torchmetrics.functional.classification import multilabel_f1_score

    inputs = make_inputs()
    true, said = (torch.tensor(labels) for labels in as_binary(inputs, POSITIVE))
    theirs = multilabel_f1_score(said, true, 14, average=average)
    assert value(inputs, "F1", POSITIVE, average) == pytest.approx(float(theirs), abs=1e-6)


def test_an_absent_class_is_undefined_and_said_so():
    never = column([0, 0, BLANK], [1, 0, 0])
    result = score(LabelMetric("F1", NEGATIVE, ("edema",), "edema"), never)
    assert (result.value, result.note) == (None, "undefined for these studies")
    assert value(never, "recall", NEGATIVE) is None
    assert value(never, "balanced accuracy", NEGATIVE) is None
    assert value(never, "precision", NEGATIVE) == 0
    assert value(column([1, 1], [1, 0]), "balanced accuracy", NEGATIVE) is None
    assert value(column([1, 1], [0, 0]), "F1", NEGATIVE) == 0
    assert value(column([BLANK], [1]), "F1", DEFINITE) is None
    coverage = Coverage(("edema",), "edema")
    assert coverage.value(coverage.rows(column([BLANK, -1], [1, 1]))) is None


@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize("measure", ["F1", "precision", "recall"])
def test_a_finding_without_a_value_is_left_out_of_the_mean(average, measure):
    from sklearn.metrics import precision_recall_fscore_support

    inputs = make_inputs()
    inputs.reference_labels[:, 3] = 0  # never there, never said
    inputs.candidate_labels[:, 3] = 0
    true, said = as_binary(inputs, NEGATIVE)
    theirs = precision_recall_fscore_support(true, said, average=average, zero_division=np.nan)
    place = ["precision", "recall", "F1"].index(measure)
    assert value(inputs, measure, NEGATIVE, average) == pytest.approx(theirs[place])


def test_every_name_carries_its_convention_once():
    metrics = label_metrics(CHEXPERT_FINDINGS)
    names = [metric.name for metric in metrics]
    assert len(set(names)) == len(names)
    marks = [f"[{convention.name}]" for convention in (POSITIVE, NEGATIVE, DEFINITE)]
    assert all(sum(mark in name for mark in marks) == 1 for name in names)
    assert "macro F1, all 14 [omission negative, uncertain positive]" in names
    assert "weighted F1, CheXpert 5 [both definite]" in names
    assert "coverage, CheXpert 5 [both definite]" in names
    assert "balanced accuracy, Edema [omission negative, uncertain negative]" in names
    assert not any("AUROC" in name or ("balanced" in name and "both definite" in name) for name in names)


def test_groups_are_those_that_the_labels_allow():
    names = [metric.name for metric in label_metrics(("edema", "hernia"))]
    assert any("all 2" in name for name in names)
    assert not any("CheXpert" in name for name in names)
    assert any("CheXpert 5" in metric.name for metric in label_metrics((*CHEXPERT_5, "hernia")))
    assert not any("all 5" in metric.name for metric in label_metrics(CHEXPERT_5))


def test_everything_is_scored_with_an_interval_and_without_warnings():
    inputs = make_inputs(40, CHEXPERT_5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = [replace(metric, resamples=50) for metric in label_metrics(CHEXPERT_5)]
        scores = score_all(metrics, inputs)
    assert len(scores) == len(metrics)
    assert all(one.interval[0] <= one.value <= one.interval[1] for one in scores)


def test_two_systems_are_compared():
    good = make_inputs()
    bad = np.roll(good.candidate_labels, 7, axis=0)
    metric = LabelMetric("F1", POSITIVE, FIVE, "CheXpert 5", "macro")
    rows = metric.rows(good)
    other = metric.rows(Inputs(good.patients, None, None, CHEXPERT_FINDINGS, good.reference_labels, bad))
    assert compare(metric, rows, other, good.patients, resamples=200).p < 0.01


def test_what_is_missing_or_misspelt_is_named():
    metric = LabelMetric("F1", POSITIVE, ("Edema", "mass"), "two")
    with pytest.raises(ValueError, match="no labels of mass"):
        score(metric, make_inputs())
    with pytest.raises(ValueError, match="reference_labels, candidate_labels"):
        score(metric, Inputs(["p"], ["x"], ["y"]))
    with pytest.raises(ValueError, match="'maybe'"):
        OmissionNegative("maybe")
    with pytest.raises(ValueError, match="'mean'"):
        LabelMetric("F1", POSITIVE, ("edema",), "edema", "mean")
