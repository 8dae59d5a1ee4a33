"""All that the documents name is there: files of ours, modules that are run, links and their headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmcxr.cli.train import RUN_KINDS
from llmcxr.common import config

REPOSITORY = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "llmcxr/pretrained/*/README.md", "vqgan/pretrained/*/README.md")
    for path in REPOSITORY.glob(pattern)
)
CONFIGURATIONS = sorted(REPOSITORY.glob("configs/**/*.yaml"))
OWN_FILE = re.compile(
    r"(?<![\w/])(?:llmcxr|vqgan|tests|configs|benchmarks|docs)/[\w./-]+\.(?:py|yaml|md|png)\b"
)
RUN_MODULE = re.compile(r"python -m\s+((?:llmcxr|vqgan|benchmarks)[\w.]*)")
TRAINING = re.compile(r"python\s+train\.py\s+(configs/\S+\.yaml)((?:\s+[\w.]+=[^\s`]+)*)")
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")


def _name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("path", [*DOCUMENTS, *CONFIGURATIONS], ids=_name)
def test_files_and_modules_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    named = [name for name in OWN_FILE.findall(text) if "NAME" not in name]  # NAME stands for one of yours
    assert [name for name in named if not (REPOSITORY / name).is_file()] == []
    assert [module for module in RUN_MODULE.findall(text) if find_spec(module.rstrip(".")) is None] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *CONFIGURATIONS], ids=_name)
def test_trainings_that_are_shown_have_settings_that_exist(path):
    kinds = {kind: lambda at=at: getattr(import_module(at[0]), at[1]) for kind, at in RUN_KINDS.items()}
    text = re.sub(r"\\\n#?|\n#", " ", path.read_text(encoding="utf-8"))
    for configuration, given in TRAINING.findall(text):
        # D and R stand for numbers; a sentence may end behind the last setting
        settings = [re.sub(r"=[A-Z]$", "=1", each.rstrip(".,;:)")) for each in shlex.split(given)]
        config.load(REPOSITORY / configuration, settings, kinds=kinds)


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(path):
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        target, _, heading = link.partition("#")
        file = path.parent / target if target else path
        assert file.exists(), f"{_name(path)} links to {link}"
        assert not heading or heading in set(_anchors(file)), (
            f"{_name(path)} links to a heading not there: {link}"
        )


def _anchors(path: Path) -> Iterator[str]:
    """Headings as GitHub writes them in addresses: lower case, words joined by hyphens, no punctuation."""
    for heading in re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_page_of_results_is_in_the_index():
    index = REPOSITORY / "docs" / "results" / "README.md"
    pages = {path.name for path in index.parent.glob("*.md")} - {index.name}
    assert pages == set(LINK.findall(index.read_text(encoding="utf-8")))
