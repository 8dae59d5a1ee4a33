"""Options that several commands share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path

import pytest

from llmcxr.cli.options import options_of, take_skip_bad


@pytest.mark.usefixtures("house")
def test_json_goes_to_a_file_beside_the_text_or_alone_to_stdout(run, radiograph):
    pixels = radiograph.read_bytes()
    texts = run("report", radiograph)[1]
    for given in (["--json", "out.jsonl", radiograph], [radiograph, "--json=out.jsonl"]):
        assert run("report", *given)[:2] == (0, texts)
        assert json.loads(Path("out.jsonl").read_text())["image"] == "radiograph.png"
    for given in (
        ["--json", radiograph],
        [radiograph, "--json"],
        [radiograph, "--json", "-"],
        [radiograph, "--json", "--seed", "0"],
    ):
        assert json.loads(run("report", *given)[1])["image"] == "radiograph.png"  # and the picture is whole
    assert radiograph.read_bytes() == pixels
    assert run("report", radiograph, radiograph, "--json", "out.jsonl")[1].count("== radiograph.png\n") == 2
    assert len(Path("out.jsonl").read_text().splitlines()) == 2
    assert "grid: [2, 4]" in run("info", "phantom", "--json", "info.json")[1]
    assert json.loads(Path("info.json").read_text())["codebook_size"] == 10
    assert run("report", radiograph, "--json", "radiograph.png/a.json")[0] == 2


def asked(dataset: str, n: int = 1) -> None:
    """Do nothing."""
    SEEN.append((dataset, n))


SEEN: list[tuple[str, int]] = []


@pytest.mark.parametrize(
    ("dataset", "opened"),
    [
        ("csv:a.csv", "csv:a.csv,skip_bad=yes"),
        ("folder:a.csv,split=val", "folder:a.csv,split=val,skip_bad=yes"),
        ("nih:a,skip_bad=no", "nih:a,skip_bad=no"),
        ("phantom:n=2", "phantom:n=2"),  # has no table
        ("nothing:a", "nothing:a"),
    ],
)
def test_skip_bad_is_an_option_of_every_command_with_a_dataset(dataset, opened):
    command = take_skip_bad(asked)
    assert list(signature(command).parameters) == ["dataset", "n", "skip_bad"]
    command(dataset=dataset, n=3, skip_bad=True)
    command(dataset=dataset, n=4, skip_bad=False)
    assert SEEN[-2:] == [(opened, 3), (dataset, 4)]
    assert take_skip_bad(signature) is signature


@dataclass(frozen=True)
class Size:
    height: int = field(default=2, metadata={"help": "Rows.", "min": 1})
    width: int = field(default=3, metadata={"help": "Columns."})


def test_a_command_gets_an_option_for_each_field_of_its_settings():
    seen = []

    @options_of(Size)
    def command(name: str, settings: Size) -> None:
        seen.append((name, settings))

    parameters = signature(command).parameters
    assert list(parameters) == ["name", "height", "width"]
    assert [parameters[name].default for name in ("height", "width")] == [2, 3]
    assert parameters["height"].annotation.__metadata__[0].min == 1
    command(name="a", height=5, width=3)
    assert seen == [("a", Size(5, 3))]
