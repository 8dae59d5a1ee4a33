"""Write a document of headings, tables and figures as Markdown or as one HTML page that opens offline.

The page needs nothing beside it: pictures are inlined, curves and bars are drawn as SVG, and there are no
scripts and no fonts. Markdown has no figures. Knows no metric.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from PIL import Image, PngImagePlugin

from llmcxr.common.guard import Kind
from llmcxr.images import SYNTHETIC_KEY, to_picture
from llmcxr.outputs.notices import DISCLAIMER, SYNTHETIC
from llmcxr.pages.tables import markdown, number

THUMBNAIL, CARD_IMAGE = 192, 256  # px, the longer side of a picture on a page, and on a card
PLOT = (360, 240)  # px
MARGIN = (46, 14, 10, 38)  # px of a plot left, right, above, below
TICK, CROSS = "✓", "✗"  # as cells of a table
MARKS = {TICK: " class='yes'", CROSS: " class='no'"}
COLOURS = ("#1f5fa8", "#c2571a", "#2d7d4f", "#7a3f9d")
GENERATOR = '<meta name="generator" content="llmcxr">'
PAGE = Kind("a page that llmcxr wrote", lambda path: GENERATOR in path.open(encoding="utf-8").read(300))
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #181c21; background: #f1f3f5; margin: 0 auto;
       max-width: 1180px; padding: 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem; } h3 { font-size: 1rem; }
.notice { background: #fff4d6; border: 1px solid #e3c46b; padding: .5rem .8rem; border-radius: 6px; }
table { border-collapse: collapse; font-size: .86rem; background: #fff; }
td, th { border: 1px solid #d6dbe0; padding: .2rem .6rem; text-align: right; font-weight: 400; }
td:first-child, th:first-child { text-align: left; } thead th { color: #626a74; }
details { margin: .6rem 0; } summary { cursor: pointer; color: #1f5fa8; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: .8rem; }
figure { margin: 0; background: #fff; border: 1px solid #d6dbe0; border-radius: 6px; padding: .5rem; }
figure img { width: 100%; image-rendering: auto; border-radius: 3px; }
figcaption { font-size: .8rem; } .badge { color: #be2d28; font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(510px, 1fr)); gap: 1rem; }
.card { display: flex; gap: .9rem; background: #fff; border: 1px solid #d6dbe0; border-radius: 8px;
        padding: .9rem; }
.card img { width: 192px; height: 192px; flex: none; border-radius: 3px; }
.card p { margin: .1rem 0 .5rem; } .card .title { font-size: 1.05rem; font-weight: 600; }
.card .small { color: #626a74; font-size: .85rem; margin: 0; }
.card td, .card th { border: 0; text-align: left; padding: .1rem .7rem .1rem 0; vertical-align: top; }
.yes { color: #167d42; } .no { color: #be2d28; }
.plot { max-width: 100%; }
svg { background: #fff; border: 1px solid #d6dbe0; border-radius: 6px; font: 11px system-ui, sans-serif; }
"""


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Shows text, in which `**bold**` is the only markup."""

    text: str


@dataclass(frozen=True)
class Table:
    """Shows rows of cells, which are text. A `folded` table is behind a click on the page, under `title`, and
    not in a terminal, which shows the first `num_shown` columns (None: all).
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    folded: bool = False
    num_shown: int | None = None


@dataclass(frozen=True)
class Bars:
    """Show values in 0..1 as bars with their intervals; `rows` are (name, value, interval, support)."""

    title: str
    rows: Sequence[tuple[str, float, Sequence[float] | None, int]]


@dataclass(frozen=True)
class Curves:
    """Show lines over x in 0..1 and y from 0 to the highest value. `lines` is name -> (xs, ys)."""

    title: str
    x: str
    y: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True)
class Picture:
    image: np.ndarray = field(repr=False)  # (H, W) float in [0, 1]
    caption: str
    is_synthetic: bool = True


@dataclass(frozen=True)
class Sheet:
    """Show pictures in a grid, each above its caption."""

    title: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Plot:
    """Show a PNG file, given as its bytes."""

    title: str
    png: bytes = field(repr=False)


@dataclass(frozen=True)
class Card:
    """Show a picture with text beside it: a title, paragraphs under small headings, and a table."""

    picture: Picture
    title: str
    paragraphs: Sequence[tuple[str, str]]  # heading, text
    table: Table


@dataclass(frozen=True)
class Cards:
    title: str
    cards: Sequence[Card]


Block = Heading | Paragraph | Table | Bars | Curves | Sheet | Plot | Cards


def to_markdown(blocks: Iterable[Block]) -> str:
    """Write headings, paragraphs and tables; figures are left to the page."""
    parts = []
    for block in blocks:
        if isinstance(block, Heading):
            parts.append(f"{'#' * block.level} {block.text}")
        elif isinstance(block, Paragraph):
            parts.append(block.text)
        elif isinstance(block, Table):
            parts += [block.title] if block.title else []
            parts.append(markdown(block.header, block.rows))
    return "\n\n".join(parts) + "\n"


def to_html(title: str, blocks: Iterable[Block]) -> str:
    """Write the whole page. It says what the software is not, and marks every synthetic picture."""
    body = "\n".join(_WRITERS[type(block)](block) for block in blocks)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{GENERATOR}'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<p class="notice">{escape(DISCLAIMER)} Pictures marked '
        f"synthetic were computed or drawn by a model and show no patient.</p>\n{body}\n</body></html>\n"
    )


def enlarge(image: np.ndarray, size: int) -> Image.Image:
    """Turn (H, W) float in [0, 1] into a grey picture whose longer side is `size` px."""
    picture = to_picture(image)
    scale = size / max(picture.size)
    return picture.resize([round(side * scale) for side in picture.size], Image.Resampling.BICUBIC)


