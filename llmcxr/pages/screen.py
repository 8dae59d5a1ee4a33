"""Show a document in a terminal: its headings, sentences and short tables. Knows no metric."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as ScreenTable
from rich.text import Text

from llmcxr.pages.document import Block, Heading, Paragraph, Table


def show(blocks: Iterable[Block]) -> bool:
    """Print what a terminal shows: of each table the first `num_shown` columns, of folded ones and figures
    nothing. Returns whether columns or tables were left out.
    """
    console = Console(file=sys.stdout, highlight=False)
    is_shortened = False
    for block in blocks:
        if isinstance(block, Heading):
            console.print(Text(block.text, style="bold"), end="\n\n")
        elif isinstance(block, Paragraph):
            console.print(Text(block.text.replace("**", "")), end="\n\n")
        elif isinstance(block, Table) and not block.folded:
            console.print(_lay_out(block))
        is_shortened |= isinstance(block, Table) and (block.folded or block.num_shown is not None)
    return is_shortened


def _lay_out(table: Table) -> ScreenTable:
    shown = slice(table.num_shown)
    title = Text(table.title, style="italic") if table.title else None
    screen = ScreenTable(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(table.header[shown]):
        screen.add_column(Text(name), justify="right" if place else "left")
    for row in table.rows:
        screen.add_row(*(Text(cell.replace("**", "")) for cell in row[shown]))
    return screen
