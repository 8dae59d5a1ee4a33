"""Codes <-> token ids, and a text tokenizer in which typed image tokens stay text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from llmcxr.prompts.vocabulary import ImageVocabulary, add_image_tokens, train_text_tokenizer

TEXTS = ["Large right pleural effusion.", "No pneumothorax.", "Cardiothoracic ratio 0.57."]


@pytest.fixture(scope="module")
def text_tokenizer():
    return train_text_tokenizer(TEXTS, 300, ["<|start|>", "<|end|>"], "<|end|>")


def test_ids_worked_by_hand():
    per_cell = ImageVocabulary((2, 2), 10, 100, 1, 2)
    assert per_cell.to_token_ids(np.array([[3, 0], [9, 1]])).tolist() == [103, 110, 129, 131]
    per_code = ImageVocabulary((2, 2), 10, 100, 1, 2, has_cell_tokens=False)
    assert per_code.to_token_ids(np.array([[3, 0], [9, 1]])).tolist() == [103, 100, 109, 101]
    assert per_cell.size == 140 and per_code.size == 110


@given(
    data=st.data(),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    size=st.integers(1, 30),
    has=st.booleans(),
)
def test_codes_survive_the_round_trip(data, rows, columns, size, has):
    vocabulary = ImageVocabulary((rows, columns), size, 50, 1, 2, has)
    codes = data.draw(st.lists(st.integers(0, size - 1), min_size=rows * columns, max_size=rows * columns))
    codes = np.array(codes).reshape(rows, columns)
    ids = vocabulary.to_token_ids(codes)
    assert (vocabulary.to_codes(ids) == codes).all()
    for cell, word in enumerate(ids):
        first, stop = vocabulary.token_range(cell)
        assert first <= word < stop


def test_codes_and_ids_that_cannot_be_are_refused():
    vocabulary = ImageVocabulary((2, 2), 10, 100, 1, 2)
    with pytest.raises(ValueError, match=r"\(2, 2\) grid"):
        vocabulary.to_token_ids(np.zeros((2, 3), int))
    with pytest.raises(ValueError, match=r"0\.\.9"):
        vocabulary.to_token_ids(np.full((2, 2), 10))
    with pytest.raises(ValueError, match="not an image token"):
        vocabulary.to_codes(np.array([100, 100, 120, 130]))  # a word of cell 0 in cell 1


@pytest.mark.parametrize("has_cell_tokens", [True, False])
def test_image_tokens_are_vocabulary_but_cannot_be_typed(text_tokenizer, has_cell_tokens, tmp_path):
    tokenizer, vocabulary = add_image_tokens(text_tokenizer, (2, 3), 7, has_cell_tokens)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert len(loaded) == vocabulary.size
    words = list(vocabulary.tokens())
    assert loaded.convert_tokens_to_ids(words) == list(range(vocabulary.image_token_offset, vocabulary.size))
    typed = loaded(words[0] + "<|boi|>", split_special_tokens=True).input_ids
    assert max(typed) < vocabulary.image_token_offset and vocabulary.boi_id not in typed
    assert loaded.decode(typed) == words[0] + "<|boi|>"


def test_any_text_survives_and_ids_of_the_text_tokenizer_stay(text_tokenizer):
    tokenizer, _ = add_image_tokens(text_tokenizer, (2, 2), 5, True)
    for text in [*TEXTS, "Übersicht: 心臓 0.5", ""]:
        assert tokenizer(text).input_ids == text_tokenizer(text).input_ids
        assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_digits_are_spelled(text_tokenizer):
    assert [text_tokenizer.decode([i]) for i in text_tokenizer("0.57").input_ids] == ["0", ".", "5", "7"]


@pytest.mark.parametrize("numbers", [((2, 2), 4, 10, [1], 2), ((2, 2), 4, 10, 1.5, 2), ((2,), 4, 10, 1, 2)])
def test_numbers_of_another_kind_are_refused(numbers):
    with pytest.raises(ValueError, match="expected whole numbers"):
        ImageVocabulary(*numbers)
