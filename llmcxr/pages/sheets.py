"""Draw contact sheets as PNG: cards of a picture with text beside it, and rows of pictures under one another.

Uses the font inside Pillow, so they look the same everywhere. Knows no model and no score.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from llmcxr.images import to_picture
from llmcxr.outputs.notices import DISCLAIMER
from llmcxr.pages.document import CROSS, TICK, Card, Table, enlarge

# all in pixels
IMAGE = 256
TEXT_WIDTH = 440
GAP, ROW_GAP = 18, 8
HEADER, FOOTER = 74, 44  # of cards
TITLE, CAPTION, ROW_FOOTER = 34, 20, 30  # of rows
INK, GREY, GREEN, RED = (24, 28, 33), (98, 106, 116), (22, 125, 66), (190, 45, 40)
PAPER, CARD, LINE, BOX = (241, 243, 245), (255, 255, 255), (214, 219, 224), (255, 190, 0)
COLUMNS = 2  # of cards


@dataclass(frozen=True)
class Rows:
    """Hold pictures (H, W) of one size in rows, with a caption under each column.

    `boxes` of each column's first picture are left, top, right, bottom in its pixels.
    """

    title: str
    rows: Sequence[Sequence[np.ndarray]]
    captions: Sequence[str]
    boxes: Sequence[Sequence[tuple[int, int, int, int]]]


def draw_cards(title: str, subtitle: str, cards: Sequence[Card], notice: str = DISCLAIMER) -> bytes:
    """Draw two columns of cards. Each shows its title, its first paragraph and its table of three columns."""
    card_width, card_height = IMAGE + TEXT_WIDTH + 3 * GAP, IMAGE + 2 * GAP
    rows = -(-len(cards) // COLUMNS)
    width = COLUMNS * (card_width + GAP) + GAP
    sheet = Image.new("RGB", (width, HEADER + rows * (card_height + GAP) + FOOTER), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 16), title, INK, _font(26))
    draw.text((GAP, 48), subtitle, GREY, _font(14))
    for index, card in enumerate(cards):
        row, column = divmod(index, COLUMNS)
        place = (GAP + column * (card_width + GAP), HEADER + row * (card_height + GAP))
        sheet.paste(_card(card, (card_width, card_height)), place)
    draw.text((GAP, sheet.height - FOOTER + 8), notice, GREY, _font(14))
    return _to_png(sheet)


def draw_rows(groups: Sequence[Rows], num_columns: int, notice: str = DISCLAIMER) -> bytes:
    """Draw the groups one under the other, pictures enlarged by a whole number to about IMAGE px."""
    side = groups[0].rows[0][0].shape[-1]
    scale = max(1, round(IMAGE / side))
    cell = side * scale + ROW_GAP
    heights = [TITLE + len(group.rows) * cell + CAPTION for group in groups]
    sheet = Image.new("RGB", (num_columns * cell + ROW_GAP, sum(heights) + ROW_FOOTER), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, group in enumerate(groups):
        _draw_rows(sheet, draw, sum(heights[:number]), scale, group)
    draw.text((ROW_GAP, sheet.height - ROW_FOOTER + 6), notice, GREY, _font(14))
    return _to_png(sheet)


def _draw_rows(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int, scale: int, group: Rows) -> None:
    draw.text((ROW_GAP, top + 8), group.title, INK, _font(18))
    side = group.rows[0][0].shape[-1] * scale
    lefts = [ROW_GAP + column * (side + ROW_GAP) for column in range(len(group.captions))]
    for row, pictures in enumerate(group.rows):
        for left, image in zip(lefts, pictures, strict=True):
            picture = to_picture(image).resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(picture, (left, top + TITLE + row * (side + ROW_GAP)))
    for left, caption, boxes in zip(lefts, group.captions, group.boxes, strict=True):
        for box in boxes:
            x0, y0, x1, y1 = (scale * edge for edge in box)
            draw.rectangle((left + x0, top + TITLE + y0, left + x1, top + TITLE + y1), outline=BOX)
        below = top + TITLE + len(group.rows) * (side + ROW_GAP)
        draw.text((left, below), caption, INK, _font(14))


def _card(card: Card, size: tuple[int, int]) -> Image.Image:
    sheet = Image.new("RGB", size, CARD)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=LINE)
    sheet.paste(enlarge(card.picture.image, IMAGE), (GAP, GAP))
    left, top = IMAGE + 2 * GAP, GAP - 2
    top = _paragraph(draw, (left, top), card.title, INK, _font(19), num_lines=2) + 6
    (label, text), *_ = card.paragraphs
    table_height = 20 * len(card.table.rows) + 24
    room = size[1] - GAP - table_height - top - 22
    top = _paragraph(draw, (left, top), label, GREY, _font(12), num_lines=1)
    _paragraph(draw, (left, top), text, INK, _font(14), num_lines=max(room // 18, 1))
    _write_table(draw, (left, size[1] - GAP - table_height + 4), card.table)
    return sheet


def _write_table(draw: ImageDraw.ImageDraw, place: tuple[int, int], table: Table) -> None:
    """Write a mark, then two columns of text; what stands beside a cross is red."""
    left, top = place
    middle = left + 18 + int(0.45 * (TEXT_WIDTH - 18))
    draw.line((left, top, left + TEXT_WIDTH, top), LINE)
    draw.text((left + 18, top + 4), table.header[1], GREY, _font(12))
    draw.text((middle, top + 4), table.header[2], GREY, _font(12))
    for row, (mark, first, second) in enumerate(table.rows):
        y = top + 22 + 20 * row
        _mark(draw, (left, y + 3), mark)
        draw.text((left + 18, y), _clip(first, _font(14), middle - left - 26), INK, _font(14))
        colour = RED if mark == CROSS else INK
        draw.text((middle, y), _clip(second, _font(14), left + TEXT_WIDTH - middle), colour, _font(14))


def _mark(draw: ImageDraw.ImageDraw, place: tuple[int, int], mark: str) -> None:
    """Draw a green tick or a red cross, 11 px."""
    x, y = place
    if mark == TICK:
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


def _to_png(sheet: Image.Image) -> bytes:
    stored = io.BytesIO()
    sheet.save(stored, format="PNG")
    return stored.getvalue()
