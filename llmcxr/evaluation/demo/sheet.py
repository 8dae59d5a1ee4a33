"""Lay out the demonstration's drawings as one picture: prompt, image, the model's own report, requested and
measured.

Uses the font inside Pillow, so it looks the same everywhere. Knows no model and no scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from llmcxr import images
from llmcxr.common.files import replacing
from llmcxr.evaluation.demo.records import Check, Drawing

# all in pixels
IMAGE = 256
TEXT_WIDTH = 440
GAP = 18
COLUMNS = 2
HEADER, FOOTER = 74, 44
INK, GREY, GREEN, RED = (24, 28, 33), (98, 106, 116), (22, 125, 66), (190, 45, 40)
PAPER, CARD, LINE = (241, 243, 245), (255, 255, 255), (214, 219, 224)
TITLE = "Drawn from a sentence, then read by the same model"
SUBTITLE = "Judged by a classifier that took part in no training loss, and by geometry from the pixels."
NOTICE = "Synthetic images. Research software trained on computed phantoms: not a medical device."


def write_sheet(path: Path, drawings: Sequence[Drawing]) -> None:
    """Write a PNG of two columns of cards; as many rows as the drawings need."""
    sheet = build_sheet(drawings)
    with replacing(path) as beside:
        sheet.save(beside)


def build_sheet(drawings: Sequence[Drawing]) -> Image.Image:
    card_width, card_height = IMAGE + TEXT_WIDTH + 3 * GAP, IMAGE + 2 * GAP
    rows = -(-len(drawings) // COLUMNS)
    width = COLUMNS * (card_width + GAP) + GAP
    sheet = Image.new("RGB", (width, HEADER + rows * (card_height + GAP) + FOOTER), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 16), TITLE, INK, _font(26))
    draw.text((GAP, 48), SUBTITLE, GREY, _font(14))
    for index, drawing in enumerate(drawings):
        row, column = divmod(index, COLUMNS)
        card = _card(drawing, (card_width, card_height))
        sheet.paste(card, (GAP + column * (card_width + GAP), HEADER + row * (card_height + GAP)))
    draw.text((GAP, sheet.height - FOOTER + 8), NOTICE, GREY, _font(14))
    return sheet


def to_picture(image: np.ndarray, size: int) -> Image.Image:
    """Turn (H, W) float in [0, 1] into a grey picture with its longer side `size` px."""
    picture = images.to_picture(image)
    scale = size / max(picture.size)
    return picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)


def _card(drawing: Drawing, size: tuple[int, int]) -> Image.Image:
    card = Image.new("RGB", size, CARD)
    draw = ImageDraw.Draw(card)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=LINE)
    card.paste(to_picture(drawing.image, IMAGE), (GAP, GAP))
    left, top = IMAGE + 2 * GAP, GAP - 2
    top = _paragraph(draw, (left, top), drawing.prompt, INK, _font(19), num_lines=2) + 6
    checks_height = 20 * len(drawing.checks) + 24
    room = size[1] - GAP - checks_height - top - 22
    top = _paragraph(draw, (left, top), "The model's own report", GREY, _font(12), num_lines=1)
    _paragraph(draw, (left, top), drawing.report, INK, _font(14), num_lines=max(room // 18, 1))
    _write_checks(draw, (left, size[1] - GAP - checks_height + 4), drawing.checks)
    return card


def _write_checks(draw: ImageDraw.ImageDraw, place: tuple[int, int], checks: Sequence[Check]) -> None:
    left, top = place
    middle = left + 18 + int(0.45 * (TEXT_WIDTH - 18))
    draw.line((left, top, left + TEXT_WIDTH, top), LINE)
    draw.text((left + 18, top + 4), "requested", GREY, _font(12))
    draw.text((middle, top + 4), "measured", GREY, _font(12))
    for row, check in enumerate(checks):
        y = top + 22 + 20 * row
        _mark(draw, (left, y + 3), check.is_met)
        draw.text((left + 18, y), _clip(check.requested, _font(14), middle - left - 26), INK, _font(14))
        colour = INK if check.is_met else RED
        draw.text(
            (middle, y), _clip(check.measured, _font(14), left + TEXT_WIDTH - middle), colour, _font(14)
        )


def _mark(draw: ImageDraw.ImageDraw, place: tuple[int, int], is_met: bool) -> None:
    """Draw a green tick or a red cross, 11 px."""
    x, y = place
    if is_met:
        draw.line((x, y + 6, x + 4, y + 10, x + 11, y + 1), GREEN, 2)
    else:
        draw.line((x, y + 1, x + 10, y + 10), RED, 2)
        draw.line((x, y + 10, x + 10, y + 1), RED, 2)


def _paragraph(
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    colour: tuple[int, int, int],
    font: ImageFont.FreeTypeFont,
    num_lines: int,
) -> int:
    """Write wrapped text, at most `num_lines`; returns the row below it."""
    lines = _wrap(text, font, TEXT_WIDTH)
    if len(lines) > num_lines:
        lines = [*lines[: num_lines - 1], _clip(" ".join(lines[num_lines - 1 :]), font, TEXT_WIDTH)]
    height = round(font.size * 1.28)
    for row, line in enumerate(lines):
        draw.text((place[0], place[1] + row * height), line, colour, font)
    return place[1] + len(lines) * height


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Put as many words on a line as fit `width` px."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _clip(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip(" ,.") + "..."


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
