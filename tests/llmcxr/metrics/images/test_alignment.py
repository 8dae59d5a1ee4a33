import numpy as np
import pytest

from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.images.alignment import LikelihoodRatios, RequestAuc, RequestRecall
from llmcxr.metrics.metric import Inputs, score
from llmcxr.records import Label

PRESENT, ABSENT, UNCERTAIN = (LABEL_STATES[label] for label in (Label.PRESENT, Label.ABSENT, Label.UNCERTAIN))


def inputs(labels, probabilities, patients=None):
    labels = np.array(labels, np.int8)
    return Inputs(
        patients or [str(study) for study in range(len(labels))],
        findings=[str(column) for column in range(labels.shape[1])],
        reference_labels=labels,
        drawn_probabilities=np.array(probabilities, float),
    )


def random_requests(n, noise, seed=0):
    """Drawings whose reading is the request, but for the share `noise` of findings that is by chance."""
    rng = np.random.default_rng(seed)
    wanted, other = rng.random((2, n, 8)) < 0.5
    shown = np.where(rng.random((n, 8)) < noise, other, wanted)
    return inputs(np.where(wanted, PRESENT, ABSENT), np.where(shown, 0.9, 0.1))


def test_ratio_is_the_difference_of_log_likelihoods():
    given = inputs([[PRESENT, ABSENT], [ABSENT, PRESENT], [PRESENT, UNCERTAIN]], [[0.8, 0.3]] * 3)
    ratio = LikelihoodRatios(given).against(np.array([0]), np.arange(3))[0]
    own, other = np.log(0.8 * 0.7), np.log(0.2 * 0.3)
    # the third states the second finding for uncertain: only the first is compared, and it is shared
    np.testing.assert_allclose(ratio, [0, own - other, 0], atol=1e-12)


def test_by_hand_with_a_tie():
    given = inputs([[PRESENT], [ABSENT], [ABSENT]], [[0.9], [0.2], [0.7]])
    # the first fits better than both; the second ties with the third and beats the first; the third fits
    # the first's request better than its own
    np.testing.assert_allclose(RequestAuc().rows(given), [1, 0.75, 0.25])
    np.testing.assert_allclose(RequestRecall(batch=3).rows(given), [1, 0.5, 0])


def test_faithful_drawings_score_high_and_others_by_chance():
    faithful, blind = random_requests(400, 0.0), random_requests(400, 1.0)
    assert score(RequestAuc(), faithful).value > 0.99
    assert score(RequestRecall(), faithful).value > 0.85  # 31 others of 256 possible requests: some are equal
    by_chance = score(RequestAuc(), blind)
    assert by_chance.interval[0] < 0.5 < by_chance.interval[1]
    recall = score(RequestRecall(), blind)
    assert recall.interval[0] < 1 / 32 < recall.interval[1]
    assert recall.name == "request recall at 1 of 32"


def test_drawing_the_same_for_every_request_is_chance_exactly():
    labels = np.where(np.random.default_rng(0).random((60, 5)) < 0.3, PRESENT, ABSENT)
    same = inputs(labels, np.tile([0.9, 0.2, 0.1, 0.4, 0.6], (60, 1)))
    assert score(RequestAuc(), same).value == pytest.approx(0.5)


def test_studies_of_the_same_patient_are_not_compared():
    given = inputs([[PRESENT], [ABSENT]], [[0.9], [0.2]], patients=["a", "a"])
    assert np.isnan(RequestAuc().rows(given)).all()
    assert score(RequestAuc(), given).value is None
    assert score(RequestRecall(batch=2), given).value is None


def test_certain_probabilities_do_not_break_the_logarithm():
    given = inputs([[PRESENT], [ABSENT]], [[1.0], [0.0]])
    np.testing.assert_array_equal(RequestAuc().rows(given), [1, 1])
