"""Lay out a tokenizer's worst reconstructions, and ordinary ones beside, as one picture. Knows no scores.

Uses the font inside Pillow, so it looks the same everywhere. Captions name no file and no patient.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from llmcxr.data import Dataset
from llmcxr.evaluation.tokenizer.reconstruction import reconstruct
from llmcxr.evaluation.tokenizer.regions import lesion_regions
from llmcxr.images import to_picture
from llmcxr.outputs.notices import DISCLAIMER

COLUMNS = 6  # cases a group
GAP, CAPTION, HEADER, FOOTER = 8, 20, 34, 30  # px
INK, GREY, PAPER, BOX = (24, 28, 33), (98, 106, 116), (241, 243, 245), (255, 190, 0)
NOTICE = (
    "Top to bottom: image (lesion boxes in yellow), reconstruction, four times their difference. "
    + DISCLAIMER
)


def choose_cases(psnr: np.ndarray, columns: int = COLUMNS) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the lowest values, worst first, and of those around the median that are not among them."""
    order = np.argsort(psnr, kind="stable")
    worst, rest = order[:columns], order[columns:]
    middle = max(0, len(rest) // 2 - columns // 2)
    return worst, rest[middle : middle + columns]


def draw_sheet(tokenizer: Any, dataset: Dataset, indices: Sequence[int], psnr: np.ndarray) -> bytes:
    """Read the chosen studies once more and draw them, as PNG; `psnr` (N,) is that of the `indices`."""
    groups = []
    for title, chosen in zip(("worst", "around the median"), choose_cases(psnr), strict=True):
        studies = [indices[position] for position in chosen]
        batches = list(reconstruct(tokenizer, dataset, studies))
        if batches:
            images = np.concatenate([batch.images for batch in batches])
            decoded = np.concatenate([batch.reconstructions for batch in batches])
            boxes = [_bounds(dataset, index, images.shape[-1]) for index in studies]
            groups.append((title, images, decoded, psnr[chosen], boxes))
    png = io.BytesIO()
    build_sheet(groups).save(png, format="PNG")
    return png.getvalue()


def _bounds(dataset: Dataset, index: int, size: int) -> list[tuple[int, int, int, int]]:
    """Left, top, right, bottom of each lesion, px. A phantom's masks have no boxes."""
    if not dataset.boxes(index):
        return []
    found = []
    for _, region in lesion_regions(dataset, index, size):
        rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
        found.append((int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])))
    return found


def build_sheet(groups: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray, list]]) -> Image.Image:
    """Of each (title, images (N, H, W), reconstructions, dB (N,), boxes of each): a block of three rows."""
    side = groups[0][1].shape[-1]
    scale = max(1, round(256 / side))
    cell = side * scale
    width = COLUMNS * (cell + GAP) + GAP
    block = HEADER + 3 * (cell + GAP) + CAPTION
    sheet = Image.new("RGB", (width, len(groups) * block + FOOTER), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, group in enumerate(groups):
        _draw_group(sheet, draw, number * block, scale, *group)
    draw.text((GAP, sheet.height - FOOTER + 6), NOTICE, GREY, ImageFont.load_default(14))
    return sheet


def _draw_group(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    top: int,
    scale: int,
    title: str,
    images: np.ndarray,
    decoded: np.ndarray,
    psnr: np.ndarray,
    boxes: Sequence[Sequence[tuple[int, int, int, int]]],
) -> None:
    cell = images.shape[-1] * scale
    draw.text((GAP, top + 8), title, INK, ImageFont.load_default(18))
    differences = np.clip(0.5 + 4 * (decoded - images), 0, 1)
    for column in range(len(images)):
        left = GAP + column * (cell + GAP)
        for row, image in enumerate((images[column], decoded[column], differences[column])):
            picture = to_picture(image).resize((cell, cell), Image.Resampling.BICUBIC)
            sheet.paste(picture, (left, top + HEADER + row * (cell + GAP)))
        for box in boxes[column]:
            x0, y0, x1, y1 = (scale * edge for edge in box)
            draw.rectangle((left + x0, top + HEADER + y0, left + x1, top + HEADER + y1), outline=BOX)
        caption = f"{psnr[column]:.1f} dB"
        draw.text((left, top + HEADER + 3 * (cell + GAP)), caption, INK, ImageFont.load_default(14))
