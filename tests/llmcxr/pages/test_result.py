import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmcxr.common.terminal import STDOUT
from llmcxr.images import FIGURE, to_picture, to_png
from llmcxr.pages.document import PAGE, Paragraph, Plot
from llmcxr.pages.result import RESULTS, Result, deliver

RESULT = Result({"f1": 0.5}, [Paragraph("F1 is 0.5.")], [Plot("Curve", to_png(np.eye(3)))])


def test_markdown_is_printed_and_the_named_files_are_written(tmp_path, capsys):
    names = [tmp_path / name for name in ("a.json", "a.html", "a.png")]
    deliver("A model", RESULT.about(dataset="toy"), *names)
    assert capsys.readouterr().out == "# A model\n\nF1 is 0.5.\n\n"
    written = json.loads(names[0].read_text())
    assert written.pop("written_by").startswith("llmcxr ") and written == {"dataset": "toy", "f1": 0.5}
    page = names[1].read_text()
    assert "<h1>A model</h1>" in page and "F1 is 0.5." in page and 'alt="Curve"' in page
    np.testing.assert_array_equal(Image.open(names[2]), to_picture(np.eye(3)))
    for name, kind in zip(names, (RESULTS, PAGE, FIGURE), strict=True):
        assert kind.has(name) and not any(kind.has(other) for other in names if other != name)


@pytest.mark.parametrize("name", [STDOUT, Path("-")])
def test_json_alone_is_printed_for_a_dash(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    deliver("A model", RESULT, name)
    assert json.loads(capsys.readouterr().out) == {"f1": 0.5}
    assert list(tmp_path.iterdir()) == []
