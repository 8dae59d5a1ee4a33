"""The tables of docs/architecture.md: the rooms, and the files to edit for an addition."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_imports import ROOMS

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")


def _table(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading."""
    below = TEXT.partition(f"\n{heading}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", below, re.M)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_room_has_its_line_from_the_top_down():
    rows = _table("## The rooms, from the top down")
    names = [re.findall(r"`(\S+?)`", row[0]) or [row[0]] for row in rows]
    listed = [name.removesuffix("/").removesuffix(".py") for row in names for name in row]
    listed = [name.removesuffix("/__init__").replace("/", ".") for name in listed]
    assert set(listed) == set(ROOMS) and len(listed) == len(ROOMS)
    floors = [ROOMS[name] for name in listed]
    assert floors == sorted(floors, reverse=True)


def test_each_addition_edits_at_most_two_files_that_exist():
    rows = _table("## To add something")
    kinds = " ".join(row[0] for row in rows)
    for kind in ("quantizer", "dataset", "report metric", "language-model family", "measurement", "command"):
        assert kind in kinds
    for kind, _, edited in rows:
        files = re.findall(r"`([\w./]+\.py)`", edited)
        assert 1 <= len(files) <= 2 and all((REPOSITORY / file).is_file() for file in files), kind
