"""Hold the commands `llmcxr evaluate ...`, which judge any system on any dataset. Parses, calls, prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmcxr.cli.options import (
    CardNumOption,
    ClassifierOption,
    DatasetArgument,
    DeviceOption,
    ExtractorOption,
    FeaturesOption,
    GridOption,
    HtmlOption,
    JsonOption,
    MetricOption,
    ModelArgument,
    ModelOption,
    NumOption,
    PredictionsOption,
    RejectedOption,
    SeedOption,
    SeedsOption,
    SizeOption,
    SystemArgument,
    TokenizerArgument,
    TrainingOption,
    load_model,
)
from llmcxr.common.device import choose_device
from llmcxr.common.errors import UserError
from llmcxr.common.guard import check_outputs
from llmcxr.common.specs import parse_spec
from llmcxr.common.terminal import STDOUT, say

if TYPE_CHECKING:
    from llmcxr.common.guard import Kind
    from llmcxr.data import Dataset
    from llmcxr.metrics.images.features import FeatureExtractor
    from llmcxr.model.classifier import Classifier
    from llmcxr.systems import System
    from llmcxr.systems.kept import KeptPredictions

PARTS = {  # of the card: what each is for
    "report": "Score written reports: words, and findings under both published conventions.",
    "questions": "Score answers by the kind of question.",
    "image": "Score drawings against real images, with floor and ceiling.",
    "audit": "Blank, swap and cover the images: do the scores fall?",
    "evidence": "Does the model's own evidence find the wrong sentences of its reports?",
    "cycle": "Draw, read the drawing, and see whether the findings come back.",
}


def phantom_command(
    model: ModelArgument,
    n: Annotated[int, typer.Option(min=1, help="How many held-out phantoms.")] = 500,
    seed: SeedOption = 0,
    best_of: Annotated[list[int], typer.Option(min=1, help="Draw the best of so many; repeatable.")] = (1, 4),
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Score reading, drawing and answering on phantoms that no training saw.

    The judges are a classifier that took part in no loss, and geometry from the pixels.

    \b
    Example:
      llmcxr evaluate phantom runs/lm-phantom/model --n 64 --best-of 1 --json > scores.json
    """
    from llmcxr.evaluation.phantom.run import evaluate_phantom
    from llmcxr.pages.result import deliver

    _check_results([model], json_file, html_file)
    cxr = load_model(model, device)
    result = evaluate_phantom(cxr, n, seed, tuple(best_of), announce=lambda stage: say(f"{stage} ..."))
    deliver(f"{model} on {n} held-out phantoms", result, json_file, html_file)


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
    from llmcxr.images import FIGURE

    _check_results([model], out / "summary.json", out / "index.html", (out / "demo.png", FIGURE))
    summary = run_demo(out, seed, n, load_model(model, device), announce=say).json
    say(f"reading F1 macro {summary['reading_f1']['macro']} on {n} held-out phantoms")
    say(f"drawing agreement macro {summary['drawing_agreement']['macro']}")
    say("The results (the picture, the page, the numbers):")
    for name in ("demo.png", "index.html", "summary.json"):
        print(out / name)


def _card_command(part: str | None, about: str):
    def command(
        system: SystemArgument,
        dataset: DatasetArgument,
        n: CardNumOption = None,
        seeds: SeedsOption = "0",
        size: SizeOption = 128,
        extractor: ExtractorOption = "classifier",
        training: TrainingOption = "",
        metric: MetricOption = None,
        predictions: PredictionsOption = None,
        json_file: JsonOption = None,
        html_file: HtmlOption = None,
        device: DeviceOption = "auto",
    ) -> None:
        from llmcxr.data import open_dataset
        from llmcxr.evaluation.card.page import left_out_sentences
        from llmcxr.evaluation.card.parts import PARTS
        from llmcxr.evaluation.card.run import evaluate_card
        from llmcxr.evaluation.card.session import CardSettings
        from llmcxr.metrics.reports.opening import open_metrics
        from llmcxr.pages.result import deliver
        from llmcxr.systems.ask import choose_n
        from llmcxr.systems.kept import PREDICTIONS
        from llmcxr.systems.opening import open_system

        chosen_seeds = _parse_grid("--seeds", seeds, int)
        if predictions and part in ("image", "cycle"):
            raise UserError(
                "--predictions keeps reports and answers, of which this part has none; leave it out"
            )
        kept = _open_kept(predictions, chosen_seeds)
        outputs = [(path, PREDICTIONS) for one in kept.values() for path in (one.path, one.former)]
        _check_results([system, dataset, extractor, *(metric or [])], json_file, html_file, *outputs)
        studies = open_dataset(dataset)
        judged = open_system(system, device)
        if part in (None, "image"):  # no other part has a judge or features
            _refuse_loss_networks(judged, extractor, studies)
        chosen_n = choose_n(_clip_n(n, dataset, studies), studies, [judged])
        with ExitStack() as files:
            for one in kept.values():
                files.enter_context(one.alone())
            result = evaluate_card(
                judged,
                studies,
                CardSettings(chosen_n, chosen_seeds, size, extractor, training),
                (part,) if part else tuple(PARTS),
                judge=_open_judge(studies),
                metrics=open_metrics(metric or (), choose_device(device)),
                kept=kept,
                announce=lambda name: say(f"{name} ..."),
            )
        for sentence in left_out_sentences(result.json):
            say(sentence)
        for one in kept.values():
            say(f"{one.count} texts of the system are kept in {one.path}")
        result = result.about(system=system, dataset=dataset, metric_options=metric or [])
        deliver(f"{system} on {dataset}", result, json_file, html_file)

    example = (
        f"llmcxr evaluate {part or 'card'} phantom phantom:n=64,seed=1,split=test --n 64 --json card.json"
    )
    command.__name__ = part or "card"
    command.__doc__ = f"{about}\n\n\b\nExample:\n  {example}\n"
    return command


