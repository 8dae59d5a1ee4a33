import csv
import json
from pathlib import Path

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.outputs.notices import DISCLAIMER
from llmcxr.outputs.reading import Radiograph, Reading
from llmcxr.outputs.reading_file import find_kind, open_file
from llmcxr.predictor import ReportResult
from llmcxr.reports import parse_sections

TEXT = 'FINDINGS: Clear, "no" effusion.\nIMPRESSION: Normal.'


def _read(name: str) -> Reading:
    radiograph = Radiograph(Path(name), np.zeros((32, 32), np.float32), ("one even grey", "too small"))
    return Reading(radiograph, ReportResult(TEXT, report=parse_sections(TEXT)), "tiny", False)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv"])
def test_a_file_is_recognised_and_may_be_written_again(tmp_path, name):
    for count in (2, 1):
        path = tmp_path / name
        assert find_kind(path).has(path)
        with open_file(path) as write:
            for number in range(count):
                write(_read(f"{number}.png"))
    other = tmp_path / f"other{path.suffix}"
    other.write_text("image,text\n")
    assert not find_kind(other).has(other)


def test_a_table_has_a_row_a_reading(tmp_path):
    with open_file(tmp_path / "a.csv") as write:
        write(_read("films/1.png"))
        write(_read("films/2\udc80.png"))  # a name that is no text
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "id": "films/1.png",
        "report": TEXT,
        "findings": 'Clear, "no" effusion.',
        "impression": "Normal.",
        "warnings": "one even grey; too small",
    }
    assert second["id"] == "films/2\\udc80.png"


def test_a_text_has_the_image_above_each_report(tmp_path):
    with open_file(tmp_path / "a.txt") as write:
        write(_read("1.png"))
    written = (tmp_path / "a.txt").read_text()
    assert written == '== 1.png\nFINDINGS\nClear, "no" effusion.\n\nIMPRESSION\nNormal.\n\n'


def test_lines_are_json_under_any_name(tmp_path):
    with open_file(tmp_path / "a.csv", ".jsonl") as write:
        write(_read("1.png"))
    assert json.loads((tmp_path / "a.csv").read_text())["disclaimer"] == DISCLAIMER


@pytest.mark.parametrize("name", ["a", "a.json", "a.png", "."])
def test_other_endings_are_refused(name):
    with pytest.raises(UserError, match=r"ends in \.txt, \.jsonl, \.csv"):
        find_kind(Path(name))
