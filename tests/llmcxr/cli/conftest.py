"""An empty folder with a fake model, and a function that runs a command in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmcxr.cli import app as cli
from tests.llmcxr.cli.fakes import FakeCXR


@pytest.fixture
def house(monkeypatch, tmp_path):
    """An empty folder to work in, and the fake model."""
    monkeypatch.setattr("llmcxr.decoding.predict.CXR", FakeCXR)
    monkeypatch.setattr(FakeCXR, "loaded", [])
    monkeypatch.setattr(FakeCXR, "calls", [])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def radiograph(house) -> Path:
    rows = np.linspace(40, 200, 64).astype(np.uint8)
    Image.fromarray(np.tile(rows, (64, 1))).save(house / "radiograph.png")
    return Path("radiograph.png")


@pytest.fixture
def run(capsys):
    """Run `llmcxr` and give (exit code, stdout, stderr)."""

    def run(*arguments: str, program=cli.main) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            program([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run
