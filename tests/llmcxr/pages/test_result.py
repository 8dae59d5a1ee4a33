import json
from pathlib import Path

import pytest

from llmcxr.common.terminal import STDOUT
from llmcxr.pages.document import Paragraph, Plot
from llmcxr.pages.result import Result, deliver

RESULT = Result({"f1": 0.5}, [Paragraph("F1 is 0.5.")], [Plot("Curve", b"png")])


def test_markdown_is_printed_and_the_named_files_are_written(tmp_path, capsys):
    names = [tmp_path / name for name in ("a.json", "a.html", "a.png")]
    deliver("A model", RESULT.about(dataset="toy"), *names)
    assert capsys.readouterr().out == "# A model\n\nF1 is 0.5.\n\n"
    assert json.loads(names[0].read_text()) == {"dataset": "toy", "f1": 0.5}
    page = names[1].read_text()
    assert "<h1>A model</h1>" in page and "F1 is 0.5." in page and 'alt="Curve"' in page
    assert names[2].read_bytes() == b"png"


@pytest.mark.parametrize("name", [STDOUT, Path("-")])
def test_json_alone_is_printed_for_a_dash(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deliver("A model", RESULT, name)
    assert json.loads(capsys.readouterr().out) == {"f1": 0.5}
    assert list(tmp_path.iterdir()) == []
