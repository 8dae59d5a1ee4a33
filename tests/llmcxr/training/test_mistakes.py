"""A mistaken text differs in one word that matters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.training.mistakes import mistake, sentences_to_mistake


def mistakes(text, n=300):
    rng = np.random.default_rng(0)
    return {mistake(text, rng) for _ in range(n)}


def test_a_mistake_changes_one_side_kind_zone_grade_or_ratio():
    request = "Large nodule in the right upper zone. Cardiothoracic ratio 0.44."
    wrong = mistakes(request)
    assert "Large nodule in the left upper zone. Cardiothoracic ratio 0.44." in wrong
    assert "Large consolidation in the right upper zone. Cardiothoracic ratio 0.44." in wrong
    assert "Small nodule in the right upper zone. Cardiothoracic ratio 0.44." in wrong
    assert "Large nodule in the right lower zone. Cardiothoracic ratio 0.44." in wrong
    for text in wrong:
        words = zip(request.split(), text.split(), strict=True)
        changed = [(old, new) for old, new in words if old != new]
        assert len(changed) == 1
        if changed[0][0] == "0.44.":
            assert abs(float(changed[0][1].rstrip(".")) - 0.44) >= 0.05
    assert mistakes("Normal chest.") == {None}


def test_another_name_of_the_same_is_no_mistake():
    assert mistakes("Central line.") == {"Pacemaker."}
    assert mistakes("Pleural effusion.") == {"Pneumothorax."}
    assert mistakes("mass") == {"consolidation", "atelectasis"}


@given(st.integers(0, 10_000))
def test_a_capital_stays_a_capital(seed):
    wrong = mistake("Left pacemaker.", np.random.default_rng(seed))
    words = [word.istitle() for word in wrong.split()]
    assert words[0] and not any(words[1:])


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("The lungs are clear. Right pacemaker.", ["Right pacemaker."]),
        ("Cardiothoracic ratio 0.62, no edema. Normal.", []),
        ("Cardiothoracic ratio 0.62, edema. Normal.", ["Cardiothoracic ratio 0.62, edema."]),
        ("No effusion.", []),
    ],
)
def test_sentences_that_can_be_mistaken(text, sentences):
    assert sentences_to_mistake(text) == sentences
