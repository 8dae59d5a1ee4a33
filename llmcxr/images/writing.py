"""Write pixels as 8-bit pictures. Knows no models."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from llmcxr.common.files import replacing
from llmcxr.common.guard import Kind

SYNTHETIC_KEY = "synthetic"  # the PNG text chunk that marks a drawn image
FIGURE_KEY = "llmcxr"  # the PNG text chunk that marks a figure
HEADER_LENGTH = 33  # bytes: signature and first chunk of every PNG


def read_chunks(path: Path) -> dict[str, str]:
    """Read the text chunks before the pixels of a PNG; {} of another kind of picture."""
    with Image.open(path) as picture:
        return dict(picture.text) if isinstance(picture, PngImagePlugin.PngImageFile) else {}


FIGURE = Kind("a figure that llmcxr drew", lambda path: FIGURE_KEY in read_chunks(path))


def write_figure(path: str | os.PathLike, png: bytes) -> Path:
    """Write a PNG, whole or not at all, with the chunk by which it is known as a figure of ours."""
    text = b"tEXt" + FIGURE_KEY.encode() + b"\0figure"
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    with replacing(path) as beside:
        beside.write_bytes(png[:HEADER_LENGTH] + chunk + png[HEADER_LENGTH:])
    return Path(path)


def write_png(path: str | os.PathLike, image: np.ndarray, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a picture (H, W) in [0, 1] as 8-bit grey PNG with `metadata` text chunks, whole or not at all."""
    picture, chunks = to_picture(image), PngImagePlugin.PngInfo()
    for key, value in (metadata or {}).items():
        chunks.add_text(str(key), str(value))
    with replacing(path) as beside:
        picture.save(beside, format="PNG", pnginfo=chunks)
    return Path(path)


def to_picture(image: np.ndarray) -> Image.Image:
    """Turn (H, W) float in [0, 1] into a grey picture. Raises ValueError for other pixels."""
    if image.ndim != 2 or not np.isfinite(image).all():
        raise ValueError(f"expected finite pixels of shape (H, W), got shape {image.shape}")
    return Image.fromarray(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8))


def to_png(image: np.ndarray) -> bytes:
    """Turn (H, W) float in [0, 1] into a grey PNG file of the pixels and nothing else."""
    buffer = io.BytesIO()
    to_picture(image).save(buffer, format="PNG")
    return buffer.getvalue()
