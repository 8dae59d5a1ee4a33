"""Pictures out: what is written reads back, and nothing is half written."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from llmcxr import images
from llmcxr.common.errors import UserError


def test_written_png_reads_back_with_its_metadata_and_its_warning(tmp_path):
    image = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    metadata = {"synthetic": "drawn by a model", "prompt": "Großer Erguss 右"}
    path = images.write_png(tmp_path / "new" / "drawn.png", image, metadata)
    pixels, header = images.read_with_header(path)
    assert np.abs(pixels - image).max() <= 0.5 / 255 + 1e-6
    with Image.open(path) as picture:
        assert picture.text == metadata
    assert any("synthetic" in warning for warning in header.warnings)


def test_write_png_leaves_nothing_half_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file"):
        images.write_png(tmp_path / "file" / "drawn.png", np.zeros((20, 20), np.float32))
    with pytest.raises(UserError, match="found a folder"):
        images.write_png(tmp_path, np.zeros((20, 20), np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_write_png_refuses_what_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        images.write_png(tmp_path / "a.png", np.zeros((3, 20, 20)))
    with pytest.raises(ValueError, match="finite"):
        images.write_png(tmp_path / "a.png", np.full((20, 20), np.nan))
