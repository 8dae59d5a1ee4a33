"""The first of many."""

from llmcxr.common.listing import list_first


def test_only_what_is_left_out_has_dots():
    assert list_first([2, 5, 9, 11], 3) == "2, 5, 9, ..."
    assert list_first(("a", "b"), 2) == "a, b"
    assert list_first([], 2) == ""
