"""A mistaken text differs in one word that matters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.training.mistakes import mistake, sentences_to_mistake


def test_a_mistake_changes_one_side_zone_grade_or_ratio():
    request = "Large nodule in the right upper zone. Cardiothoracic ratio 0.44."
    rng = np.random.default_rng(0)
    wrong = {mistake(request, rng) for _ in range(200)}
    assert "Large nodule in the left upper zone. Cardiothoracic ratio 0.44." in wrong
    assert "Small nodule in the right upper zone. Cardiothoracic ratio 0.44." in wrong
    assert "Large nodule in the right lower zone. Cardiothoracic ratio 0.44." in wrong
    for text in wrong:
        words = zip(request.split(), text.split(), strict=True)
        changed = [(old, new) for old, new in words if old != new]
        assert len(changed) == 1
        if changed[0][0] == "0.44.":
            assert abs(float(changed[0][1].rstrip(".")) - 0.44) >= 0.05
    assert mistake("Normal chest.", rng) is None


@given(st.integers(0, 10_000))
def test_a_capital_stays_a_capital(seed):
    wrong = mistake("Left pneumothorax.", np.random.default_rng(seed))
    assert wrong in ("Right pneumothorax.", "Bilateral pneumothorax.")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The lungs are clear. Right pacemaker.", ["Right pacemaker."]),
        ("Cardiothoracic ratio 0.62, no edema. Normal.", ["Cardiothoracic ratio 0.62, no edema."]),
        ("No effusion.", []),
    ],
)
def test_sentences_that_can_be_mistaken(text, sentences):
    assert sentences_to_mistake(text) == sentences
