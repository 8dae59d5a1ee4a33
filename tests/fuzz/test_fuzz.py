"""No input makes a door answer with anything but a right result or a UserError, soon and within memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def _run(inputs: int, seed: int) -> str:
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", str(inputs), "--seed", str(seed)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def test_500_inputs_are_answered_rightly_or_refused():
    said = _run(500, seed=0)
    assert said.endswith("\n0 faults\n"), said


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_10000_inputs_are_answered_rightly_or_refused():
    said = _run(10_000, seed=1)
    assert said.endswith("\n0 faults\n"), said
