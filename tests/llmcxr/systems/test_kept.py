import json
import subprocess
import sys

import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.guard import check_outputs
from llmcxr.predictor import Asked, TextResult
from llmcxr.systems.kept import PREDICTIONS, KeptPredictions
from llmcxr.systems.prediction_file import Predictions


def test_texts_are_in_the_file_at_once_and_the_file_is_one_of_predictions(tmp_path):
    kept = KeptPredictions(tmp_path / "new" / "kept.jsonl")
    kept.add(Asked("s1"), TextResult("<think>Hm</think>\nClear –\nall."))
    assert Predictions.read(kept.path).reports_for(["s1"]) == ["<think>Hm</think>\nClear –\nall."]
    kept.add(Asked("s1", "Large?"), TextResult(""))
    kept.add(Asked("s2"), TextResult("half \ud800"))
    read = Predictions.read(kept.path)
    assert read.answers_for(["s1"], ["Large?"]) == [""] and kept.count == 3
    assert read.reports_for(["s1", "s2"])[1] == "half ?"


def test_what_an_earlier_run_kept_is_moved_aside_once_there_is_something_new(tmp_path):
    path = tmp_path / "kept.jsonl"
    KeptPredictions(path).add(Asked("s1"), TextResult("First."))
    again = KeptPredictions(path)
    assert "First." in path.read_text() and not again.former.exists()
    again.add(Asked("s1"), TextResult("Second."))
    again.add(Asked("s2"), TextResult("Third."))
    assert [json.loads(line)["report"] for line in path.read_text().splitlines()] == ["Second.", "Third."]
    assert "First." in again.former.read_text()


@pytest.mark.parametrize(
    "text",
    ["image,text\na.png,Clear.\n", '{"image": "a.png", "text": "x"}\n', "no JSON", '["id", "report"]\n'],
)
def test_a_file_of_another_kind_is_not_replaced(tmp_path, text):
    path = tmp_path / "kept.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match="which would be lost"):
        check_outputs([], (path, PREDICTIONS))
    with pytest.raises(UserError, match=r"ends in \.jsonl"):
        KeptPredictions(tmp_path / "kept.csv")


def test_a_second_process_is_refused_before_it_asks_anything(tmp_path):
    kept = KeptPredictions(tmp_path / "kept.jsonl")
    second = "import sys; from pathlib import Path; from llmcxr.systems.kept import KeptPredictions as K\n"
    second += "with K(Path(sys.argv[1])).alone(): pass"
    with kept.alone():
        kept.add(Asked("s1"), TextResult("Clear."))
        done = subprocess.run([sys.executable, "-c", second, str(kept.path)], capture_output=True, text=True)
    assert done.returncode == 1 and "another process is at work here" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kept.jsonl"]
