"""The console program `llmcxr`: one sub-command a job. Parses arguments, calls the library and prints.

`generate.py` and `train.py` are doors into the same functions. Results go to stdout, everything said about
them to stderr. Exit codes: 0 done; 1 some of many inputs were left out; 2 a user's mistake, or no input could
be used; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmcxr.cli import bench as cli_bench
from llmcxr.cli import evaluate as cli_evaluate
from llmcxr.common.device import choose_device
from llmcxr.common.errors import UserError
from llmcxr.common.files import check_writable
from llmcxr.common.terminal import progress, say

if TYPE_CHECKING:
    from llmcxr import CXR
    from llmcxr.common.rejections import Rejections
    from llmcxr.outputs.reading import Film, Reading

RUN_KINDS = {  # `kind` of a configuration -> its dataclass, and the module that has it and its `run`
    "tokenizer": ("llmcxr.training.tokenizer", "TokenizerRun"),
    "lm": ("llmcxr.training.lm", "LMRun"),
    "classifier": ("llmcxr.training.classifier", "ClassifierRun"),
}
BATCH = 16  # images worked on between two steps of a progress bar

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


app = _program(
    "llmcxr", "One model that reads and draws chest radiographs. The model 'phantom' ships with the package."
)
generate_app = _program(
    "generate.py", "Draw a radiograph from a sentence, write the report of one, answer a question about one."
)
evaluate_app = _program("evaluate", "Score a model.")
app.add_typer(evaluate_app)
cli_evaluate.add_commands(evaluate_app)
bench_app = _program("bench", "Measure speed against the plain way.")
app.add_typer(bench_app)
cli_bench.add_commands(bench_app)

ModelOption = Annotated[str, typer.Option(help="A model directory, or 'phantom', the embedded model.")]
ModelArgument = Annotated[str, typer.Argument(help="A model directory, or 'phantom'.", metavar="MODEL")]
DeviceOption = Annotated[str, typer.Option(help="'cpu', 'cuda', or 'auto': cuda where there is one.")]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON in place of text.")]
WordingOption = Annotated[float, typer.Option(min=0, help="0 writes the likeliest wording.")]


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


# -- drawing and reading -------------------------------------------------------------------------------------


@app.command("image")
@app.command("draw", hidden=True)
@generate_app.command("image")
def image_command(
    text: Annotated[str, typer.Argument(help="What the radiograph shows.", metavar="TEXT")],
    n: Annotated[int, typer.Option(min=1, help="How many to draw, with seeds SEED, SEED+1, ...")] = 1,
    seed: SeedOption = 0,
    out: Annotated[Path, typer.Option(help="A .png or .dcm file to write.")] = Path("drawn.png"),
    best_of: Annotated[
        int, typer.Option(min=1, help="Draw this many for each, keep the one whose reading fits best.")
    ] = 1,
    guidance: Annotated[float, typer.Option(min=0, help="How closely to follow the text; 1 is plain.")] = 2.0,
    side_guidance: Annotated[
        float, typer.Option(min=0, help="How strongly to keep left and right apart; 0 is off.")
    ] = 1.0,
    temperature: Annotated[float, typer.Option(min=0, help="0 draws the likeliest, more varies.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Choose among this many codes; 0 is all.")] = 0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Choose among this much probability.")] = 1.0,
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Draw the radiograph that a sentence describes. Also called [bold]draw[/bold].

    With --n 4 --out drawn.png, the four are drawn-1.png to drawn-4.png, and drawn.png shows them in a row.
    Every PNG says that it is synthetic and carries its recipe; so does a .dcm, a Secondary Capture.

    \b
    Examples:
      llmcxr image "Large right pleural effusion with cardiomegaly." --n 4 --seed 0 --out drawn.png
      llmcxr image "Nodule in the left upper zone." --best-of 4 --out nodule.dcm
    """
    from llmcxr.outputs import drawing as drawings
    from llmcxr.outputs import notices

    drawings.check_output(out)
    cxr = _load(model, device)
    settings = {"guidance": guidance, "side_guidance": side_guidance, "temperature": temperature}
    settings |= {"top_k": top_k, "top_p": top_p}
    drawn = []
    with progress("drawing", n) as advance:
        for start, count in _pieces(n, max(1, BATCH // best_of)):
            drawn += cxr.draw([text], n=count, seed=seed + start, best_of=best_of, **settings)
            advance(count)
    for path in drawings.write(out, drawn):
        print(path)
    say(notices.SYNTHETIC)


@app.command("report")
@generate_app.command("report")
def report_command(
    images: Annotated[list[Path], typer.Argument(help="PNG, JPEG or DICOM files.", metavar="IMAGE...")],
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    temperature: WordingOption = 0.0,
    rejected: Annotated[
        Path, typer.Option(help="Of many images, those that cannot be read are listed here.")
    ] = Path("rejected.jsonl"),
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Write the report of each radiograph.

    Of many images, those that cannot be read are left out, listed with the reason in rejected.jsonl, and
    counted at the end; the exit code is then 1, or 2 where none could be read. --json: an object a line.

    \b
    Examples:
      llmcxr report film.png
      llmcxr report archive/*.dcm --json > reports.jsonl
    """
    from llmcxr.common.rejections import Rejections
    from llmcxr.outputs.reading import read_all

    if len(images) == 1:
        films = _open_films(images, None)
        cxr = _load_reader(model, device)
        _print_reading(read_all(films, cxr, seed, temperature)[0], as_json)
        return
    check_writable(rejected)
    cxr = _load_reader(model, device)
    with Rejections(rejected) as rejections, progress("reading", len(images)) as advance:
        for start, count in _pieces(len(images), BATCH):
            films = _open_films(images[start : start + count], rejections)
            for reading in read_all(films, cxr, seed, temperature):
                _print_reading(reading, as_json, heading=True)
            advance(count)
    if len(rejections):
        say(f"{len(images) - len(rejections)} of {len(images)} images were read")
        raise typer.Exit(2 if len(rejections) == len(images) else 1)


@app.command("answer")
@generate_app.command("answer")
def answer_command(
    image: Annotated[Path, typer.Argument(help="A PNG, JPEG or DICOM file.", metavar="IMAGE")],
    question: Annotated[str, typer.Argument(help="A question about it.", metavar="QUESTION")],
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    temperature: WordingOption = 0.0,
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Answer a question about a radiograph.

    \b
    Examples:
      llmcxr answer film.png "Is there a pneumothorax?"
      llmcxr answer film.png "What is the cardiothoracic ratio?" --json
    """
    from llmcxr.outputs.reading import Reading

    film = _open_films([image], None)[0]
    cxr = _load_reader(model, device)
    result = cxr.answer(film.pixels, question, seed=seed, temperature=temperature)
    _print_reading(Reading(film, result, cxr.name, cxr.is_phantom_trained), as_json)


# -- training, and moving models -----------------------------------------------------------------------------


@app.command("train")
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

    The same command goes on where an interrupted training stopped. The head of each file under configs/ tells
    its command, hardware, time and expected score.

    \b
    Examples:
      llmcxr train configs/tokenizer/demo.yaml
      llmcxr train configs/lm/nih.yaml run_dir=runs/mine dataset=folder:films.csv seed=1
    """
    from llmcxr.common.config import load, to_dict

    kinds = {kind: lambda kind=kind: _run_dataclass(kind) for kind in RUN_KINDS}
    settings = load(config, overrides or (), kinds=kinds)
    if check:
        print(json.dumps(to_dict(settings), indent=2, default=str))
        return
    try:
        made = import_module(RUN_KINDS[settings.kind][0]).run(settings)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from the last checkpoint")
        raise typer.Exit(130) from None
    print(made)


@app.command("curves")
def curves_command(
    runs: Annotated[list[Path], typer.Argument(help="Of trainings, also unfinished.", metavar="RUN_DIR...")],
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("curves.png"),
) -> None:
    """Draw the learning curves of trainings.

    \b
    Example:
      llmcxr curves runs/tokenizer-phantom runs/lm-phantom --out curves.png
    """
    from llmcxr.training.curves import draw_curves

    print(draw_curves(runs, out))


@app.command("encode")
def encode_command(
    dataset: Annotated[str, typer.Argument(help="KIND:PATH,key=value...", metavar="DATASET")],
    tokenizer: Annotated[
        str,
        typer.Argument(
            help="An image tokenizer or model directory, or 'cxr' or 'phantom'.", metavar="TOKENIZER"
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The code store to write.", metavar="OUT")],
    codings: Annotated[
        int, typer.Option(min=1, help="Of each image: the first as it is, the others shifted, turned, ...")
    ] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Threads that read files; 0 is one per core.")] = 0,
    cache_dir: Annotated[Path, typer.Option(help="Where computed images are kept.")] = Path("runs/cache"),
    device: DeviceOption = "auto",
) -> None:
    """Turn a dataset's radiographs into codes, once, so that training reads integers.

    The same command goes on where an interrupted one stopped. Radiographs that cannot be read are left out,
    listed with the reason in OUT/rejected.jsonl, and counted at the end; the exit code is then 1. Under
    accelerate launch each process encodes its part.

    \b
    Examples:
      llmcxr encode nih:data/nih cxr runs/nih-codes
      llmcxr encode nih:data/nih runs/tokenizer-nih/model runs/nih-codes --codings 4
      accelerate launch --num_processes 4 -m llmcxr encode nih:data/nih cxr runs/nih-codes
    """
    from llmcxr.codes.encode import EncodingConfig, encode_dataset, find_ranks
    from llmcxr.model.directory import load_image_tokenizer

    ranks = find_ranks()  # gives each process its own GPU, before the tokenizer goes to one
    image_tokenizer = load_image_tokenizer(tokenizer).to(choose_device(device))
    store = encode_dataset(dataset, image_tokenizer, out, cache_dir, EncodingConfig(codings), ranks, workers)
    if ranks.index:
        return
    say(f"{len(store)} radiographs as codes on a {'x'.join(map(str, store.metadata.grid))} grid")
    print(out)
    if store.rejected:
        say(f"{len(store.rejected)} were left out; see {out / 'rejected.jsonl'}")
        raise typer.Exit(1)


@app.command("export")
def export_command(
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="The folder to write.", metavar="OUT")],
) -> None:
    """Write a model as a plain Hugging Face directory, which transformers loads without this package.

    \b
    Example:
      llmcxr export phantom exported
    """
    print(_load(model, "cpu").save_pretrained(out))


@app.command("info")
def info_command(model: ModelArgument = "phantom", as_json: JsonOption = False) -> None:
    """Say what a model is: its grid, its size, where it came from.

    \b
    Example:
      llmcxr info phantom
    """
    from llmcxr.outputs.notices import DISCLAIMER, PHANTOM_NOTICE

    cxr = _load(model, "cpu")
    vocabulary, image_tokenizer = cxr.model.vocabulary, cxr.image_tokenizer
    facts = {
        "model": cxr.name,
        "disclaimer": DISCLAIMER,
        "notice": PHANTOM_NOTICE if cxr.is_phantom_trained else "",
        "image_size": image_tokenizer.config.image_size,
        "grid": list(vocabulary.grid),
        "codebook_size": vocabulary.codebook_size,
        "words": vocabulary.size,
        "language_model_parameters": _num_parameters(cxr.model),
        "image_tokenizer_parameters": _num_parameters(image_tokenizer),
        "image_tokenizer_fingerprint": image_tokenizer.fingerprint,
        "provenance": cxr.provenance,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' ')}: {value}")


# -- scoring -------------------------------------------------------------------------------------------------


@evaluate_app.command("phantom")
def evaluate_phantom_command(
    model: ModelArgument,
    n: Annotated[int, typer.Option(min=1, help="How many held-out phantoms.")] = 500,
    seed: SeedOption = 0,
    best_of: Annotated[list[int], typer.Option(min=1, help="Draw the best of so many; repeatable.")] = (1, 4),
    as_json: JsonOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Score reading, drawing and answering on phantoms that no training saw.

    The judges are a classifier that took part in no loss, and geometry from the pixels.

    \b
    Example:
      llmcxr evaluate phantom runs/lm-phantom/model --n 64 --best-of 1 --json > scores.json
    """
    from llmcxr.evaluation.phantom.run import evaluate_phantom, phantom_tables

    cxr = _load(model, device)
    scores = evaluate_phantom(cxr, n, seed, tuple(best_of), announce=lambda stage: say(f"{stage} ..."))
    print(json.dumps(scores, indent=2) if as_json else phantom_tables(scores))


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("runs/demo"),
    seed: SeedOption = 0,
    n: Annotated[int, typer.Option(min=1, help="How many held-out phantoms to score on.")] = 64,
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Draw eight prompts, read phantoms, answer questions, score both ways, and write a page of it.

    \b
    Example:
      llmcxr demo --out runs/demo
    """
    from llmcxr.evaluation.demo.run import run_demo

    check_writable(out / "summary.json")
    summary = run_demo(out, seed, n, _load(model, device), announce=say)
    say(f"reading F1 macro {summary['reading_f1']['macro']} on {n} held-out phantoms")
    say(f"drawing agreement macro {summary['drawing_agreement']['macro']}")
    say("The results (the picture, the page, the numbers):")
    for name in ("demo.png", "index.html", "summary.json"):
        print(out / name)


# -- parts ---------------------------------------------------------------------------------------------------


def _open_films(paths: Sequence[Path], rejections: Rejections | None) -> list[Film]:
    """Those that can be read. Without `rejections`, the first that cannot raises its UserError."""
    from llmcxr.outputs.reading import Film

    films = []
    for path in paths:
        try:
            films.append(Film.open(path))
        except UserError as error:
            if rejections is None:
                raise
            rejections.add(str(path), str(error))
            say(f"left out: {error}")
    return films


def _print_reading(reading: Reading, as_json: bool, heading: bool = False) -> None:
    if as_json:
        print(reading.to_json(), flush=True)
        return
    for warning in reading.film_warnings:
        say(f"{reading.film.path}: {warning}")
    title = f"== {reading.film.path}\n" if heading else ""
    print(f"{title}{reading.to_text()}" + ("\n" if heading else ""), flush=True)


def _load(model: str, device: str) -> CXR:
    from transformers.utils import logging as transformers_logging

    from llmcxr import CXR

    transformers_logging.disable_progress_bar()
    return CXR.from_pretrained(model, device=choose_device(device))


def _load_reader(model: str, device: str) -> CXR:
    """A model that is about to speak of films, introduced."""
    from llmcxr.outputs.notices import DISCLAIMER, PHANTOM_NOTICE

    cxr = _load(model, device)
    say(f"{DISCLAIMER} {PHANTOM_NOTICE}" if cxr.is_phantom_trained else DISCLAIMER)
    return cxr


def _run_dataclass(kind: str) -> type:
    module, name = RUN_KINDS[kind]
    return getattr(import_module(module), name)


def _num_parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _pieces(total: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, count) of consecutive pieces of `total`."""
    for start in range(0, total, size):
        yield start, min(size, total - start)