def privacy_command(
    system: SystemArgument,
    dataset: DatasetArgument,
    training: Annotated[
        str,
        typer.Option(help="The system's training data, KIND:PATH,split=train, where it does not say."),
    ] = "",
    n: Annotated[int, typer.Option(min=1, help="Drawings, and held-out images.")] = 100,
    num_training: Annotated[int, typer.Option(min=1, help="The first so many training images.")] = 2000,
    requests: Annotated[
        str, typer.Option(help="Whose requests are drawn: training (the harder test) or held-out.")
    ] = "training",
    reference: Annotated[
        str, typer.Option(help="Another model, which did not see these images, for the likelihood ratio.")
    ] = "",
    seed: SeedOption = 0,
    size: SizeOption = 128,
    extractor: ExtractorOption = "classifier",
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Find out whether a model gives its training images back: copies, near copies and membership.

    DATASET holds images that the training did not see.

    \b
    Example:
      llmcxr evaluate privacy phantom phantom:n=64,seed=1,split=test --num-training 500 --html privacy.html
    """
    from llmcxr.data import open_dataset
    from llmcxr.evaluation.privacy.page import left_out_sentences
    from llmcxr.evaluation.privacy.run import PrivacySettings, evaluate_privacy, open_training
    from llmcxr.pages.result import deliver
    from llmcxr.systems.opening import open_system

    _check_results([system, dataset, training, reference, extractor], json_file, html_file)
    settings = PrivacySettings(n, num_training, requests, seed, size, extractor)
    held_out, judged = open_dataset(dataset), open_system(system, device)
    _refuse_loss_networks(judged, extractor)
    name, trained_on = open_training(training, judged)
    other = open_system(reference, device) if reference else None
    result = evaluate_privacy(judged, held_out, trained_on, settings, other)
    for sentence in left_out_sentences(result.json):
        say(sentence)
    result = result.about(system=system, dataset=dataset, training=name, reference=reference)
    deliver(f"{system}, trained on {name}, beside {dataset}", result, json_file, html_file)


def sweep_command(
    system: SystemArgument,
    dataset: DatasetArgument,
    task: Annotated[str, typer.Option(help="reading, drawing or both.")] = "both",
    prompt: Annotated[
        list[str] | None, typer.Option(help="A wording that asks for the report; repeatable.")
    ] = None,
    temperatures: GridOption = "0,0.7",
    top_p: GridOption = "0.9,1",
    guidance: GridOption = "1,2,3",
    draw_temperatures: GridOption = "0.7,1",
    top_k: GridOption = "0,64",
    n: NumOption = 32,
    seed: SeedOption = 0,
    size: SizeOption = 128,
    extractor: ExtractorOption = "classifier",
    out: Annotated[Path, typer.Option(help="The picture of heat maps, a PNG.")] = Path("sweep.png"),
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Score a grid of settings: prompt, temperature, top-p; guidance, temperature, top-k.

    Grids are lists with commas. Without --prompt the wordings of the training are tried.

    \b
    Example:
      llmcxr evaluate sweep phantom phantom:n=32,seed=2,split=validate --guidance 1,2,4 --out sweep.png
    """
    from llmcxr.data import open_dataset
    from llmcxr.evaluation.sweep.page import TASKS, check_plotting
    from llmcxr.evaluation.sweep.run import SweepSettings, sweep
    from llmcxr.images import FIGURE
    from llmcxr.pages.result import deliver
    from llmcxr.prompts import REPORT
    from llmcxr.systems.opening import open_system

    check_plotting()
    _check_results([system, dataset, extractor], json_file, html_file, (out, FIGURE))
    studies = open_dataset(dataset)
    settings = SweepSettings(
        _clip_n(n, dataset, studies),
        seed,
        size,
        extractor,
        TASKS if task == "both" else (task,),
        tuple(prompt or REPORT.instructions),
        _parse_grid("--temperatures", temperatures, float),
        _parse_grid("--top-p", top_p, float),
        _parse_grid("--guidance", guidance, float),
        _parse_grid("--draw-temperatures", draw_temperatures, float),
        _parse_grid("--top-k", top_k, int),
    )
    judged = open_system(system, device)
    if "drawing" in settings.tasks:
        _refuse_loss_networks(judged, extractor, studies)
    result = sweep(judged, studies, settings, _open_judge(studies))
    result = result.about(system=system, dataset=dataset)
    deliver(f"Sweep of {system} on {dataset}", result, json_file, html_file, out)
    say(f"heat maps: {out}")


def labeler_command(
    dataset: DatasetArgument, json_file: JsonOption = None, html_file: HtmlOption = None
) -> None:
    """Score the rule-based CheXpert labeler against tags that people gave.

    \b
    Example:
      llmcxr evaluate labeler openi:data/openi --json labeler.json
    """
    from llmcxr.data import find_kind, open_dataset
    from llmcxr.evaluation.labeler_score import score_labeler
    from llmcxr.pages.result import deliver

    if find_kind(dataset) != "openi":
        raise UserError(f"expected openi:DIR, whose reports carry manual tags, found {dataset}; give that")
    _check_results([dataset], json_file, html_file)
    deliver(f"The labeler on {dataset}", score_labeler(open_dataset(dataset)), json_file, html_file)


def tokenizer_command(
    tokenizer: TokenizerArgument,
    dataset: DatasetArgument,
    n: Annotated[int | None, typer.Option(min=1, help="The first so many studies; all if not given.")] = None,
    seed: SeedOption = 0,
    classifier: ClassifierOption = None,
    features: FeaturesOption = None,
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw the worst cases to this PNG; without it beside the JSON.")
    ] = None,
    rejected: RejectedOption = Path("rejected.jsonl"),
    device: DeviceOption = "auto",
) -> None:
    """Measure how much of a radiograph an image tokenizer keeps, and what it erases.

    Findings are judged by a classifier that took part in no loss of the tokenizer: that of --classifier, or
    one that ships, for phantoms or for radiographs. Its features also give the Fréchet distance, unless
    --features names others. A network whose features a loss of the tokenizer compared is refused.

    \b
    Examples:
      llmcxr evaluate tokenizer phantom phantom:n=256,seed=1,split=test --json fidelity.json --sheet worst.png
      llmcxr evaluate tokenizer cxr nih:data/nih,split=validate --classifier runs/judge-nih/classifier
    """
    from llmcxr.common.rejections import REJECTIONS
    from llmcxr.data import Rejections, open_dataset
    from llmcxr.evaluation.tokenizer import evaluate_tokenizer
    from llmcxr.images import FIGURE
    from llmcxr.images.checks import read_summary
    from llmcxr.model.directory import find_image_tokenizer, load_image_tokenizer
    from llmcxr.pages.result import deliver

    if sheet is None and json_file not in (None, STDOUT):
        sheet = json_file.with_suffix(".png")
        if not FIGURE.has(sheet):
            say(f"no sheet of the worst cases: {sheet} is another picture; name one with --sheet")
            sheet = None
    inputs = [tokenizer, dataset, classifier or "", features or ""]
    _check_results(inputs, json_file, html_file, (sheet, FIGURE), (rejected, REJECTIONS))
    directory = find_image_tokenizer(tokenizer)
    judge, extractor = _open_tokenizer_judges(directory, dataset, classifier, features)
    studies, model = open_dataset(dataset), load_image_tokenizer(tokenizer).to(choose_device(device))
    with Rejections(rejected) as rejections:
        result = evaluate_tokenizer(
            model,
            studies,
            n,
            classifier=judge,
            extractor=extractor,
            training_images=read_summary(directory),
            rejections=rejections,
            seed=seed,
            with_sheet=bool(sheet or html_file),
        )
    for warning in result.json["site"]["warnings"]:
        say(f"warning: {warning}")
    result = result.about(
        tokenizer=tokenizer,
        fingerprint=model.fingerprint,
        dataset=dataset,
        grid=list(model.config.grid),
        image_size=model.config.image_size,
    )
    deliver(f"{tokenizer} on {dataset}", result, json_file, html_file, sheet)
    if len(rejections):
        say(f"{len(rejections)} images were left out; see {rejected}")
        raise typer.Exit(1)


