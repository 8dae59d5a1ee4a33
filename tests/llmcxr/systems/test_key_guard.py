"""A key in a server's words, in whatever form; and words that only look like one."""

from __future__ import annotations

import base64

import pytest

from llmcxr.systems.key_guard import holds_key

KEY = "sk-Zq9/+vWx7TkP2mNd"


@pytest.mark.parametrize(
    "words",
    [
        KEY,
        f"Bearer {KEY}!",
        "the key Zq9/+v is bad",
        base64.b64encode(base64.b64encode(KEY.encode())).decode(),
        "%73%6B%2D%5A%71%39",
        "***2mNd",
    ],
)
def test_a_piece_of_the_key_is_found(words):
    assert holds_key(words, KEY)


@pytest.mark.parametrize(
    "words",
    ["", "no such model", "max_tokens is too large", "sk-proj is no key", "a" * 10_000, "%zz \\u12 &#;"],
)
def test_other_words_are_shown(words):
    assert not holds_key(words, KEY)


def test_without_a_key_nothing_is_hidden_and_a_short_one_is_found():
    assert not holds_key("anything", "")
    assert holds_key("is abc wrong?", "abc") and not holds_key("is ab wrong?", "abc")
