"""Work continues past a bad input, and lists it."""

from __future__ import annotations

import json
import logging
import os

import pytest

from llmcxr.common.errors import UserError
from llmcxr.common.rejections import Rejections


def test_bad_inputs_are_listed_and_counted(tmp_path, caplog):
    path = tmp_path / "run" / "rejected.jsonl"
    done = []
    with caplog.at_level(logging.WARNING), Rejections(path) as rejections:
        for name in ("a", "b", "c"):
            with rejections.skip(name):
                if name == "b":
                    raise UserError("b: expected é, found e")
                done.append(name)
    assert done == ["a", "c"] and len(rejections) == 1
    assert json.loads(path.read_text()) == {"name": "b", "reason": "b: expected é, found e"}
    assert "left out 1 " in caplog.text and "rejected.jsonl" in caplog.text


def test_an_interruption_still_writes_the_list_and_a_bug_is_no_rejection(tmp_path):
    path = tmp_path / "rejected.jsonl"
    with pytest.raises(KeyError), Rejections(path) as rejections:
        rejections.add("a", "bad")
        with rejections.skip("b"):
            raise KeyError
    assert len(path.read_text().splitlines()) == 1


def test_a_clean_run_leaves_no_list_of_an_earlier_one(tmp_path, caplog):
    path = tmp_path / "rejected.jsonl"
    path.write_text('{"name": "a", "reason": "damaged"}\n')
    with Rejections(path):
        pass
    assert not path.exists() and caplog.text == ""


@pytest.mark.parametrize("held", ["old", "[1]", '{"name": "a"}', '{"name": "", "reason": "", "c": 1}', "\0"])
def test_a_file_that_is_no_list_of_rejections_is_kept(tmp_path, held):
    path = tmp_path / "rejected.jsonl"
    path.write_text(held)
    with pytest.raises(UserError, match="expected a list of rejections, or no file yet, found another"):
        Rejections(path)
    assert path.read_text() == held


def test_nothing_rejected_leaves_an_empty_file_and_a_device_alone(tmp_path):
    path = tmp_path / "rejected.jsonl"
    path.touch()
    for place in (path, "/dev/null"):
        with Rejections(place):
            pass
    assert path.exists() and os.path.exists("/dev/null")


def test_a_name_that_is_no_text_is_listed_too(tmp_path):
    path = tmp_path / "rejected.jsonl"
    name = os.fsdecode(b"f\xe4.png")
    with Rejections(path) as rejections:
        rejections.add(name, f"{name}: damaged")
    assert json.loads(path.read_text()) == {"name": name, "reason": f"{name}: damaged"}
