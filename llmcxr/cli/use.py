"""Hold the commands that use a model: draw, report, answer, info, export. Parses, calls, prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
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

BATCH = 16  # images worked on between two steps of a progress bar


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
    images: Annotated[list[Path], typer.Argument(help="PNG, JPEG or DICOM files.", metavar="IMAGE...")],
    json_file: JsonOption = None,
    seed: SeedOption = 0,
    temperature: WordingOption = 0.0,
    rejected: RejectedOption = Path("rejected.jsonl"),
    model: ModelOption = "phantom",
    device: DeviceOption = "auto",
) -> None:
    """Write the report of each radiograph.

    Images of many that cannot be read are left out, listed with the reason in rejected.jsonl, and counted at
    the end; the exit code is then 1, or 2 where none could be read. --json: an object a line.

    \b
    Examples:
      llmcxr report radiograph.png
      llmcxr report archive/*.dcm --json > reports.jsonl
    """
    from llmcxr.common.rejections import REJECTIONS, Rejections
    from llmcxr.outputs.reading import READINGS, read_all

    listed = (rejected, REJECTIONS) if len(images) > 1 else (None, REJECTIONS)
    check_outputs([*images, model], (json_file, READINGS), listed)
    if len(images) == 1:
        opened = _open_radiographs(images, None)
        cxr = _load_reader(model, device)
        with _reading_writer(json_file) as write:
            write(read_all(opened, cxr, seed, temperature)[0])
        return
    cxr = _load_reader(model, device)
    with (
        Rejections(rejected) as rejections,
        _reading_writer(json_file, with_heading=True) as write,
        progress("reading", len(images)) as advance,
    ):
        for start, count in _batches(len(images), BATCH):
            opened = _open_radiographs(images[start : start + count], rejections)
            for reading in read_all(opened, cxr, seed, temperature):
                write(reading)
            advance(count)
    if len(rejections):
        say(f"{len(images) - len(rejections)} of {len(images)} images were read")
        raise typer.Exit(2 if len(rejections) == len(images) else 1)


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
    from llmcxr.outputs.reading import READINGS, Reading

    check_outputs([image, model], (json_file, READINGS))
    radiograph = _open_radiographs([image], None)[0]
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


def info_command(model: ModelArgument = "phantom", json_file: JsonOption = None) -> None:
    """Say what a model is: its grid, its size, where it came from.

    \b
    Example:
      llmcxr info phantom
    """
    from llmcxr.outputs.notices import DISCLAIMER, PHANTOM_NOTICE
    from llmcxr.pages.result import RESULTS, write_json

    check_outputs([model], (json_file, RESULTS))
    cxr = load_model(model, "cpu")
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
    if json_file is not None:
        write_json(json_file, facts)
    if json_file == STDOUT:
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' ')}: {value}")


def _open_radiographs(paths: Sequence[Path], rejections: Rejections | None) -> list[Radiograph]:
    """Open those that can be read. Without `rejections`, the first that cannot raises its UserError."""
    from llmcxr.outputs.reading import Radiograph

    opened = []
    for path in paths:
        try:
            opened.append(Radiograph.open(path))
        except UserError as error:
            if rejections is None:
                raise
            rejections.add(str(path), str(error))
            say(f"left out: {error}")
    return opened


@contextmanager
def _reading_writer(
    json_file: Path | None, with_heading: bool = False
) -> Iterator[Callable[[Reading], None]]:
    """Yield a function that prints a reading: as text, or for "-" as JSON; a file gets JSON too."""
    is_file = json_file not in (None, STDOUT)
    with json_file.open("w", encoding="utf-8") if is_file else nullcontext(sys.stdout) as lines:

        def write(reading: Reading) -> None:
            if json_file is not None:
                print(reading.to_json(), file=lines, flush=True)
            if json_file != STDOUT:
                _print_reading(reading, with_heading)

        yield write


def _print_reading(reading: Reading, with_heading: bool) -> None:
    path = reading.radiograph.path
    for warning in reading.image_warnings:
        say(f"{path}: {warning}")
    title, end = (f"== {path}\n", "\n") if with_heading else ("", "")
    print(f"{title}{reading.to_text()}{end}", flush=True)


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
