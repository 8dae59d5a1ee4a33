import pytest

from llmcxr.reports.repetition import is_repetitive

FINDINGS = ("effusion", "edema", "pneumothorax", "nodule", "mass", "consolidation", "atelectasis", "fracture")
NORMAL = " ".join(f"There is no {finding}." for finding in FINDINGS)


@pytest.mark.parametrize(
    "text",
    [
        "effusion " * 20,
        "No, no, no, no.",
        "no pleural effusion " * 10,
        "The lungs are clear. " * 6,
        f"{NORMAL} Small small small small.",
        f"{NORMAL} The heart is large, the heart is large, the heart is large, the heart is large.",
        "a b b a b a a b b a a b a b b a b a a b a b b a",  # never thrice in a row; 22 3-grams, 6 of them new
        "0 0 0 0",
    ],
)
def test_words_over_and_over(text):
    assert is_repetitive(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Clear.",
        NORMAL,
        NORMAL.replace("There is", "There is no evidence of"),
        " ".join(f"No {finding}." for finding in FINDINGS * 2),
        f"{NORMAL} {NORMAL}",
        "Lungs: normal. Heart: normal. Pleura: normal. Bones: normal. Lines: none. Tubes: none.",
        "The lungs are clear. The lungs are clear.",
        "1. None. 2. None. 3. None. 4. None. 5. None.",
    ],
)
def test_words_that_come_again_by_nature(text):
    assert not is_repetitive(text)
