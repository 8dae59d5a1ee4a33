"""One form of string opens everything; a table's entry and its opener's signature are all a kind needs."""

from __future__ import annotations

import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.specs import (
    call_opener,
    find_opener,
    list_keys,
    list_needed,
    parse_spec,
    takes_place,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nih:DIR,split=train", ("nih", "DIR", {"split": "train"})),
        ("phantom:n=4000, seed=0 ", ("phantom", "", {"n": "4000", "seed": "0"})),
        ("phantom:", ("phantom", "", {})),
        ("phantom", ("phantom", "", {})),
        ("csv:C:\\a, b\\x.csv", ("csv", "C:\\a, b\\x.csv", {})),
        ("openi:a,b=c/d,images=e", ("openi", "a", {"b": "c/d", "images": "e"})),
        (
            "openai:http://a:8000/v1,model=org/name:tag",
            ("openai", "http://a:8000/v1", {"model": "org/name:tag"}),
        ),
    ],
)
def test_a_string_is_taken_apart(text, parts):
    spec = parse_spec(text)
    assert (spec.kind, spec.place, spec.settings) == parts and spec.text == text


def test_a_kind_without_keys_keeps_all_for_its_place():
    spec = parse_spec("file:a,b=c.csv", has_keys=False)
    assert (spec.place, spec.settings) == ("a,b=c.csv", {})


def open_all(path, n: int | None = None, share: float = 0.5, device: str = "cpu", **others):
    return path, n, share, device


def compute(n: int = 3):
    return n


def test_a_signature_says_what_an_opener_takes():
    assert takes_place(open_all) and not takes_place(compute)
    keys = list_keys(open_all)
    assert {name: key.annotation for name, key in keys.items()} == {"n": int, "share": float}
    assert list_needed(open_all) == [] and list_needed(lambda path, bert: None) == ["bert"]
    assert call_opener(open_all, parse_spec("a:b,n=3,share=1"), lambda: "cuda") == ("b", 3, 1.0, "cuda")
    assert call_opener(compute, parse_spec("a:n=4")) == 4
    with pytest.raises(UserError, match="a:b,n=many: expected n to be int, found 'many'"):
        call_opener(open_all, parse_spec("a:b,n=many"))


def test_an_entry_is_a_callable_or_where_one_is_found():
    assert find_opener(compute) is compute
    assert find_opener(("llmcxr.common.specs", "Spec.__init__")).__name__ == "__init__"


def skip(bad: bool = False):
    return bad


@pytest.mark.parametrize(
    ("word", "value"), [("yes", True), ("True", True), ("1", True), ("no", False), ("0", False)]
)
def test_yes_and_no(word, value):
    assert call_opener(skip, parse_spec(f"a:bad={word}")) is value


def test_another_word_than_yes_or_no_is_named():
    with pytest.raises(UserError, match="expected bad to be yes or no, found 'maybe'"):
        call_opener(skip, parse_spec("a:bad=maybe"))
