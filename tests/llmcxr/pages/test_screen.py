import sys

import pytest

from llmcxr.pages.document import Bars, Heading, Paragraph, Table
from llmcxr.pages.result import Result, deliver
from llmcxr.pages.screen import show

WIDE = Table(["finding", "n", "F1 [uncertain]", "recall"], [["edema", "7", "1.000 (0.9-1.0)", "0.5"]])
SHORT = Table(WIDE.header, WIDE.rows, num_shown=3)


def test_headings_sentences_and_tables_are_shown_and_figures_are_not(capsys):
    bars = Bars("bars", [("a", 0.5, None, 1)])
    assert not show([Heading("A [b] title"), Paragraph("**Few** images."), WIDE, bars])
    shown = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip(" ─╶╴")]
    assert shown == [
        ["A", "[b]", "title"],
        ["Few", "images."],
        ["finding", "n", "F1", "[uncertain]", "recall"],
        ["edema", "7", "1.000", "(0.9-1.0)", "0.5"],
    ]


@pytest.mark.parametrize(
    ("table", "missing"),
    [(SHORT, "recall"), (Table(WIDE.header, WIDE.rows, "details", folded=True), "edema")],
)
def test_a_terminal_shows_the_first_columns_and_nothing_folded(capsys, table, missing):
    assert show([table])
    assert missing not in capsys.readouterr().out


def test_a_terminal_is_told_where_the_rest_is(capsys, monkeypatch, tmp_path):
    result = Result({"f1": 0.5}, [SHORT])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    deliver("A model", result)
    said = capsys.readouterr()
    assert "recall" not in said.out and "--json FILE and --html FILE have every figure" in said.err
    files = [tmp_path / "a.json", tmp_path / "a.html"]
    deliver("A model", result, *files)
    assert capsys.readouterr().err == f"written: {files[0]}, {files[1]}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    deliver("A model", result)
    assert "| recall |" in capsys.readouterr().out.replace("---", "")