def inline_picture(picture: Picture, size: int) -> str:
    """Write an <img> whose longer side is `size` px. A synthetic one says so in its file too, if saved."""
    description, chunks = picture.caption, PngImagePlugin.PngInfo()
    if picture.is_synthetic:
        description = f"synthetic: {description}"
        chunks.add_text(SYNTHETIC_KEY, SYNTHETIC)
    stored = io.BytesIO()
    enlarge(picture.image, size).save(stored, "PNG", optimize=True, pnginfo=chunks)
    data = base64.b64encode(stored.getvalue()).decode()
    return f'<img alt="{escape(description, quote=True)}" src="data:image/png;base64,{data}">'


def _heading(block: Heading) -> str:
    return f"<h{block.level}>{escape(block.text)}</h{block.level}>"


def _paragraph(block: Paragraph) -> str:
    return f"<p>{_bold(block.text)}</p>"


def _table(block: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        written = [f"<{tag}{MARKS.get(cell, '')}>{_bold(cell)}</{tag}>" for cell in cells]
        return f"<tr>{''.join(written)}</tr>"

    rows = "".join(row(cells, "td") for cells in block.rows)
    table = f"<table><thead>{row(block.header, 'th')}</thead><tbody>{rows}</tbody></table>"
    if block.folded:
        return f"<details><summary>{escape(block.title)}</summary>{table}</details>"
    return (f"<h3>{escape(block.title)}</h3>" if block.title else "") + table


def _bars(block: Bars) -> str:
    row, left, width, right = 20, 190, 360, 110  # px
    height = row * len(block.rows) + 8
    parts = []
    for place, (name, value, interval, support) in enumerate(block.rows):
        y = 4 + row * place
        parts.append(f'<text x="{left - 6}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{width * value:.1f}" height="14" fill="#8fb3d9"/>')
        if interval is not None:
            low, high = (left + width * bound for bound in interval)
            parts.append(
                f'<line x1="{low:.1f}" y1="{y + 10}" x2="{high:.1f}" y2="{y + 10}" stroke="#181c21"/>'
            )
        label = f"{number(value)} (n {support})"
        parts.append(f'<text x="{left + width + 6}" y="{y + 14}">{label}</text>')
    parts.append(f'<line x1="{left}" y1="2" x2="{left}" y2="{height - 2}" stroke="#626a74"/>')
    return _svg(block.title, left + width + right, height, parts)


def _curves(block: Curves) -> str:
    (width, height), (left, right, above, below) = PLOT, MARGIN
    across, up = width - left - right, height - above - below
    top = max((max(ys) for _, ys in block.lines.values() if len(ys)), default=0) or 1.0
    parts = [
        f'<line x1="{left}" y1="{above + up}" x2="{left + across}" y2="{above + up}" stroke="#626a74"/>',
        f'<line x1="{left}" y1="{above}" x2="{left}" y2="{above + up}" stroke="#626a74"/>',
        f'<text x="{left + across / 2}" y="{height - 6}" text-anchor="middle">{escape(block.x)}</text>',
        f'<text transform="translate(12 {above + up / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(block.y)}</text>",
        f'<text x="{left - 4}" y="{above + 8}" text-anchor="end">{top:.2f}</text>',
        f'<text x="{left - 4}" y="{above + up}" text-anchor="end">0</text>',
        f'<text x="{left}" y="{above + up + 13}" text-anchor="middle">0</text>',
        f'<text x="{left + across}" y="{above + up + 13}" text-anchor="middle">1</text>',
    ]
    for place, (name, (xs, ys)) in enumerate(block.lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(
            f"{left + across * x:.1f},{above + up * (1 - y / top):.1f}" for x, y in zip(xs, ys, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(
            f'<text x="{left + across}" y="{above + 12 + 14 * place}" text-anchor="end" fill="{colour}">'
            f"{escape(name)}</text>"
        )
    return _svg(block.title, width, height, parts)


def _sheet(block: Sheet) -> str:
    figures = []
    for one in block.pictures:
        badge = '<span class="badge">synthetic</span> ' if one.is_synthetic else ""
        image = inline_picture(one, THUMBNAIL)
        figures.append(f"<figure>{image}<figcaption>{badge}{escape(one.caption)}</figcaption></figure>")
    return f'<h3>{escape(block.title)}</h3><div class="sheet">{"".join(figures)}</div>'


def _plot(block: Plot) -> str:
    data, title = base64.b64encode(block.png).decode(), escape(block.title, quote=True)
    return f'<h3>{title}</h3><img class="plot" alt="{title}" src="data:image/png;base64,{data}">'


def _cards(block: Cards) -> str:
    return f'<h2>{escape(block.title)}</h2><div class="cards">{"".join(map(_card, block.cards))}</div>'


def _card(card: Card) -> str:
    image = inline_picture(card.picture, CARD_IMAGE)
    title = f'<p class="title">{escape(card.title)}</p>' if card.title else ""
    paragraphs = "".join(
        f'<p class="small">{escape(heading)}</p><p>{escape(text)}</p>' for heading, text in card.paragraphs
    )
    return f'<div class="card">{image}<div>{title}{paragraphs}{_table(card.table)}</div></div>'


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<h3>{escape(title)}</h3><svg role="img" aria-label="{escape(title, quote=True)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'
    )


def _bold(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))


_WRITERS = {
    Heading: _heading,
    Paragraph: _paragraph,
    Table: _table,
    Bars: _bars,
    Curves: _curves,
    Sheet: _sheet,
    Plot: _plot,
    Cards: _cards,
}
