from hypothesis import given
from hypothesis import strategies as st

from llmcxr.metrics.reports.porter import stem

_ENDINGS = "ational izer bli alli ization fulli logi icate ative ness ement ion ing ed eed ied ies y e ll s"
ENDINGS = _ENDINGS.split()
STEMS = {
    "effusions": "effus",
    "enlarged": "enlarg",
    "enlargement": "enlarg",
    "opacities": "opac",
    "consolidation": "consolid",
    "consolidated": "consolid",
    "normally": "normal",
    "as": "as",
    "skies": "sky",
    "dies": "die",
}


def test_words_of_the_field():
    assert {word: stem(word) for word in STEMS} == STEMS


@given(st.text("aeioulstybrnc", max_size=7), st.sampled_from(ENDINGS), st.sampled_from(["", *ENDINGS]))
def test_equals_nltk(beginning, ending, second_ending):
    from nltk.stem.porter import PorterStemmer

    word = beginning + ending + second_ending
    assert stem(word) == PorterStemmer().stem(word)


@given(st.text(max_size=9).map(str.lower))
def test_any_text_has_a_stem(word):
    stem(word)