def compare_command(
    first: Annotated[Path, typer.Argument(help="Predictions, CSV or JSONL.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another system's, of the same studies.", metavar="B")],
    dataset: DatasetArgument,
    n: CardNumOption = None,
    seed: SeedOption = 0,
    resamples: Annotated[
        int, typer.Option(min=100, help="How often the test and the interval resample.")
    ] = 1000,
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
) -> None:
    """Test whether A is better than B on the same studies, by paired randomisation over patients.

    \b
    Example:
      llmcxr evaluate compare a.csv b.csv phantom:n=200,seed=1,split=test
    """
    from llmcxr.data import open_dataset
    from llmcxr.evaluation.comparing import compare_files
    from llmcxr.metrics.answers.kinds import KindAccuracy
    from llmcxr.metrics.reports import report_metrics
    from llmcxr.pages.result import deliver

    _check_results([first, second, dataset], json_file, html_file)
    studies = open_dataset(dataset)
    result = compare_files(
        first,
        second,
        studies,
        [*report_metrics(), KindAccuracy()],
        n=_clip_n(n, dataset, studies),
        resamples=resamples,
        seed=seed,
    )
    result = result.about(first=str(first), second=str(second), dataset=dataset)
    deliver(f"{first} against {second} on {dataset}", result, json_file, html_file)


