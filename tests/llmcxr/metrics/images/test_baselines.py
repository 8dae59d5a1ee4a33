from collections import Counter

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.images import image_metrics
from llmcxr.metrics.images.agreement import LabelAgreement
from llmcxr.metrics.images.baselines import frame, frame_by_finding, shuffle_requests, split_patients
from llmcxr.metrics.images.diversity import Diversity
from llmcxr.metrics.images.feature_metric import FeatureMetric
from llmcxr.metrics.images.frechet import frechet_distance
from llmcxr.metrics.metric import Inputs, score_all
from llmcxr.metrics.scores import auroc
from llmcxr.records import Label

PRESENT, ABSENT = LABEL_STATES[Label.PRESENT], LABEL_STATES[Label.ABSENT]
FRECHET = FeatureMetric("frechet distance", frechet_distance)


def studies(n=600, shift=0.0, seed=0):
    """Two studies a patient. The first feature tells the first finding, in real images and drawings alike;
    drawings are shifted along the second.
    """
    rng = np.random.default_rng(seed)
    wanted = rng.random((n, 2)) < 0.5
    real, drawn = rng.normal(size=(2, n, 4))
    real[:, 0] += 6 * wanted[:, 0]
    drawn[:, 0] += 6 * wanted[:, 0]
    drawn[:, 1] += shift
    return Inputs(
        [f"p{study // 2}" for study in range(n)],
        findings=("edema", "nodule"),
        reference_labels=np.where(wanted, PRESENT, ABSENT).astype(np.int8),
        drawn_probabilities=np.where(wanted, 0.7, 0.3) + 0.5 * (rng.random((n, 2)) - 0.5),
        real_features=real.astype(np.float32),
        drawn_features=drawn.astype(np.float32),
        drawn_images=rng.random((n, 16, 16), dtype=np.float32),
    )


def test_halves_share_no_patient():
    patients = ["a"] * 5 + ["b"] * 3 + ["c", "d", "e"]
    first, second = split_patients(patients)
    assert len(first) == len(second) >= 4
    assert not {patients[row] for row in first} & {patients[row] for row in second}
    with pytest.raises(ValueError, match="two patients or more to make two halves, found 1"):
        split_patients(["a", "a"])


def test_good_drawings_match_the_floor_and_shifted_ones_do_not():
    good, shifted = frame(FRECHET, studies()), frame(FRECHET, studies(shift=3.0))
    assert good.matched.value == pytest.approx(good.real.value, abs=0.1)
    assert shifted.real.value == good.real.value
    assert shifted.score.value == pytest.approx(9, abs=1)
    assert shifted.matched.value > 50 * shifted.real.value
    assert (shifted.score.n, shifted.real.n, shifted.matched.n) == (600, 300, 300)


def test_a_set_metric_does_not_see_the_request_and_that_is_said():
    framed = frame(FRECHET, studies())
    assert framed.shuffled.value == pytest.approx(framed.score.value)
    assert "shuffling changes nothing" in framed.shuffled.note


def test_by_finding_the_shuffled_requests_are_far_away():
    framed = frame_by_finding(FRECHET, studies())
    edema = framed["edema"]
    assert edema.score.n == int((studies().reference_labels[:, 0] == PRESENT).sum())
    assert edema.score.value < 0.2 < 5 < edema.shuffled.value
    assert edema.shuffled.note == ""


def test_a_finding_of_one_patient_has_no_frame():
    labels = np.full((600, 2), ABSENT, np.int8)
    labels[:2, 0] = PRESENT  # both of p0
    given = studies()
    given = Inputs(**{**vars(given), "reference_labels": labels})
    assert frame_by_finding(FRECHET, given) == {"edema": None, "nodule": None}
    with pytest.raises(ValueError, match="needs reference_labels"):
        frame_by_finding(FRECHET, Inputs(**{**vars(given), "reference_labels": None}))


def test_labels_are_framed_by_the_real_images_readings():
    given = studies()
    perfect = (given.reference_labels == PRESENT).astype(float)
    metric = LabelAgreement("label auroc", auroc, resamples=20)
    framed = frame(metric, given, real={"drawn_probabilities": perfect})
    assert framed.real.value == 1 > framed.score.value > 0.9
    assert framed.shuffled.value == pytest.approx(0.5, abs=0.07)
    assert framed.matched is None
    assert frame(metric, given).real is None


def test_diversity_is_framed_by_the_real_images():
    given = studies(40)
    flat = np.full_like(given.drawn_images, 0.5)
    framed = frame(Diversity(pairs=20), given, real={"drawn_images": flat})
    assert framed.score.value < framed.real.value == pytest.approx(1)


def test_shuffling_moves_all_that_is_drawn_together_and_to_another_patient():
    given = studies(40)
    shuffled = shuffle_requests(given)
    place = [int(np.flatnonzero((given.drawn_features == row).all(1))[0]) for row in shuffled.drawn_features]
    np.testing.assert_array_equal(shuffled.drawn_probabilities, given.drawn_probabilities[place])
    np.testing.assert_array_equal(shuffled.real_features, given.real_features)
    assert all(given.patients[donor] != given.patients[row] for row, donor in enumerate(place))
    assert max(Counter(place).values()) == 1
    with pytest.raises(UserError, match="expected no patient"):
        shuffle_requests(Inputs(["a", "a"], drawn_features=np.zeros((2, 3))))


def test_every_metric_of_the_package_scores():
    names = {result.name: result.value for result in score_all(image_metrics(("edema",)), studies(60))}
    assert set(names) >= {
        *("frechet distance", "kernel distance", "precision", "recall", "density", "coverage"),
        *("pairwise ms-ssim", "label auroc", "label f1: edema", "request auc"),
    }
    assert None not in names.values()
