"""What may follow what, for every grid and any text around an image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.decoding.grammar import ImageGrammar
from llmcxr.prompts.vocabulary import ImageVocabulary

TEXT_WORDS = 20  # boi and eoi among them


@st.composite
def vocabularies(draw):
    grid = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    return ImageVocabulary(grid, draw(st.integers(1, 9)), TEXT_WORDS, 5, 6, draw(st.booleans()))


@given(vocabularies(), st.lists(st.integers(7, TEXT_WORDS - 1)), st.data())
def test_after_boi_come_the_words_of_every_cell_in_turn_and_then_eoi(vocabulary, text, data):
    grammar, written = ImageGrammar(vocabulary), [*text, vocabulary.boi_id]
    for cell in range(vocabulary.num_cells):
        allowed = grammar.allowed(written)
        assert (allowed.start, allowed.stop) == tuple(vocabulary.token_range(cell))
        written.append(data.draw(st.sampled_from(allowed)))
    assert list(grammar.allowed(written)) == [vocabulary.eoi_id]
    assert vocabulary.to_codes(written[-vocabulary.num_cells :]).shape == vocabulary.grid
    written.append(vocabulary.eoi_id)
    assert grammar.allowed(written) == range(TEXT_WORDS)


@given(vocabularies(), st.lists(st.integers(7, TEXT_WORDS - 1)))
def test_no_image_word_stands_in_text(vocabulary, text):
    assert max(ImageGrammar(vocabulary).allowed(text)) < vocabulary.image_token_offset


@pytest.mark.parametrize("has_cell_tokens", [True, False])
def test_two_images_are_each_whole(has_cell_tokens):
    vocabulary = ImageVocabulary((1, 2), 3, TEXT_WORDS, 5, 6, has_cell_tokens)
    first = [vocabulary.token_range(cell)[0] for cell in range(2)]
    written = [5, *first, 6, 9, 5, first[0]]
    allowed = ImageGrammar(vocabulary).allowed(written)
    assert (allowed.start, allowed.stop) == tuple(vocabulary.token_range(1))
