import pytest

from llmcxr.metrics.answers.matchers import (
    is_exact,
    is_near,
    is_option,
    is_right,
    pick_option,
    read_yes_no,
    token_overlap,
)

SIDES = ["right", "left", "both sides"]
ZONES = ["right lower zone", "right upper zone", "right"]


@pytest.mark.parametrize(
    ("answer", "options", "picked"),
    [
        ("B", SIDES, 1),
        ("(b)", SIDES, 1),
        ("b) left", SIDES, 1),
        ("C. Both sides.", SIDES, 2),
        ("The answer is B because of the shadow", SIDES, 1),
        ("Answer: (a)", SIDES, 0),
        ("It is on the left.", SIDES, 1),
        ("BOTH SIDES", SIDES, 2),
        ("Left or right", SIDES, None),  # names two
        ("A. left", SIDES, None),  # letter and words disagree
        ("D", SIDES, None),  # no such option
        ("A large one", SIDES, None),  # an article, not a letter
        ("The answer is a large left one", SIDES, 1),
        ("bright", SIDES, None),  # holds "right", but not as a word
        ("", SIDES, None),
        ("In the right lower zone.", ZONES, 0),  # not also "right", which it holds
        ("On the right.", ZONES, 2),
        ("right lower zone, and on the right", ZONES, None),
    ],
)
def test_pick_option(answer, options, picked):
    assert pick_option(answer, options) == picked


def test_an_option_is_right_by_letter_or_words():
    assert is_option("B", "left", SIDES) and is_option("left", "B", SIDES)
    assert not is_option("A", "left", SIDES) and not is_option("who knows", "left", SIDES)
    with pytest.raises(ValueError, match="one of 3 options"):
        is_option("A", "behind", SIDES)


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        ("In the right lower zone.", "the right lower zone", 2 * 3 / (4 + 3)),  # "the" dropped
        ("right right", "right", 2 * 1 / 3),  # a word counts as often as in the reference
        ("A left effusion", "left effusion", 1.0),
        ("left", "right", 0.0),
        ("", "", 1.0),
        ("the", "", 1.0),  # nothing left of either
        ("", "left", 0.0),
        ("left-sided", "leftsided", 1.0),  # SQuAD drops punctuation inside words
    ],
)
def test_token_overlap(answer, reference, f1):
    assert token_overlap(answer, reference) == pytest.approx(f1)


def test_is_near_reads_the_first_number_of_each():
    assert is_near("about 0.53 or so", "0.50", 0.03) and not is_near("0.54", "0.50.", 0.03)
    assert not is_near("enlarged", "0.50", 0.03)
    with pytest.raises(ValueError, match="a reference with a number"):
        is_near("0.5", "enlarged", 0.03)


def test_is_exact_ignores_case_and_punctuation_and_no_word():
    assert is_exact("pa", "PA.") and not is_exact("PA view", "PA.")


def test_a_measurement_without_a_number_is_compared_by_words():
    assert is_right("Not measurable", "not measurable.", "measurement")


@pytest.mark.parametrize(
    ("text", "said"), [("Yes, left.", True), ("no", False), ("Not at all", None), ("", None)]
)
def test_read_yes_no(text, said):
    assert read_yes_no(text) is said


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
