"""What the parts compute by themselves; `test_run` asks for whole cards."""

import numpy as np
import pytest

from llmcxr.evaluation.card.parts import _support, _warn_few, drawing_sheets
from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.metric import Inputs
from llmcxr.records import Label

PRESENT, ABSENT, UNCERTAIN = (LABEL_STATES[label] for label in (Label.PRESENT, Label.ABSENT, Label.UNCERTAIN))
REQUESTS = ["a", "b", "c"]


def captions(sheets):
    return [[picture.caption for picture in sheet.pictures] for sheet in sheets]


def test_drawings_are_ranked_by_what_the_judge_sees_of_their_requests():
    inputs = Inputs(
        patients=REQUESTS,
        findings=("nodule", "edema"),
        reference_labels=np.array([[PRESENT, ABSENT], [PRESENT, UNCERTAIN], [ABSENT, ABSENT]]),
        drawn_probabilities=np.array([[0.5, 0.5], [0.125, 0.9], [0.0, 0.0]]),
        drawn_images=np.zeros((3, 2, 2)),
    )
    best, worst = drawing_sheets(inputs, REQUESTS)
    # mean log-likelihoods: log 1/2; log 1/8, edema being uncertain; 0
    assert captions([best, worst]) == [["(-0.000) c", "(-0.693) a"], ["(-2.079) b", "(-0.693) a"]]
    assert "classifier" in best.title


def test_without_a_judge_they_are_ranked_by_the_cosine_to_the_true_image():
    inputs = Inputs(
        patients=REQUESTS,
        real_features=np.array([[1.0, 0], [1, 0], [0, 2]]),
        drawn_features=np.array([[0.0, 1], [3, 4], [0, 5]]),
        drawn_images=np.zeros((3, 2, 2)),
    )
    best, worst = drawing_sheets(inputs, REQUESTS)
    assert captions([best, worst]) == [["(1.000) c", "(0.600) b"], ["(0.000) a", "(0.600) b"]]
    assert "features" in best.title


def test_the_support_of_a_finding_is_the_number_of_references_that_have_it():
    labels = np.array([[PRESENT, ABSENT], [PRESENT, UNCERTAIN]])
    assert _support(Inputs(["p", "q"], findings=("nodule", "edema"), reference_labels=labels)) == {
        "nodule": 2,
        "edema": 0,
    }


@pytest.mark.parametrize(("n", "warns"), [(192, True), (193, False)])
def test_too_few_studies_for_the_features_are_warned_of(n, warns):
    assert bool(_warn_few(n, dimension=192)) == warns
