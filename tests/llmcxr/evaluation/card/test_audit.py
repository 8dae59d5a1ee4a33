"""A system that looks is told from one that does not; swapping never leaves a patient their own image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.common.errors import UserError
from llmcxr.evaluation.card.audit import audit, cover, looks_at_image, tamperings
from llmcxr.metrics.significance import swap_patients


class Accuracy:
    name, inputs, resamples = "accuracy", (), 100

    def value(self, rows):
        return float(rows.mean()) if len(rows) else None


TRUE = ["bright", "dark"] * 20
PATIENTS = [f"p{i}" for i in range(40)]


def radiographs():
    rng = np.random.default_rng(0)
    return [
        np.clip((0.7 if text == "bright" else 0.3) + 0.05 * rng.standard_normal((16, 16)), 0, 1)
        for text in TRUE
    ]


def rows_of(metric, texts):
    return np.array([text == true for text, true in zip(texts, TRUE, strict=True)], float)


def test_a_reader_that_looks_passes_and_one_that_guesses_fails():
    def looks(images):
        return ["bright" if image.mean() > 0.5 else "dark" for image in images]

    def guesses(images):
        return ["bright"] * len(images)

    seen = audit(looks, rows_of, [Accuracy()], radiographs(), PATIENTS, resamples=100)
    assert looks_at_image(seen)
    by_name = {result.tampering: result.comparison for result in seen}
    assert by_name["swapped"].first == 1.0 and by_name["swapped"].difference > 0.2
    assert by_name["blanked"].difference == 0  # a mean survives blanking: the brightness is all it needs
    blind = audit(guesses, rows_of, [Accuracy()], radiographs(), PATIENTS, resamples=100)
    assert not looks_at_image(blind)
    assert all(result.comparison.difference == 0 and result.comparison.p == 1 for result in blind)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.integers(0, 99))
def test_swapping_gives_every_study_another_patients_image(owners, seed):
    patients = [f"p{owner}" for owner in owners]
    if 2 * max(owners.count(owner) for owner in owners) > len(owners):
        with pytest.raises(UserError, match="more than half"):
            swap_patients(patients, np.random.default_rng(seed))
        return
    order = swap_patients(patients, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(owners)))
    assert all(patients[i] != patients[place] for i, place in enumerate(order))


def test_covering_hides_half_of_the_squares_and_nothing_else():
    image = np.random.default_rng(0).random((32, 24)).astype(np.float32)
    covered = cover(image, 0.5, np.random.default_rng(1))
    is_hidden = covered == image.mean()
    assert is_hidden.mean() == 0.5 and (covered[~is_hidden] == image[~is_hidden]).all()
    assert is_hidden[:4, :3].all() or not is_hidden[:4, :3].any()  # one square, 32/8 by 24/8 pixels


def test_tampering_is_decided_by_its_seed():
    one, same, other = (tamperings(radiographs(), PATIENTS, seed)["half covered"] for seed in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
