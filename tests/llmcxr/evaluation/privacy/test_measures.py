import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score, roc_curve

from llmcxr.evaluation.privacy import measures as privacy
from llmcxr.evaluation.privacy.measures import (
    ImageSet,
    Likelihoods,
    membership,
    nearest_by_codes,
    nearest_by_features,
    privacy_card,
)


def real_codes(n, seed=0, cells=64):
    return np.random.default_rng(seed).integers(0, 1024, (n, cells)).astype(np.uint16)


def test_nearest_codes_by_hand():
    training = np.array([[1, 2, 3, 4], [1, 2, 9, 9]])
    found = nearest_by_codes(np.array([[1, 2, 3, 9], [1, 2, 9, 9], [0, 0, 0, 0]]), training)
    np.testing.assert_array_equal(found.distance, [0.25, 0, 1])
    np.testing.assert_array_equal(found.row, [0, 1, 0])


def test_grids_and_integer_types_may_be_mixed():
    training = real_codes(50).reshape(50, 8, 8)
    queries = training[[7, 3]].astype(np.int64)
    queries[0, 0, 0] = 2**16 + int(training[7, 0, 0])  # equal in 16 bits, but another code
    np.testing.assert_array_equal(nearest_by_codes(queries, training).distance, [1 / 64, 0])
    with pytest.raises(ValueError, match=r"grids \(8, 8\) and \(64,\)"):
        nearest_by_codes(queries, real_codes(5))


@given(
    arrays(np.uint8, (6, 5), elements=st.integers(0, 3)), arrays(np.uint8, (9, 5), elements=st.integers(0, 3))
)
def test_nearest_codes_equal_scipy(queries, training):
    np.testing.assert_allclose(
        nearest_by_codes(queries, training).distance, cdist(queries, training, "hamming").min(1)
    )


def test_nearest_features_equal_scipy_over_several_blocks(monkeypatch):
    monkeypatch.setattr(privacy, "CHUNK", 7)
    rng = np.random.default_rng(0)
    queries, training = rng.normal(size=(11, 5)), rng.normal(size=(40, 5))
    expected = cdist(queries, training, "cosine")
    found = nearest_by_features(queries, training)
    np.testing.assert_allclose(found.distance, expected.min(1), atol=1e-12)
    np.testing.assert_array_equal(found.row, expected.argmin(1))


def test_copies_stand_out_and_fresh_drawings_do_not():
    training = real_codes(100)
    fresh, held_out = real_codes(60, seed=1), real_codes(80, seed=2)
    copied = fresh.copy()
    copied[:15] = training[20:35]
    copied[15, :60] = training[0, :60]  # near, but no exact copy
    card = privacy_card(ImageSet(copied), ImageSet(training), ImageSet(held_out))
    assert {key: card["exact_copies"][key] for key in ("copies", "n", "share")} == {
        "copies": 15,
        "n": 60,
        "share": 0.25,
    }
    against = card["code_space"]["baselines"]["held out"]
    assert against["n"] == 80
    assert against["drawings_below_p5"]["drawings"] >= 16
    closest = card["code_space"]["closest"]
    assert closest[1] == {"drawing": 1, "training": 21, "distance": 0} and len(closest) == 6
    assert card["code_space"]["nearest"]["minimum"] == 0
    clean = privacy_card(ImageSet(fresh), ImageSet(training), ImageSet(held_out))
    assert clean["exact_copies"]["copies"] == 0
    assert clean["exact_copies"]["interval"] == (0, pytest.approx(1.96**2 / (60 + 1.96**2), rel=1e-3))
    assert clean["code_space"]["baselines"]["held out"]["drawings_below_p5"]["share"] < 0.2


def test_same_patient_baseline_is_of_the_patients_with_two_radiographs():
    training = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [5, 5, 5, 5], [0, 0, 1, 1]])
    card = privacy_card(ImageSet(np.array([[5, 5, 5, 0]])), ImageSet(training, patients=["a", "a", "b", "a"]))
    assert list(card["code_space"]["baselines"]) == ["same patient"]
    same = card["code_space"]["baselines"]["same patient"]
    assert same["n"] == 3  # b has one radiograph
    assert (same["minimum"], same["median"]) == (0.25, 0.25)


