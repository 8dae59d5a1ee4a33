"""The commands `llmcxr evaluate ...` that judge any system on any dataset. Parses, calls, prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmcxr.errors import UserError
from llmcxr.files import check_writable, replacing
from llmcxr.terminal import say

if TYPE_CHECKING:
    from llmcxr.model.classifier import Classifier

SystemArgument = Annotated[
    str,
    typer.Argument(
        help="phantom, a model directory, file:PREDICTIONS.csv|.jsonl, hf:DIR, openai:URL,model=NAME.",
        metavar="SYSTEM",
    ),
]
DatasetArgument = Annotated[str, typer.Argument(help="KIND:PATH,key=value...", metavar="DATASET")]
NumOption = Annotated[int, typer.Option(min=1, help="The first so many studies.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of wording, drawing and resampling.")]
SizeOption = Annotated[int, typer.Option(min=16, help="Side in pixels at which images are shown.")]
ExtractorOption = Annotated[
    str, typer.Option(help="Of image features: classifier, or KIND:PATH with kind xrv, inception, rad-dino.")
]
JsonFileOption = Annotated[Path | None, typer.Option("--json", help="Also write everything to this file.")]
DeviceOption = Annotated[str, typer.Option(help="'cpu', 'cuda', or 'auto'.")]


def add_commands(app: typer.Typer) -> None:
    """Give `app` the commands of this file: one for the whole card and one for each part of it."""
    app.command("card")(_card_command(None, "Run every part that the inputs allow."))
    about = {
        "report": "Score written reports: words, and findings under both published conventions.",
        "questions": "Score answers by the kind of question.",
        "image": "Score drawings against real images, with floor and ceiling.",
        "audit": "Blank, swap and cover the images: do the scores fall?",
        "evidence": "Does the model's own evidence find the wrong sentences of its reports?",
        "cycle": "Draw, read the drawing, and see whether the findings come back.",
    }
    for part, text in about.items():
        app.command(part)(_card_command(part, text))
    app.command("labeler")(labeler_command)
    app.command("compare")(compare_command)
    app.command("tokenizer")(tokenizer_command)


def _card_command(part: str | None, about: str):
    def command(
        system: SystemArgument,
        dataset: DatasetArgument,
        n: NumOption = 200,
        seed: SeedOption = 0,
        size: SizeOption = 128,
        extractor: ExtractorOption = "classifier",
        json_file: JsonFileOption = None,
        device: DeviceOption = "auto",
    ) -> None:
        from llmcxr.evaluation.card import PARTS

        _run((part,) if part else PARTS, system, dataset, n, seed, size, extractor, json_file, device)

    example = (
        f"llmcxr evaluate {part or 'card'} phantom phantom:n=64,seed=1,split=test --n 64 --json card.json"
    )
    command.__doc__ = f"{about}\n\n\b\nExample:\n  {example}\n"
    return command


def _run(
    parts: Sequence[str],
    system: str,
    dataset: str,
    n: int,
    seed: int,
    size: int,
    extractor: str,
    json_file: Path | None,
    device: str,
) -> None:
    from llmcxr.data import open_dataset
    from llmcxr.evaluation.card import evaluate_card
    from llmcxr.evaluation.card_tables import card_tables
    from llmcxr.evaluation.phantom import load_evaluator
    from llmcxr.evaluation.systems.opening import open_system

    if json_file is not None:
        check_writable(json_file)
    studies = open_dataset(dataset)
    if n > len(studies):
        say(f"{dataset} has {len(studies)} studies; all of them are judged")
        n = len(studies)
    judge = load_evaluator() if dataset.startswith("phantom:") else None
    card = evaluate_card(
        open_system(system, device),
        studies,
        n,
        seed,
        parts,
        size=size,
        extractor=extractor,
        judge=judge,
        announce=lambda part: say(f"{part} ..."),
    )
    card = {"system": system, "dataset": dataset, **card}
    _write(json_file, card)
    print(card_tables(card))


def labeler_command(dataset: DatasetArgument, json_file: JsonFileOption = None) -> None:
    """Score the rule-based CheXpert labeler against tags that people gave.

    \b
    Example:
      llmcxr evaluate labeler openi:data/openi --json labeler.json
    """
    from llmcxr.data import open_dataset
    from llmcxr.evaluation.card_tables import labeler_table
    from llmcxr.evaluation.labeler_score import score_labeler

    if not dataset.startswith("openi:"):
        raise UserError(f"expected openi:DIR, whose reports carry manual tags, found {dataset}; give that")
    if json_file is not None:
        check_writable(json_file)
    result = score_labeler(open_dataset(dataset))
    _write(json_file, result)
    print(labeler_table(result))


def tokenizer_command(
    tokenizer: Annotated[
        str,
        typer.Argument(
            help="An image tokenizer or model directory, or 'cxr' or 'phantom'.", metavar="TOKENIZER"
        ),
    ],
    dataset: DatasetArgument,
    n: Annotated[int | None, typer.Option(min=1, help="The first so many studies; all if not given.")] = None,
    seed: SeedOption = 0,
    classifier: Annotated[
        Path | None,
        typer.Option(help="Of findings, trained apart from the tokenizer. For phantoms one ships."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="For the Fréchet distance: classifier, or KIND:PATH with xrv, inception, rad-dino."
        ),
    ] = None,
    json_file: JsonFileOption = None,
    sheet: Annotated[Path | None, typer.Option(help="Draw the worst cases to this PNG.")] = None,
    rejected: Annotated[Path, typer.Option(help="Images that cannot be read are listed here.")] = Path(
        "rejected.jsonl"
    ),
    device: DeviceOption = "auto",
) -> None:
    """How much of a radiograph an image tokenizer keeps, and what it erases.

    Findings are judged by a classifier that took part in no loss of the tokenizer: that of --classifier, or
    for phantoms the one that ships. Its features also give the Fréchet distance, unless --features names
    others.

    \b
    Examples:
      llmcxr evaluate tokenizer phantom phantom:n=256,seed=1,split=test --json fidelity.json --sheet worst.png
      llmcxr evaluate tokenizer cxr nih:data/nih,split=validate --classifier runs/classifier-nih/classifier
    """
    from llmcxr.data import Rejections, open_dataset
    from llmcxr.device import choose_device
    from llmcxr.evaluation.fidelity import evaluate_tokenizer
    from llmcxr.evaluation.fidelity.sheet import write_sheet
    from llmcxr.evaluation.image_metrics.features import open_extractor
    from llmcxr.evaluation.tables import erasure_table, fidelity_line
    from llmcxr.image_statistics import read_summary
    from llmcxr.model.directory import find_image_tokenizer, load_image_tokenizer

    for file in (json_file, sheet, rejected):
        if file is not None:
            check_writable(file)
    device, studies = choose_device(device), open_dataset(dataset)
    model = load_image_tokenizer(tokenizer).to(device)
    extractor = open_extractor(
        features or ("classifier" if classifier is None else f"classifier:{classifier}")
    )
    with Rejections(rejected) as rejections:
        result = evaluate_tokenizer(
            model,
            studies,
            n,
            classifier=_open_judge(classifier, dataset),
            extractor=extractor,
            training_images=read_summary(find_image_tokenizer(tokenizer)),
            rejections=rejections,
            seed=seed,
        )
    about = {"tokenizer": tokenizer, "fingerprint": model.fingerprint, "dataset": dataset}
    scores = {
        **about,
        "grid": list(model.config.grid),
        "image_size": model.config.image_size,
        **result.scores,
    }
    _write(json_file, scores)
    if sheet is not None:
        write_sheet(sheet, model, studies, result.indices, result.psnr)
    for warning in scores["site"]["warnings"]:
        say(f"warning: {warning}")
    print("\n\n".join(filter(None, (erasure_table(scores), fidelity_line(scores)))))
    if len(rejections):
        say(f"{len(rejections)} images were left out; see {rejected}")
        raise typer.Exit(1)


def _open_judge(classifier: Path | None, dataset: str) -> Classifier | None:
    """The classifier of findings, which must know such images: the one that ships knows phantoms only."""
    from llmcxr.evaluation.phantom import load_evaluator
    from llmcxr.model.classifier import Classifier

    if classifier is not None:
        return Classifier.from_pretrained(classifier)
    if dataset.startswith("phantom:"):
        return load_evaluator()
    say("no --classifier: which findings survive is not judged")
    return None


def compare_command(
    first: Annotated[Path, typer.Argument(help="Predictions, CSV or JSONL.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another system's, of the same studies.", metavar="B")],
    dataset: DatasetArgument,
    seed: SeedOption = 0,
    resamples: Annotated[int, typer.Option(min=100, help="Of the test and the interval.")] = 1000,
) -> None:
    """Is A better than B on the same studies? Paired randomisation over patients.

    \b
    Example:
      llmcxr evaluate compare a.csv b.csv phantom:n=200,seed=1,split=test
    """
    from llmcxr.data import open_dataset
    from llmcxr.evaluation.comparing import compare_files, comparison_table
    from llmcxr.evaluation.question_metrics.kinds import KindAccuracy
    from llmcxr.evaluation.report_metrics import report_metrics

    comparisons = compare_files(
        first,
        second,
        open_dataset(dataset),
        [*report_metrics(), KindAccuracy()],
        resamples=resamples,
        seed=seed,
    )
    print(comparison_table((str(first), str(second)), comparisons))


def _write(path: Path | None, result: dict) -> None:
    if path is not None:
        with replacing(path) as beside:
            beside.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
