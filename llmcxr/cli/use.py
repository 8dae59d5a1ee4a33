"""Hold the commands that use a model: draw, report, answer, info, export. Parses, calls, prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from os.path import isdir
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmcxr.cli.options import (
    DeviceOption,
    JsonOption,
    ModelArgument,
    ModelOption,
    RejectedOption,
    SeedOption,
    WordingOption,
    load_model,
    options_of,
)
from llmcxr.common.errors import UserError
from llmcxr.common.guard import check_folder, check_outputs
from llmcxr.common.terminal import STDOUT, progress, say
from llmcxr.decoding.settings import DrawSettings

if TYPE_CHECKING:
    from llmcxr import CXR
    from llmcxr.common.rejections import Rejections
    from llmcxr.outputs.reading import Radiograph, Reading
    from llmcxr.predictor import DrawResult
    from vqgan import VQGAN

BATCH = 16  # images worked on between two steps of a progress bar
AHEAD = 8  # pictures that are read while the model works: so many more are in memory


@options_of(DrawSettings)
def draw_command(
    text: Annotated[str, typer.Argument(help="What the radiograph shows.", metavar="TEXT")],
    settings: DrawSettings,
    out: Annotated[Path, typer.Option(help="A .png or .dcm file to write.")] = Path("drawn.png"),
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Draw the radiograph that a sentence describes.

    With --n 4 --out drawn.png, the four are drawn-1.png to drawn-4.png, each written as it comes, and
    drawn.png shows them in a row.
    Every PNG says that it is synthetic and carries its recipe; so does a .dcm, a Secondary Capture.

    \b
    Examples:
      llmcxr draw "Large right pleural effusion with cardiomegaly." --n 4 --seed 0 --out drawn.png
      llmcxr draw "Nodule in the left upper zone." --best-of 4 --out nodule.dcm
    """
    from llmcxr.outputs import drawing as drawings
    from llmcxr.outputs import notices

    drawings.check_output(out, settings.n, [model])
    cxr = load_model(model, device)

    def draw() -> Iterator[DrawResult]:
        with progress("drawing", settings.n) as advance:
            for start, count in _batches(settings.n, max(1, BATCH // settings.best_of)):
                yield from cxr.draw([text], settings, n=count, seed=settings.seed + start)
                advance(count)

    for path in drawings.write(out, draw(), settings.n):
        print(path, flush=True)
    say(notices.SYNTHETIC)


def report_command(
    images: Annotated[
        list[Path],
        typer.Argument(help="PNG, JPEG or DICOM files, or folders of them.", metavar="IMAGE..."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="A file for the reports, in place of the screen: .txt, .jsonl (as --json) or .csv."
        ),
    ] = None,
    json_file: JsonOption = None,
    seed: SeedOption = 0,
    temperature: WordingOption = 0.0,
    rejected: RejectedOption = Path("rejected.jsonl"),
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Write the report of each radiograph.

    A folder stands for the pictures and DICOM files in it and its subfolders, in the order of their names.
    Images of many that cannot be read are left out, listed with the reason in rejected.jsonl, and counted at
    the end; the exit code is then 1, or 2 where none could be read. --json: an object a line. The .csv is
    what `evaluate report file:REPORTS.csv` takes; its id is the image's path.

    \b
    Examples:
      llmcxr report radiograph.png
      llmcxr report archive --out reports.csv
      llmcxr report archive/*.dcm --json > reports.jsonl
    """
    from llmcxr.common.rejections import REJECTIONS, Rejections
    from llmcxr.data.read_ahead import read_ahead
    from llmcxr.outputs.reading import READINGS, Radiograph, read_all
    from llmcxr.outputs.reading_file import find_kind

    is_many = len(images) > 1 or isdir(images[0])
    paths = _list_files(images)
    outputs = [(json_file, READINGS), (rejected, REJECTIONS) if is_many else (None, REJECTIONS)]
    check_outputs([*images, *paths, model], *outputs, *([(out, find_kind(out))] if out else []))
    if not is_many:
        opened = Radiograph.open(paths[0])
        cxr = _load_reader(model, device)
        with _reading_writer(json_file, out) as write:
            write(read_all([opened], cxr, seed, temperature)[0])
        return
    cxr = _load_reader(model, device)
    with (
        Rejections(rejected) as rejections,
        _reading_writer(json_file, out, with_heading=True) as write,
        progress("reading", len(paths)) as advance,
        closing(read_ahead(_try_to_open, paths, ahead=AHEAD)) as opened,
    ):
        for start, count in _batches(len(paths), BATCH):
            batch = _leave_out(paths[start : start + count], islice(opened, count), rejections)
            for reading in read_all(batch, cxr, seed, temperature):
                write(reading)
            advance(count)
    if len(rejections):
        say(f"{len(paths) - len(rejections)} of {len(paths)} images were read")
        raise typer.Exit(2 if len(rejections) == len(paths) else 1)


def answer_command(
    image: Annotated[Path, typer.Argument(help="A PNG, JPEG or DICOM file.", metavar="IMAGE")],
    question: Annotated[str, typer.Argument(help="A question about it.", metavar="QUESTION")],
    json_file: JsonOption = None,
    seed: SeedOption = 0,
    temperature: WordingOption = 0.0,
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Answer a question about a radiograph.

    \b
    Examples:
      llmcxr answer radiograph.png "Is there a pneumothorax?"
      llmcxr answer radiograph.png "What is the cardiothoracic ratio?" --json
    """
    from llmcxr.outputs.reading import READINGS, Radiograph, Reading

    check_outputs([image, model], (json_file, READINGS))
    radiograph = Radiograph.open(image)
    cxr = _load_reader(model, device)
    result = cxr.answer(radiograph.pixels, question, seed=seed, temperature=temperature)
    with _reading_writer(json_file) as write:
        write(Reading(radiograph, result, cxr.name, cxr.is_phantom_trained))


def export_command(
    model: ModelArgument,
    out: Annotated[Path, typer.Argument(help="The folder to write.", metavar="OUT")],
) -> None:
    """Write a model as a plain Hugging Face directory, which transformers loads without this package.

    \b
    Example:
      llmcxr export phantom exported
    """
    check_folder([model], out)
    print(load_model(model, "cpu").save_pretrained(out))


def info_command(
    model: Annotated[
        str,
        typer.Argument(
            help="A model or image tokenizer directory, or 'phantom' or 'cxr'.", metavar="MODEL|TOKENIZER"
        ),
    ] = "phantom",
    json_file: JsonOption = None,
) -> None:
    """Say what a model or an image tokenizer is: its grid, its size, where it came from.

    \b
    Examples:
      llmcxr info phantom
      llmcxr info cxr
    """
    from llmcxr.model.directory import is_image_tokenizer, load_image_tokenizer
    from llmcxr.pages.result import RESULTS, write_json

    check_outputs([model], (json_file, RESULTS))
    if is_image_tokenizer(model):
        facts = _describe_tokenizer(model, load_image_tokenizer(model))
    else:
        facts = _describe_model(load_model(model, "cpu"))
    if json_file is not None:
        write_json(json_file, facts)
    if json_file == STDOUT:
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' ')}: {value}")


def _describe_model(cxr: CXR) -> dict[str, Any]:
    from llmcxr.outputs.notices import DISCLAIMER, PHANTOM_NOTICE

    vocabulary, image_tokenizer = cxr.model.vocabulary, cxr.image_tokenizer
    return {
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


def _describe_tokenizer(name: str, tokenizer: VQGAN) -> dict[str, Any]:
    from llmcxr.outputs.notices import DISCLAIMER, FIDELITY_NOTICE

    config = tokenizer.config
    return {
        "image_tokenizer": name,
        "disclaimer": DISCLAIMER,
        "notice": FIDELITY_NOTICE,
        "image_size": config.image_size,
        "grid": list(config.grid),
        "codebook_size": config.codebook_size,
        "architecture": config.architecture,
        "quantizer": config.quantizer,
        "image_tokenizer_parameters": _num_parameters(tokenizer),
        "image_tokenizer_fingerprint": tokenizer.fingerprint,
    }


def _try_to_open(path: Path) -> Radiograph | UserError:
    from llmcxr.outputs.reading import Radiograph

    try:
        return Radiograph.open(path)
    except UserError as error:
        return error


def _leave_out(
    paths: Sequence[Path], opened: Iterable[Radiograph | UserError], rejections: Rejections
) -> list[Radiograph]:
    """Return those that could be read; add the others to `rejections` and say so."""
    kept = []
    for path, one in zip(paths, opened, strict=True):
        if isinstance(one, UserError):
            rejections.add(str(path), str(one))
            say(f"left out: {one}")
        else:
            kept.append(one)
    return kept


def _list_files(images: Sequence[Path]) -> list[Path]:
    """List files, those of a folder in its place."""
    from llmcxr.images.folders import find_radiographs

    return [path for image in images for path in (find_radiographs(image) if isdir(image) else [image])]


@contextmanager
def _reading_writer(
    json_file: Path | None, out: Path | None = None, with_heading: bool = False
) -> Iterator[Callable[[Reading], None]]:
    """Yield a function that writes a reading to the files; without `out` it prints it as text, and for "-" as
    JSON. What was written to `out` is said at the end.
    """
    from llmcxr.outputs.reading_file import open_file

    with ExitStack() as stack:
        files = [stack.enter_context(open_file(out))] if out else []
        if json_file not in (None, STDOUT):
            files.append(stack.enter_context(open_file(json_file, ".jsonl")))

        def write(reading: Reading) -> None:
            for write_to_file in files:
                write_to_file(reading)
            if json_file == STDOUT:
                print(reading.to_json(), flush=True)
            elif out is None:
                _print_reading(reading, with_heading)

        yield write
    if out is not None and json_file != STDOUT:
        print(out)


def _print_reading(reading: Reading, with_heading: bool) -> None:
    from llmcxr.outputs.reading_file import to_titled_text

    for warning in reading.image_warnings:
        say(f"{reading.radiograph.path}: {warning}")
    print(to_titled_text(reading) if with_heading else reading.to_text(), flush=True)


def _load_reader(model: str, device: str) -> CXR:
    """Load a model that will speak of radiographs, and say what it is not."""
    from llmcxr.outputs.notices import DISCLAIMER, PHANTOM_NOTICE

    cxr = load_model(model, device)
    say(f"{DISCLAIMER} {PHANTOM_NOTICE}" if cxr.is_phantom_trained else DISCLAIMER)
    return cxr


def _num_parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _batches(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, count) of consecutive batches of `total`."""
    for start in range(0, total, size):
        yield start, min(size, total - start)
