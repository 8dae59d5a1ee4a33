import pytest

from llmcxr.metrics.reports.tokens import count_ngrams, tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("No effusion.", ["no", "effusion"]),
        (
            "A 2.5 cm nodule, left-sided; 1,000 mL (stable)",
            ["a", "2.5", "cm", "nodule", "left-sided", "1,000", "ml", "stable"],
        ),
        ("cardiomegaly/edema", ["cardiomegaly", "/", "edema"]),
        ("doesn't fill 50% of it - mostly", ["doesn't", "fill", "50", "%", "of", "it", "mostly"]),
        ("heart.Lungs", ["heart", "lungs"]),
        ("3rd rib, C3-4", ["3rd", "rib", "c3-4"]),
        ("", []),
        (" .,;\n", []),
    ],
)
def test_words_without_punctuation(text, tokens):
    assert tokenize(text) == tokens


def test_ngrams_are_counted():
    assert count_ngrams(["a", "b", "a", "b"], 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert not count_ngrams(["a"], 2)
