"""The commands `llmcxr bench ...` that measure speed against the plain way. Parses, calls, prints."""

from __future__ import annotations

from typing import Annotated

import typer

from llmcxr.cli.options import JsonFileOption
from llmcxr.common.files import check_writable


def encode_command(
    json_file: JsonFileOption = None,
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
    from llmcxr.bench.timing import table, write_rows

    if json_file is not None:
        check_writable(json_file)
    result = bench_encode(images, repeats, threads, small)
    if json_file is not None:
        write_rows(path=json_file, **result)
    print(table(result["rows"]))
    print(f"{result['same_codes']:.2%} of the codes are the same with the same weights")
