import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.plugins import VARIABLE, load_plugins


def test_every_file_is_imported_once_those_of_the_variable_first(tmp_path, monkeypatch):
    table = tmp_path / "order.txt"
    for name in ("first", "second"):
        line = f"open({str(table)!r}, 'a').write('{name} ')\n"
        (tmp_path / f"{name}.py").write_text(line)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "first.py"))
    for _ in range(2):
        load_plugins([tmp_path / "second.py", str(tmp_path / "first.py")])
    assert table.read_text() == "first second "


def test_a_dataclass_of_a_plugin_finds_its_module(tmp_path):
    source = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    (tmp_path / "settings.py").write_text(source + "@dataclass\nclass Settings:\n    size: int = 3\n")
    load_plugins([tmp_path / "settings.py"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.py", None, r"missing\.py: expected a plug-in, .*no such file"),
        ("notes.txt", "", "another ending"),
        ("broken.py", "import nowhere_at_all", "found ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("typo.py", "def", "found SyntaxError"),
    ],
)
def test_a_missing_or_failing_file_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    for _ in range(2):  # a failure leaves nothing behind
        with pytest.raises(UserError, match=message):
            load_plugins([tmp_path / name])
