"""Hold the commands that train: train, encode, curves. Parses, calls, prints."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from llmcxr.cli.options import DatasetArgument, DeviceOption, TokenizerArgument
from llmcxr.common.device import choose_device
from llmcxr.common.guard import check_outputs
from llmcxr.common.terminal import say
from vqgan.json_text import to_json

RUN_KINDS = {  # `kind` of a configuration -> its dataclass, and the module that has it and its `run`
    "tokenizer": ("llmcxr.training.tokenizer", "TokenizerRun"),
    "lm": ("llmcxr.training.lm", "LMRun"),
    "classifier": ("llmcxr.training.classifier", "ClassifierRun"),
}


def train_command(
    config: Annotated[Path, typer.Argument(help="Such as configs/lm/phantom.yaml.", metavar="CONFIG")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Settings that differ from the file's.", metavar="KEY=VALUE..."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Print the resolved configuration and start nothing.")
    ] = False,
) -> None:
    """Train what a configuration describes: an image tokenizer, a language model or a classifier.

    The same command resumes an interrupted training, with more training.steps also one that ended. The head
    of each file under configs/ tells its command, hardware, time and expected score.

    \b
    Examples:
      llmcxr train configs/tokenizer/demo.yaml
      llmcxr train configs/lm/nih.yaml run_dir=runs/mine dataset=csv:radiographs.csv seed=1
    """
    from llmcxr.common.config import load, to_dict

    kinds = {kind: lambda kind=kind: _run_dataclass(kind) for kind in RUN_KINDS}
    settings = load(config, overrides or (), kinds=kinds)
    if check:
        print(to_json(to_dict(settings), indent=2, default=str))
        return
    try:
        made = import_module(RUN_KINDS[settings.kind][0]).run(settings)
    except KeyboardInterrupt:
        say("interrupted; the same command resumes at the last checkpoint")
        raise typer.Exit(130) from None
    print(made)


def curves_command(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of trainings, also unfinished.", metavar="RUN_DIR...")
    ],
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("curves.png"),
) -> None:
    """Draw the learning curves of trainings: what there is, a dot where it is one step.

    Runs without figures are left out and named; the exit code is then 1, or 2 where none has any.

    \b
    Example:
      llmcxr curves runs/tokenizer-phantom runs/lm-phantom --out curves.png
    """
    from llmcxr.images import FIGURE
    from llmcxr.training.curves import METRICS_FILE, draw_curves, read_runs

    check_outputs([run_dir / METRICS_FILE for run_dir in runs], (out, FIGURE))
    found, missing = read_runs(runs)
    print(draw_curves(found, out))
    for error in missing:
        say(f"left out: {error}")
    if missing:
        raise typer.Exit(1)


def encode_command(
    dataset: DatasetArgument,
    tokenizer: TokenizerArgument,
    out: Annotated[Path, typer.Argument(help="The code store to write.", metavar="OUT")],
    augmentations: Annotated[
        int,
        typer.Option(  # --codings is its former name
            "--augmentations",
            "--codings",
            min=1,
            help="Codes of each image: of it as it is, then of shifted, turned, ... copies.",
        ),
    ] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Threads that read files; 0 is one per core.")] = 0,
    cache_dir: Annotated[Path, typer.Option(help="Where computed images are kept.")] = Path("runs/cache"),
    device: DeviceOption = "auto",
) -> None:
    """Turn a dataset's radiographs into codes, once, so that training reads integers.

    The same command resumes an interrupted encoding, and encodes what is new or changed in the dataset since;
    codes of what is gone are dropped. A second process at OUT waits. Radiographs that cannot be read are left
    out, listed with the reason in OUT/rejected.jsonl, and counted at the end; the exit code is then 1. Under
    accelerate launch each process encodes its part.

    \b
    Examples:
      llmcxr encode nih:data/nih cxr runs/nih-codes
      llmcxr encode nih:data/nih runs/tokenizer-nih/model runs/nih-codes --augmentations 4
      accelerate launch --num_processes 4 -m llmcxr encode nih:data/nih cxr runs/nih-codes
    """
    from llmcxr.codes.encode import EncodingConfig, encode_dataset, find_ranks
    from llmcxr.data import open_dataset
    from llmcxr.model.directory import load_image_tokenizer

    ranks = find_ranks()  # gives each process its own GPU, before the tokenizer goes to one
    image_tokenizer = load_image_tokenizer(tokenizer).to(choose_device(device))
    store = encode_dataset(
        open_dataset(dataset), image_tokenizer, out, cache_dir, EncodingConfig(augmentations), ranks, workers
    )
    if ranks.index:
        return
    say(f"{len(store)} radiographs as codes on a {'x'.join(map(str, store.metadata.grid))} grid")
    print(out)
    if store.rejected:
        say(f"{len(store.rejected)} were left out; see {out / 'rejected.jsonl'}")
        raise typer.Exit(1)


def _run_dataclass(kind: str) -> type:
    module, name = RUN_KINDS[kind]
    return getattr(import_module(module), name)
