"""Write each option that several commands share once. Knows no command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from inspect import Parameter, Signature, signature
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from llmcxr.common.device import choose_device
from llmcxr.common.terminal import STDOUT
from vqgan.ranges import LARGEST_SEED

if TYPE_CHECKING:
    from llmcxr import CXR

LARGEST_SIDE = 8192  # of a picture that is shown, in pixels

# -- the model, the system and the data ----------------------------------------------------------------------

ModelOption = Annotated[str, typer.Option(help="A model directory, or 'phantom', the embedded model.")]
ModelArgument = Annotated[str, typer.Argument(help="A model directory, or 'phantom'.", metavar="MODEL")]
TokenizerArgument = Annotated[
    str,
    typer.Argument(help="An image tokenizer or model directory, or 'cxr' or 'phantom'.", metavar="TOKENIZER"),
]
SystemArgument = Annotated[
    str,
    typer.Argument(
        help="phantom, a model directory, file:PREDICTIONS.csv|.jsonl (id, a study's or the name of its "
        "image, and report), hf:DIR, "
        "openai:URL,model=NAME[,key_env=VARIABLE] (newer models also want "
        "max_tokens_name=max_completion_tokens,max_tokens=4000,temperature=none), "
        "prior:DATASET (what its words say most often, without looking).",
        metavar="SYSTEM",
    ),
]
DatasetArgument = Annotated[
    str,
    typer.Argument(
        help="csv:FILE.csv, nih:DIR, openi:DIR, dicom:DIR or phantom:, then keys as ,split=train|val|test",
        metavar="DATASET",
    ),
]
SkipBadOption = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave malformed rows of the dataset's table out and count them, instead of an error. In a "
        "configuration: DATASET,skip_bad=yes.",
    ),
]
TrainingOption = Annotated[
    str, typer.Option(help="The system's training data, KIND:PATH,split=train, or unknown.")
]
NumOption = Annotated[int, typer.Option(min=1, help="The first so many studies.")]
CardNumOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="The first so many studies. Without it 200, or all where a file predicts more.",
        show_default=False,
    ),
]
SizeOption = Annotated[
    int, typer.Option(min=16, max=LARGEST_SIDE, help="Side in pixels at which images are shown.")
]
DeviceOption = Annotated[str, typer.Option(help="'cpu', 'cuda', or 'auto': cuda where there is one.")]

# -- chance --------------------------------------------------------------------------------------------------

SeedOption = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same result.")
]
SeedsOption = Annotated[
    str,
    typer.Option(
        "--seeds",
        "--seed",
        help="With commas between: each writes and draws anew; the first also words and resamples.",
    ),
]
WordingOption = Annotated[float, typer.Option(min=0, help="0 writes the likeliest wording.")]
GridOption = Annotated[str, typer.Option(help="Numbers with commas between.")]

# -- who judges ----------------------------------------------------------------------------------------------

ExtractorOption = Annotated[
    str, typer.Option(help="What gives image features: classifier, or KIND:PATH of xrv, inception, rad-dino.")
]
ClassifierOption = Annotated[
    Path | None,
    typer.Option(help="A classifier directory, trained apart; one ships for phantoms, one for real images."),
]
FeaturesOption = Annotated[
    str | None,
    typer.Option(
        help="For the Fréchet distance: classifier, the one that judges, or KIND:PATH with classifier, "
        "xrv, inception, rad-dino."
    ),
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        help="One more metric of reports, by paths of its weights; repeatable: chexbert:FILE,bert=DIR; "
        "radgraph:DIR; "
        "ratescore:DIR,synonyms=DIR; green:DIR; bertscore:DIR,layer=N,baseline=FILE; "
        "radcliq:RADGRAPH_DIR,distilroberta=DIR,baseline=FILE,chexbert=FILE,bert=DIR.",
    ),
]

# -- what is written -----------------------------------------------------------------------------------------

JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="[FILE]",
        help="Also write everything to this .json or .jsonl file; without FILE, or with -, print it in place "
        "of text. --json=FILE takes any name.",
    ),
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", help="Also write one page with pictures that opens offline.")
]
PredictionsOption = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        help="Keep what the system writes in this .jsonl file, as it comes; file:FILE judges it again.",
    ),
]
RejectedOption = Annotated[Path, typer.Option(help="Images that cannot be read are listed here.")]


class Command(TyperCommand):
    """Run a command whose --json may stand alone, for stdout.

    What follows it is its value only where that is "-" or a name that ends in .json or .jsonl, so that
    `report --json radiograph.png` reads the picture and never writes to it.
    """

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        spelled = [
            "--json=-" if one == "--json" and not _names_json_file(following) else one
            for one, following in pairwise([*args, ""])
        ]
        return super().parse_args(ctx, spelled)


def _names_json_file(argument: str) -> bool:
    return argument == str(STDOUT) or argument.endswith((".json", ".jsonl"))


def load_model(model: str, device: str) -> CXR:
    """Load the model that --model and --device name."""
    from llmcxr import CXR

    return CXR.from_pretrained(model, device=choose_device(device))


def take_skip_bad(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option --skip-bad, where it takes a dataset."""
    parameters = signature(command, eval_str=True).parameters
    if "dataset" not in parameters:
        return command

    @wraps(command)
    def with_option(dataset: str, skip_bad: bool, **arguments: Any) -> None:
        from llmcxr.data.opening import skip_bad_rows

        command(dataset=skip_bad_rows(dataset) if skip_bad else dataset, **arguments)

    option = Parameter("skip_bad", Parameter.KEYWORD_ONLY, default=False, annotation=SkipBadOption)
    listed = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in parameters.values()] + [option]
    with_option.__signature__ = Signature(listed)
    with_option.__annotations__ = {one.name: one.annotation for one in listed}
    return with_option


def options_of(settings: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of a dataclass, where it takes `settings` of that class.

    The fields' metadata has each option's help, min and max.
    """
    options = [
        Parameter(
            one.name,
            Parameter.KEYWORD_ONLY,
            default=one.default,
            annotation=Annotated[get_type_hints(settings)[one.name], typer.Option(**one.metadata)],
        )
        for one in fields(settings)
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_options(**arguments: Any) -> None:
            chosen = settings(**{one.name: arguments.pop(one.name) for one in options})
            command(**arguments, settings=chosen)

        parameters = []
        for one in signature(command, eval_str=True).parameters.values():
            parameters += options if one.name == "settings" else [one.replace(kind=Parameter.KEYWORD_ONLY)]
        with_options.__signature__ = Signature(parameters)
        with_options.__annotations__ = {one.name: one.annotation for one in parameters}
        return with_options

    return decorate
