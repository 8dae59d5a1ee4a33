"""Run the console program `llmcxr`, one sub-command a job. Parses arguments, calls the library and prints.

`generate.py` and `train.py` are doors into the same functions. Results go to stdout, everything said about
them to stderr. Exit codes: 0 done; 1 some of many inputs were left out, or stdout is full or closed; 2 a
user's mistake, or no input could be used; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

import llmcxr
from llmcxr.cli import evaluate, use
from llmcxr.cli import train as training
from llmcxr.cli.options import Command, take_skip_bad
from llmcxr.common.errors import UserError
from llmcxr.common.plugins import load_plugins
from llmcxr.common.terminal import CheckedStdout, StdoutError, drop_stdout, say
from llmcxr.outputs.notices import DISCLAIMER

EPILOG = f"Every command takes --help, and --debug, which shows the traceback of an error. {DISCLAIMER}"


PLUGIN = "--plugin"
FOREIGN_BARS = ("HF_HUB_DISABLE_PROGRESS_BARS", "TQDM_DISABLE")  # switch the bars of libraries off


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"llmcxr {llmcxr.__version__}")
        raise typer.Exit


def _take_plugins(
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            PLUGIN,
            metavar="FILE",
            help="A Python file that is imported first, to add a quantizer, a dataset, a report metric or a "
            "command; repeatable. LLMCXR_PLUGINS names such files too. It runs with your rights: "
            "name only files that you trust.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version.")
    ] = False,
) -> None:
    """Show --plugin in the help; `_run` has imported the files already."""


def _program(name: str, about: str, **options: object) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=about,
        **options,
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )


def _add(program: typer.Typer, *commands: Callable[..., None]) -> None:
    """Add commands, each under the name of its function."""
    for command in commands:
        program.command(command.__name__.removesuffix("_command"), cls=Command)(take_skip_bad(command))


app = _program(
    "llmcxr",
    "One model that reads and draws chest radiographs. The model 'phantom' ships with the package.",
    callback=_take_plugins,
)
generate_app = _program(
    "generate.py",
    "Draw a radiograph from a sentence, write the report of one, answer a question about one.",
    callback=_take_plugins,
)
evaluate_app = _program("evaluate", "Score a model.")
for program in (app, generate_app):
    _add(program, use.draw_command, use.report_command, use.answer_command)
    program.command("image", cls=Command, hidden=True)(use.draw_command)  # its former name
_add(app, training.train_command, training.curves_command, training.encode_command)
_add(app, use.export_command, use.info_command, evaluate.demo_command)
_add(evaluate_app, *evaluate.COMMANDS)
app.add_typer(evaluate_app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program `llmcxr`. Ends the process."""
    _run(app, sys.argv[1:] if arguments is None else arguments)


def generate(arguments: Sequence[str] | None = None) -> None:
    """Run the program `generate.py`. Ends the process."""
    _run(generate_app, sys.argv[1:] if arguments is None else arguments)


def train(arguments: Sequence[str] | None = None) -> None:
    """Run the program `train.py`: `llmcxr train` without the word train. Ends the process."""
    plugins, arguments = _split_plugins(sys.argv[1:] if arguments is None else arguments)
    command = ["--version"] if "--version" in arguments else ["train", *(arguments or ["--help"])]
    _run(app, [*plugins, *command])


def _run(program: typer.Typer, arguments: Sequence[str]) -> None:
    for library in FOREIGN_BARS:
        os.environ.setdefault(library, "1")
    before = sys.stdout
    _prepare_streams()
    try:
        shown = [argument for argument in arguments if argument != "--debug"]
        load_plugins(name.removeprefix(f"{PLUGIN}=") for name in _split_plugins(shown)[0] if name != PLUGIN)
        try:
            program(shown)
        finally:
            sys.stdout.flush()
    except UserError as error:
        if "--debug" in arguments:
            raise
        say(f"error: {error}")
        sys.exit(2)
    except StdoutError as error:
        drop_stdout()
        say(f"error: stdout takes no more ({error}); what is missing there was not written")
        sys.exit(1)
    finally:
        sys.stdout = before


def _prepare_streams() -> None:
    """Let stdout and stderr take any file name, and errors of stdout be told from others. Ends the process
    where stdout is closed.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, it stays open to the end
    if sys.stdout is None:
        say("error: stdout is closed, where results go; open it, or send it to /dev/null")
        sys.exit(1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    sys.stdout = CheckedStdout(sys.stdout)


def _split_plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Take apart the --plugin options before the command, and the rest."""
    plugins, rest = [], list(arguments)
    while rest and rest[0].partition("=")[0] == PLUGIN:
        count = 1 if "=" in rest[0] else 2
        plugins, rest = plugins + rest[:count], rest[count:]
    return plugins, rest
