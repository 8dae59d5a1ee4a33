import numpy as np
import pytest

from llmcxr.data.phantom.case import FINDINGS
from llmcxr.evaluation.inputs import drawing_inputs, label_inputs
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from tests.llmcxr.evaluation.fakes import KnowingEvaluator, NumberedPhantoms, numbered


def means(images):
    """A feature network of one number."""
    return images.mean((1, 2))[:, None]


means.name, means.dimension = "means", 1


def test_both_sides_of_reports_are_labelled():
    inputs = label_inputs(["p"], ["Pulmonary edema."], ["No edema."])
    edema = list(CHEXPERT_FINDINGS).index("Edema")
    assert (inputs.reference_labels[0, edema], inputs.candidate_labels[0, edema]) == (1, 0)


def test_drawings_are_fitted_and_judged_by_what_was_asked_for():
    phantoms = NumberedPhantoms(3)
    drawings = [numbered(index) for index in range(3)]
    asked = ["Pulmonary edema.", "No edema.", "Possible edema."]
    patients, real = ["p", "q", "r"], np.zeros((3, 1))
    inputs = drawing_inputs(patients, asked, drawings, real, means, 16, KnowingEvaluator(phantoms))
    assert inputs.findings == FINDINGS and inputs.drawn_images.shape == (3, 16, 16)
    assert inputs.reference_labels[:, FINDINGS.index("edema")].tolist() == [1, 0, -1]
    assert inputs.drawn_features.ravel().tolist() == pytest.approx([drawing.mean() for drawing in drawings])
    truth = [[float(case.find(name) is not None) for name in FINDINGS] for case in phantoms.cases]
    assert inputs.drawn_probabilities.tolist() == truth


def test_without_a_judge_the_labels_are_chexperts():
    drawing = np.zeros((20, 10), np.float32)
    inputs = drawing_inputs(["p"], ["Pulmonary edema."], [drawing], np.zeros((1, 1)), means, 16, None)
    assert inputs.findings == CHEXPERT_FINDINGS and inputs.drawn_probabilities is None
    assert inputs.drawn_images.shape == (1, 16, 16)