def test_feature_space_and_what_is_missing():
    rng = np.random.default_rng(0)
    training, held_out = rng.normal(size=(50, 8)), rng.normal(size=(30, 8))
    drawn = training[:5] * 2  # the same direction
    card = privacy_card(ImageSet(features=drawn), ImageSet(features=training), ImageSet(features=held_out))
    assert set(card) == {"feature_space"}
    assert card["feature_space"]["nearest"]["median"] == pytest.approx(0, abs=1e-12)
    assert card["feature_space"]["baselines"]["held out"]["drawings_below_p5"]["share"] == 1
    with pytest.raises(ValueError, match="two training images, or held-out"):
        privacy_card(ImageSet(features=drawn), ImageSet(features=training, patients=list(range(50))))
    with pytest.raises(ValueError, match="codes or features of both"):
        privacy_card(ImageSet(features=drawn), ImageSet(codes=real_codes(5)))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="1 of 3 images have NaN"):
        ImageSet(features=np.array([[1.0], [np.nan], [0.0]]))
    with pytest.raises(ValueError, match="one row per image"):
        ImageSet(codes=real_codes(3), patients=["a"])
    with pytest.raises(ValueError, match="images on both sides, got 0 and 5"):
        nearest_by_codes(real_codes(0), real_codes(5))
    with pytest.raises(ValueError, match="1 of 2 held-out likelihoods are NaN"):
        membership(Likelihoods(np.zeros(3), np.array([0, np.nan])))
    with pytest.raises(ValueError, match="for one of training and held-out images alone"):
        membership(Likelihoods(np.zeros(3), np.zeros(3), training_reference=np.zeros(3)))


def test_membership_equals_sklearn():
    rng = np.random.default_rng(0)
    member, other = rng.normal(1.0, 1, 400), rng.normal(0, 1, 300)
    result = membership(Likelihoods(member, other))
    truth, scores = np.repeat([1, 0], [400, 300]), np.concatenate([member, other])
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert result["auc"] == pytest.approx(roc_auc_score(truth, scores))
    assert result["tpr_at_1_percent_fpr"] == pytest.approx(true[false <= 0.01].max())
    assert result["auc_interval"][0] < result["auc"] < result["auc_interval"][1]
    assert (result["has_reference"], result["note"]) == (False, "")


def test_the_reference_takes_away_what_is_likely_for_everyone():
    rng = np.random.default_rng(1)
    easy_member, easy_other = rng.normal(0, 50, 300), rng.normal(0, 50, 300)
    noisy = Likelihoods(easy_member + 2 + rng.normal(size=300), easy_other + rng.normal(size=300))
    sharp = Likelihoods(noisy.training, noisy.held_out, easy_member, easy_other)
    assert abs(membership(noisy)["auc"] - 0.5) < 0.1
    assert membership(sharp)["auc"] > 0.88


def test_a_model_that_remembers_nothing_is_at_chance():
    rng = np.random.default_rng(2)
    result = membership(Likelihoods(rng.normal(size=500), rng.normal(size=500)))
    assert result["auc_interval"][0] < 0.5 < result["auc_interval"][1]
    assert result["tpr_at_1_percent_fpr"] < 0.05


def test_few_held_out_images_cannot_tell_one_percent():
    result = membership(Likelihoods(np.arange(5.0), np.arange(50.0)))
    assert result["tpr_at_1_percent_fpr"] is None
    assert result["note"] == "1% of 50 held-out images is less than one"


def test_a_card_of_codes_alone_says_nothing_of_features():
    codes = real_codes(30)
    card = privacy_card(ImageSet(codes[:5]), ImageSet(codes), ImageSet(real_codes(9, 4)))
    assert set(card) == {"code_space", "exact_copies"}
    assert card["exact_copies"]["copies"] == 5
