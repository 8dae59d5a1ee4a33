"""Pictures of many modes, and small files that hold gigabytes of pixels."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.images.picture import check_size
from tests.llmcxr.images.files import make_png

RAMP = np.linspace(0, 1, 24 * 40).reshape(24, 40)


@pytest.mark.parametrize("white", [255, 1023, 4095, 16383, 65535])
def test_grey_and_colour_of_any_bits_in_16_are_as_bright(white):
    grey = np.rint(RAMP * white)
    np.testing.assert_allclose(images.read(make_png(grey)), RAMP, atol=1 / 250)
    np.testing.assert_allclose(images.read(make_png(np.stack([grey] * 3, -1))), RAMP, atol=1 / 250)


def test_the_low_bytes_of_colours_are_turned_with_the_high_ones(tmp_path):
    colours = np.rint(np.stack([RAMP, RAMP, RAMP], -1) * 4095)
    orientation = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
    chunk = b"eXIf" + orientation
    chunk = struct.pack(">I", len(orientation)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    png = make_png(colours)
    turned = images.read(png[:33] + chunk + png[33:])  # after the header
    np.testing.assert_allclose(turned, np.rot90(RAMP, -1), atol=1 / 4000)


def test_rows_of_colour_are_put_together_in_their_order(monkeypatch):
    monkeypatch.setattr("llmcxr.images.picture.BLOCK_PIXELS", 5 * 40)
    picture = Image.fromarray(np.rint(RAMP * 255).astype(np.uint8)).convert("RGB")
    np.testing.assert_allclose(images.read(picture), RAMP, atol=1 / 255)


def test_a_palette_with_transparency_is_on_black():
    picture = Image.new("P", (40, 30), 1)
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.paste(0, (0, 0, 20, 30))
    assert images.read(picture).mean() == pytest.approx(0.5)
    picture.info["transparency"] = 1
    assert images.read(picture).max() == 0


def test_the_limits_let_a_radiograph_pass_and_no_more():
    check_size(5000, 4000)
    check_size(5000, 4000, channels=4)
    check_size(8000, 8000)
    for size in [(8001, 8000, 1), (6000, 4000, 4), (8000, 6000, 1, True), (2**31, 2**31, 1)]:
        with pytest.raises(UserError, match="megapixels"):
            check_size(*size)


def _save_bomb(path: Path, mode: str, size: tuple[int, int], **options: object) -> Path:
    Image.new(mode, size).save(path, **options)
    return path


BOMBS = {
    "RGBA PNG": ("a.png", "RGBA", (9000, 9000), {"compress_level": 1}),
    "palette PNG": ("a.png", "P", (12000, 12000), {"compress_level": 1}),
    "deflated TIFF": ("a.tif", "RGB", (9000, 9000), {"compression": "tiff_deflate"}),
    "GIF": ("a.gif", "P", (9000, 9000), {}),
    "JPEG": ("a.jpg", "L", (12000, 12000), {}),
    "JPEG 2000": ("a.jp2", "L", (9000, 9000), {}),
    "WebP": ("a.webp", "RGBA", (9000, 9000), {"lossless": True, "method": 0}),
}
READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
from llmcxr import images
for path in sys.argv[1:]:
    try:
        images.read(path)
    except ValueError as error:
        print(error)
"""


@pytest.mark.slow
def test_bombs_are_refused_within_a_gigabyte(tmp_path):
    folders = [tmp_path / str(place) for place in range(len(BOMBS))]
    for folder in folders:
        folder.mkdir()
    paths = [
        _save_bomb(folder / name, mode, size, **options)
        for folder, (name, mode, size, options) in zip(folders, BOMBS.values(), strict=True)
    ]
    done = subprocess.run(
        [sys.executable, "-c", READ, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stdout.count("megapixels") == len(paths), done.stdout


def test_a_bomb_is_refused_before_its_pixels_are_decoded():
    rows = b"\0" * 10  # not one whole row of them
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 6, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    )
    with pytest.raises(UserError, match=r"the bytes: expected at most .* megapixels"):
        images.read(b"\x89PNG\r\n\x1a\n" + chunks)
