"""JSON lines: whole and malformed."""

from __future__ import annotations

import pytest

from llmcxr.common.errors import UserError
from llmcxr.data import text_files
from llmcxr.data.json_lines import read_json_lines


def test_objects_and_their_places(tmp_path):
    (tmp_path / "a.jsonl").write_text('\ufeff{"a": 1}\n\n{"b": "\\ud83d\\ude00"}\n', encoding="utf-8")
    found = list(read_json_lines(tmp_path / "a.jsonl"))
    assert found == [(1, 1, {"a": 1}), (2, 3, {"b": "😀"})]


def test_a_list_of_objects_over_several_lines(tmp_path):
    (tmp_path / "a.json").write_text('\n[\n  {"a": 1},\n  {"a": 2}\n]\n')
    assert list(read_json_lines(tmp_path / "a.json")) == [(1, 2, {"a": 1}), (2, 2, {"a": 2})]
    for content in ('[{"SECRET": 1},', '[{"a": 1}]\n{"SECRET": 1}', '[{"a": 1}, "SECRET"]', "[" * 100_000):
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(UserError, match="the list that begins in line 1") as raised:
            list(read_json_lines(tmp_path / "a.json"))
        assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize("line", ['{"a": 1}', '{"a": [' + "[]," * 999 + "[]]}", '{"a": "' + "x" * 999 + '"}'])
def test_rows_that_take_too_much_memory_are_refused_before_they_do(tmp_path, monkeypatch, line):
    monkeypatch.setattr(text_files, "MOST_MEMORY", 10**6)
    (tmp_path / "a.jsonl").write_text(f"{line}\n" * 3000)
    with pytest.raises(UserError, match="take at most 0 MB of memory, found more at row"):
        list(read_json_lines(tmp_path / "a.jsonl"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"SECRET": ', "text that is none"),
        ("[" * 100_000, "text that is none"),
        ('{"a":' * 100_000, "text that is none"),
        ("1" * 5000, "text that is none"),  # an integer of more digits than Python reads
        ('["SECRET"]', "found a list"),
        ('{"SECRET": 1, "SECRET": 2}', "found one twice"),
        ('{"a": {"SECRET": 1, "SECRET": 2}}', "found one twice"),
        ('{"a": "SECRET\\ud800"}', "half a character"),
    ],
)
def test_a_line_that_is_no_object_is_named_and_not_shown(tmp_path, line, says):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n' + line + "\n")
    with pytest.raises(UserError, match=says) as raised:
        list(read_json_lines(tmp_path / "a.jsonl"))
    assert "row 2 (line 3)" in str(raised.value) and "SECRET" not in str(raised.value)
