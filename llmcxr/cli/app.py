"""The console program `llmcxr`: one sub-command a job. Parses arguments, calls the library and prints.

`generate.py` and `train.py` are doors into the same functions. Results go to stdout, everything said about
them to stderr. Exit codes: 0 done; 1 some of many inputs were left out; 2 a user's mistake, or no input could
be used; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import typer

from llmcxr.cli import bench, evaluate, use
from llmcxr.cli import train as training
from llmcxr.cli.options import Command
from llmcxr.common.errors import UserError
from llmcxr.common.terminal import say

EPILOG = (
    "Every command takes --help, and --debug, which shows the traceback of an error. "
    "Research software, not a medical device."
)


def _program(name: str, about: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=about,
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )


def _add(program: typer.Typer, *commands: Callable[..., None]) -> None:
    """Each under the name of its function."""
    for command in commands:
        program.command(command.__name__.removesuffix("_command"), cls=Command)(command)


app = _program(
    "llmcxr", "One model that reads and draws chest radiographs. The model 'phantom' ships with the package."
)
generate_app = _program(
    "generate.py", "Draw a radiograph from a sentence, write the report of one, answer a question about one."
)
evaluate_app = _program("evaluate", "Score a model.")
bench_app = _program("bench", "Measure speed against the plain way.")
for program in (app, generate_app):
    _add(program, use.draw_command, use.report_command, use.answer_command)
    program.command("image", cls=Command, hidden=True)(use.draw_command)  # its former name
_add(app, training.train_command, training.curves_command, training.encode_command)
_add(app, use.export_command, use.info_command, evaluate.demo_command)
_add(evaluate_app, *evaluate.COMMANDS)
_add(bench_app, bench.encode_command)
app.add_typer(evaluate_app)
app.add_typer(bench_app)


def main(arguments: Sequence[str] | None = None) -> None:
    """The program `llmcxr`. Ends the process."""
    _run(app, sys.argv[1:] if arguments is None else arguments)


def generate(arguments: Sequence[str] | None = None) -> None:
    """The program `generate.py`. Ends the process."""
    _run(generate_app, sys.argv[1:] if arguments is None else arguments)


def train(arguments: Sequence[str] | None = None) -> None:
    """The program `train.py`: `llmcxr train` without the word train. Ends the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _run(app, ["train", *(arguments or ["--help"])])


def _run(program: typer.Typer, arguments: Sequence[str]) -> None:
    for stream in (sys.stdout, sys.stderr):  # file names need not be text
        stream.reconfigure(errors="backslashreplace")
    try:
        program([argument for argument in arguments if argument != "--debug"])
    except UserError as error:
        if "--debug" in arguments:
            raise
        say(f"error: {error}")
        sys.exit(2)
