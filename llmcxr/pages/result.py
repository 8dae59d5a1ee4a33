"""Hold what a suite found, and deliver it one way: Markdown to stdout; JSON, HTML and PNG to files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import llmcxr
from llmcxr.common.files import replacing
from llmcxr.common.guard import Kind, begins_with
from llmcxr.common.terminal import STDOUT, say
from llmcxr.images import write_figure
from llmcxr.pages.document import Block, Heading, Plot, to_html, to_markdown
from llmcxr.pages.screen import show
from vqgan.json_text import to_json

SIGNATURE = '{\n  "written_by": "llmcxr'  # how every file of results begins
RESULTS = Kind("JSON that llmcxr wrote", begins_with(SIGNATURE))


@dataclass(frozen=True)
class Result:
    """Hold every number (`json`), what is printed (`blocks`), and what only the page has (`figures`)."""

    json: dict
    blocks: Sequence[Block]
    figures: Sequence[Block] = ()

    def about(self, **names: object) -> Result:
        """Return the same with `names` in front of its JSON: what was judged, on what."""
        return Result({**names, **self.json}, self.blocks, self.figures)


def deliver(
    title: str,
    result: Result,
    json_file: Path | None = None,
    html_file: Path | None = None,
    png_file: Path | None = None,
) -> None:
    """Print what was found under `title`: as Markdown, in a terminal as short tables, or where `json_file` is
    "-" as JSON. Write the files named, and say so at the end.

    `png_file` gets the first of the figures that is a picture already.
    """
    if json_file is not None:
        write_json(json_file, result.json)
    if html_file is not None:
        write_page(html_file, title, result)
    if png_file is not None:
        plot = next(figure for figure in result.figures if isinstance(figure, Plot))
        write_figure(png_file, plot.png)
    written = [str(path) for path in (json_file, html_file, png_file) if path not in (None, STDOUT)]
    if json_file != STDOUT:
        blocks = [Heading(title, 1), *result.blocks]
        if sys.stdout.isatty():
            is_shortened = show(blocks)
            if is_shortened and not written:
                say("These tables are short; --json FILE and --html FILE have every figure.")
        else:
            print(to_markdown(blocks), flush=True)
    if written:
        say(f"written: {', '.join(written)}")


def write_page(path: Path, title: str, result: Result) -> None:
    """Write the HTML page of blocks and figures under `title`."""
    page = to_html(title, [Heading(title, 1), *result.blocks, *result.figures])
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")


def write_json(path: Path, values: dict) -> None:
    """Write JSON to a file, with who wrote it, or to stdout for "-"."""
    if path == STDOUT:
        print(to_json(values, indent=2))
        return
    text = to_json({"written_by": f"llmcxr {llmcxr.__version__}", **values}, indent=2)
    with replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")