def _check_results(
    inputs: Iterable[str | Path],
    json_file: Path | None,
    html_file: Path | None,
    *others: tuple[Path | None, Kind],
) -> None:
    """Check the files that a suite writes, see `check_outputs`."""
    from llmcxr.pages.document import PAGE
    from llmcxr.pages.result import RESULTS

    check_outputs(inputs, (json_file, RESULTS), (html_file, PAGE), *others)


def _open_kept(path: Path | None, seeds: Sequence[int]) -> dict[int, KeptPredictions]:
    """Return what keeps the texts of each seed: the first's in the file named, another's beside it."""
    from llmcxr.systems.kept import KeptPredictions

    if path is None:
        return {}
    beside = {seed: path.with_name(f"{path.stem}-seed-{seed}{path.suffix}") for seed in seeds[1:]}
    return {seed: KeptPredictions(name) for seed, name in {seeds[0]: path, **beside}.items()}


def _parse_grid(option: str, text: str, kind: type) -> tuple:
    """Turn "0,0.7" into (0.0, 0.7)."""
    try:
        values = tuple(kind(part) for part in text.split(",") if part.strip())
    except ValueError:
        values = ()
    if not values:
        noun = "whole numbers" if kind is int else "numbers"
        raise UserError(f"{option}: expected {noun} with commas between, found {text!r}; correct it")
    return values


def _clip_n(n: int | None, name: str, studies: Dataset) -> int | None:
    if n is None or n <= len(studies):
        return n
    say(f"{name} has {len(studies)} studies; all of them are judged")
    return len(studies)


def _open_judge(dataset: Dataset) -> Classifier | None:
    """Load the independent classifier of drawings; the one that ships knows phantoms alone."""
    from llmcxr.model.judges import load_evaluator

    return load_evaluator() if dataset.kind == "phantom" else None


def _open_tokenizer_judges(
    directory: Path, dataset: str, classifier: Path | None, features: str | None
) -> tuple[Classifier, FeatureExtractor]:
    """Open who judges the tokenizer of a directory. Raises UserError where it is one of its loss networks."""
    from llmcxr.data import find_kind
    from llmcxr.metrics.images.features import open_extractor
    from llmcxr.model.classifier import Classifier
    from llmcxr.model.judges import EVALUATOR, RADIOGRAPH_EVALUATOR, read_loss_networks, refuse_loss_networks

    judge = classifier or (EVALUATOR if find_kind(dataset) == "phantom" else RADIOGRAPH_EVALUATOR)
    name = f"classifier:{judge}" if features in (None, "classifier") else features
    refuse_loss_networks(read_loss_networks(directory), (judge, parse_spec(name, has_keys=False).place))
    return Classifier.from_pretrained(judge), open_extractor(name)


def _refuse_loss_networks(system: System, extractor: str, dataset: Dataset | None = None) -> None:
    """Raises UserError where the network of `extractor`, or the judge of drawings on `dataset`, is a loss
    network of the image tokenizer of `system`.
    """
    from llmcxr.model.judges import EVALUATOR, refuse_loss_networks

    judges = [parse_spec(extractor, has_keys=False).place or EVALUATOR]
    if dataset is not None and dataset.kind == "phantom":
        judges.append(EVALUATOR)
    refuse_loss_networks(system.loss_networks, judges)


COMMANDS = (
    phantom_command,
    _card_command(None, "Run every part that the inputs allow."),
    *(_card_command(part, about) for part, about in PARTS.items()),
    privacy_command,
    sweep_command,
    labeler_command,
    compare_command,
    tokenizer_command,
)
