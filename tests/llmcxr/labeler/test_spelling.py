import pytest

from llmcxr.labeler.spelling import REAL_WORDS, WORDS, correct, nearest


@pytest.mark.parametrize(
    ("misspelt", "word"),
    [
        ("plueral", "pleural"),
        ("effussion", "effusion"),
        ("efusion", "effusion"),
        ("atelectatsis", "atelectasis"),
        ("cardiomegally", "cardiomegaly"),
        ("pnuemothroax", "pneumothorax"),  # two slips in a long word
        ("edma", "edema"),
    ],
)
def test_one_slip_is_mended(misspelt, word):
    assert nearest(misspelt) == word
    assert correct(f"no {misspelt}, stable.") == f"no {word}, stable."


@pytest.mark.parametrize(
    "word", ["infusion", "module", "consideration", "infiltrated", "formal", "enema", "heart"]
)
def test_real_words_stay(word):
    assert nearest(word) == word


def test_words_are_not_near_to_each_other():
    assert all(nearest(word) == word for word in (*WORDS, *REAL_WORDS))


def test_a_word_longer_than_any_term_is_left_as_it_is_at_once():
    word = "a" * 100_000
    assert nearest(word) is word
