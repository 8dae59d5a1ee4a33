"""Fixtures that tests of several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real radiographs that are no part of the repository; a test that needs them is skipped without them."""
    place = Path(os.environ.get("LLMCXR_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not place.is_dir():
        pytest.skip("needs real radiographs: set LLMCXR_SHARED_DATA to a folder with nih/, mhh/, dicom/, ...")
    return place


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """The directory of the model that ships with the package."""
    directory = REPOSITORY / "llmcxr" / "pretrained" / "phantom"
    if not (directory / "llmcxr.json").is_file():
        pytest.skip("needs the embedded model, llmcxr/pretrained/phantom, which is not there")
    return directory
