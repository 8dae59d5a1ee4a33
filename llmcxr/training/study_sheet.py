"""Draw what a language model does with some studies, to be looked at while it learns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from llmcxr.data import Dataset
from llmcxr.decoding.predict import CXR
from llmcxr.reports import to_text

SIDE = 256  # pixels of a radiograph
LINE, LETTER = 12, 6  # pixels of a line of text and of a letter
LINES = 16  # of text below a study


def draw_studies(cxr: CXR, dataset: Dataset, indices: Sequence[int]) -> np.ndarray:
    """Draw (H, W) uint8, a column a study: the radiograph, what the model draws of its request, and below
    both the request and the report that the model writes of the radiograph.
    """
    size = cxr.image_tokenizer.config.image_size
    radiographs = [dataset.read(index, size) for index in indices]
    texts = [dataset.texts(index, np.random.default_rng(index)) for index in indices]
    requests = [one.request or to_text(one.report) for one in texts]
    drawn = cxr.draw(requests, seed=0)
    reports = cxr.report(radiographs)
    columns = [
        np.vstack([_enlarged(radiograph), _enlarged(drawing.image), _written(request, report.text)])
        for radiograph, drawing, request, report in zip(radiographs, drawn, requests, reports, strict=True)
    ]
    return np.hstack(columns)


def _enlarged(pixels: np.ndarray) -> np.ndarray:
    """Enlarge (h, w) in [0, 1] to (SIDE, SIDE) uint8."""
    image = Image.fromarray((255 * np.clip(pixels, 0, 1)).round().astype(np.uint8))
    return np.asarray(image.resize((SIDE, SIDE)))


def _written(request: str, report: str) -> np.ndarray:
    """Write (LINES * LINE, SIDE) uint8, cut where it is too long."""
    canvas = Image.new("L", (SIDE, LINES * LINE), 255)
    lines = [
        line
        for text in (f"asked: {request}", f"written: {report}")
        for line in textwrap.wrap(text, SIDE // LETTER - 1)
    ]
    font = ImageFont.load_default(10)
    ImageDraw.Draw(canvas).multiline_text((3, 0), "\n".join(lines[:LINES]), fill=0, font=font, spacing=2)
    return np.asarray(canvas)
