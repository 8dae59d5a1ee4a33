"""Hold the commands `llmcxr bench ...`, which measure speed against the plain way. Parses, calls, prints."""

from __future__ import annotations

from typing import Annotated

import typer

from llmcxr.cli.options import HtmlOption, JsonOption, check_files


def encode_command(
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    images: Annotated[int, typer.Option(min=1, help="In a batch of taming's encoder.")] = 4,
    repeats: Annotated[int, typer.Option(min=1, help="How often each way is timed, in turn.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    small: Annotated[bool, typer.Option("--small", help="A small network: try it, measure nothing.")] = False,
) -> None:
    """Encode images our way and as taming-transformers does, on the CPU, in turn.

    Needs pip install --no-deps taming-transformers-rom1504. Run it on a machine that does nothing else.

    \b
    Example:
      llmcxr bench encode --json encode.json
    """
    from llmcxr.bench.encode import bench_encode
    from llmcxr.pages.result import deliver

    check_files(json_file, html_file)
    result = bench_encode(images, repeats, threads, small)
    deliver("Encoding, ours and taming-transformers", result, json_file, html_file)
