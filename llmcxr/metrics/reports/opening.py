"""Open report metrics with weights by strings, `NAME:PATH[,key=value...]`.

    chexbert:CHEXBERT.pth,bert=DIR               bert-base-uncased's config.json and vocab.txt
    radgraph:DIR                                 named radgraph, radgraph-xl, ...
    ratescore:DIR,synonyms=DIR
    green:DIR
    bertscore:DIR,layer=N[,baseline=FILE.tsv]
    radcliq:RADGRAPH_DIR,distilroberta=DIR,baseline=FILE.tsv,chexbert=FILE,bert=DIR

To add one, write its file and a line of KINDS. Knows names, not how the metrics work.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from llmcxr.common.errors import UserError

if TYPE_CHECKING:
    from llmcxr.metrics.metric import Metric

Opener = Callable[..., "Metric | Sequence[Metric]"]

# name: (module, function), or the function itself, as a plug-in adds it. It takes the path first; its other
# parameters are the keys, needed where they have no default. One called `device` is given "cpu" or "cuda".
KINDS: dict[str, tuple[str, str] | Opener] = {
    "chexbert": ("llmcxr.metrics.reports.chexbert", "open_chexbert"),
    "radgraph": ("llmcxr.metrics.reports.external", "radgraph_metrics"),
    "ratescore": ("llmcxr.metrics.reports.external", "ratescore"),
    "green": ("llmcxr.metrics.reports.external", "green"),
    "bertscore": ("llmcxr.metrics.reports.external", "bertscore"),
    "radcliq": ("llmcxr.metrics.reports.external", "open_radcliq"),
}


def open_metrics(specs: Sequence[str], device: str = "cpu") -> tuple[Metric, ...]:
    """Open the metrics of every spec, in their order.

    Raises UserError for an unknown name or key, a missing one, and a path or package that is not there.
    """
    return tuple(metric for spec in specs for metric in _open(spec, device))


def _open(spec: str, device: str) -> Sequence[Metric]:
    name, path, given = _split(spec)
    opener = KINDS[name]
    if isinstance(opener, tuple):
        opener = getattr(import_module(opener[0]), opener[1])
    _, *parameters = inspect.signature(opener).parameters.values()
    keys = {parameter.name: parameter for parameter in parameters if parameter.name != "device"}
    needed = [key for key, parameter in keys.items() if parameter.default is parameter.empty]
    form = f"{name}:PATH" + "".join(f",{key}=..." for key in needed)
    if missing := [*([] if path else ["PATH"]), *(key for key in needed if not given.get(key))]:
        raise UserError(f"--metric: expected {form}, found {spec!r} without {', '.join(missing)}; add it")
    if unknown := sorted(set(given) - set(keys)):
        raise UserError(f"--metric: expected {form}, found the key {', '.join(unknown)!r}; leave it out")
    values = {key: _convert(spec, keys[key], text) for key, text in given.items()}
    if len(keys) < len(parameters):
        values["device"] = device
    opened = opener(path, **values)
    return opened if isinstance(opened, Sequence) else (opened,)


def _split(spec: str) -> tuple[str, str, dict[str, str]]:
    """ "bertscore:DIR,layer=5" -> ("bertscore", "DIR", {"layer": "5"}). A path may hold commas."""
    name, _, rest = spec.partition(":")
    if name not in KINDS:
        raise UserError(f"--metric: expected one of {', '.join(KINDS)}, found {name!r}; correct it")
    parts = rest.split(",")
    keys: dict[str, str] = {}
    while parts and (pair := re.fullmatch(r"(\w+)=(.*)", parts[-1])):
        parts.pop()
        keys = {pair[1]: pair[2], **keys}
    return name, ",".join(parts), keys


def _convert(spec: str, key: inspect.Parameter, text: str) -> int | str:
    if key.annotation not in (int, "int"):
        return text
    if not text.isdecimal():
        raise UserError(f"--metric: expected {key.name} to be a whole number, found {text!r} in {spec!r}")
    return int(text)
