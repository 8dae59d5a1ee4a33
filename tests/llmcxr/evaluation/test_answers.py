import pytest

from llmcxr.evaluation.answers import is_right


@pytest.mark.parametrize(
    ("answer", "reference", "kind", "right"),
    [
        ("Yes, on the right.", "Yes.", "presence", True),
        ("No.", "Yes.", "presence", False),
        ("", "No.", "presence", False),
        ("0.53.", "0.51.", "measurement", True),
        ("0.55", "0.51.", "measurement", False),
        ("enlarged", "0.51.", "measurement", False),
        ("in the right lower zone", "In the right lower zone.", "location", True),
        ("In the left lower zone.", "In the right lower zone.", "location", False),
        ("pa", "PA.", "view", True),
    ],
)
def test_is_right(answer, reference, kind, right):
    assert is_right(answer, reference, kind) is right
