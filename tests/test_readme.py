"""Run every bash and python block of the README, in order, in one folder that looks like a fresh checkout.

A comment above a block may say `<!-- test: needs the embedded model -->` (skipped while there is none),
`with NAME=value` (an environment variable), or `after "WORDS" add key=value ...` (put behind the command that
has WORDS in it, so that a training is tiny). Everything else runs as it stands.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
CHECKOUT = (
    "Makefile",
    "configs",
    "generate.py",
    "llmcxr",
    "pyproject.toml",
    "setup.cfg",
    "train.py",
    "vqgan",
)
LANGUAGES = ("bash", "python")
BLOCK = re.compile(
    r"^(?P<notes>(?:<!-- test:[^\n]*-->\n)*)```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int  # in the README
    needs_embedded_model: bool
    environment: dict[str, str]


def _read_blocks() -> list[Block]:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return [_parse(found, text[: found.start("code")].count("\n") + 1) for found in BLOCK.finditer(text)]


def _parse(found: re.Match, line: int) -> Block:
    code, needs_model, environment = found["code"].replace("\\\n", " "), False, {}
    for note in re.findall(r"<!-- test: (.*?) -->", found["notes"]):
        for part in note.split("; "):
            if part == "needs the embedded model":
                needs_model = True
            elif assigned := re.fullmatch(r"with (\w+)=(.*)", part):
                environment[assigned[1]] = assigned[2]
            elif added := re.fullmatch(r'after "(.*)" add (.*)', part):
                assert added[1] in code, f"README.md:{line}: no command has {added[1]!r}"
                code = re.sub(rf"^(.*{re.escape(added[1])}.*)$", rf"\1 {added[2]}", code, flags=re.M)
            else:
                raise AssertionError(f"README.md:{line}: a note that the test does not know: {part!r}")
    return Block(found["language"], code, line, needs_model, environment)


BLOCKS = [block for block in _read_blocks() if block.language in LANGUAGES]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """The repository's files by links, and a .venv that `make` finds installed: the python that runs now."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in CHECKOUT:
        (folder / name).symlink_to(REPOSITORY / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in {"python": "", "llmcxr": "-m llmcxr"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (programs / name).chmod(0o755)
    for stamp in (".torch", ".installed", ".installed-dev"):
        (folder / ".venv" / stamp).touch()
    return folder


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.language}-line-{block.line}")
def test_block(block, checkout, request):
    if block.needs_embedded_model:
        request.getfixturevalue("embedded_model")
    programs = checkout / ".venv" / "bin"
    environment = {
        **os.environ,
        **block.environment,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
    }
    command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [str(programs / "python"), "-c"]}
    done = subprocess.run(
        [*command[block.language], block.code], cwd=checkout, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"README.md:{block.line}\n{block.code}\n{done.stdout}\n{done.stderr[-4000:]}"


def test_the_blocks_are_found():
    assert {block.language for block in BLOCKS} == set(LANGUAGES)
    fences = re.findall(r"^```(\w+)$", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.M)
    assert len(BLOCKS) == sum(language in LANGUAGES for language in fences)


def test_linked_files_exist():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
