"""Open report metrics with weights by strings, `NAME:PATH[,key=value...]`.

    chexbert:CHEXBERT.pth,bert=DIR               bert-base-uncased's config.json and vocab.txt
    radgraph:DIR                                 named radgraph, radgraph-xl, ...
    ratescore:DIR,synonyms=DIR
    green:DIR
    bertscore:DIR,layer=N[,baseline=FILE.tsv]
    radcliq:RADGRAPH_DIR,distilroberta=DIR,baseline=FILE.tsv,chexbert=FILE,bert=DIR

Knows names and keys, not how they work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llmcxr.common.errors import UserError

if TYPE_CHECKING:
    from llmcxr.metrics.metric import Metric

KEYS = {  # name: (keys it needs, keys it may have)
    "chexbert": (("bert",), ()),
    "radgraph": ((), ()),
    "ratescore": (("synonyms",), ()),
    "green": ((), ()),
    "bertscore": (("layer",), ("baseline",)),
    "radcliq": (("distilroberta", "baseline", "chexbert", "bert"), ()),
}


def open_metrics(specs: Sequence[str], device: str = "cpu") -> tuple[Metric, ...]:
    """Raises UserError for an unknown name or key, a missing one, and a path or package that is not there."""
    return tuple(metric for spec in specs for metric in _open(spec, device))


def _open(spec: str, device: str) -> Sequence[Metric]:
    from llmcxr.metrics.reports import external
    from llmcxr.metrics.reports.chexbert import chexbert_metrics, load_chexbert

    name, path, keys = _parse(spec)
    openers: dict[str, Callable[[], Sequence[Metric]]] = {
        "chexbert": lambda: chexbert_metrics(load_chexbert(path, keys["bert"], device)),
        "radgraph": lambda: external.radgraph_metrics(path, device),
        "ratescore": lambda: (external.ratescore(path, keys["synonyms"], device),),
        "green": lambda: (external.green(path, device),),
        "bertscore": lambda: (
            external.bertscore(path, _layer(spec, keys["layer"]), keys.get("baseline"), device),
        ),
        "radcliq": lambda: (
            external.radcliq(
                path,
                keys["distilroberta"],
                keys["baseline"],
                load_chexbert(keys["chexbert"], keys["bert"], device),
                device,
            ),
        ),
    }
    return openers[name]()


def _parse(spec: str) -> tuple[str, str, dict[str, str]]:
    """ "bertscore:DIR,layer=5" -> ("bertscore", "DIR", {"layer": "5"})."""
    name, _, rest = spec.partition(":")
    if name not in KEYS:
        raise UserError(f"--metric: expected one of {', '.join(KEYS)}, found {name!r}; correct it")
    path, *pairs = rest.split(",")
    keys = dict(pair.partition("=")[::2] for pair in pairs)
    needed, allowed = KEYS[name]
    form = f"{name}:PATH" + "".join(f",{key}=..." for key in needed)
    if not path or [key for key in needed if not keys.get(key)]:
        missing = [*([] if path else ["PATH"]), *(key for key in needed if not keys.get(key))]
        raise UserError(f"--metric: expected {form}, found {spec!r} without {', '.join(missing)}; add it")
    if unknown := set(keys) - {*needed, *allowed}:
        raise UserError(
            f"--metric: expected {form}, found the key {', '.join(sorted(unknown))!r}; leave it out"
        )
    return name, path, keys


def _layer(spec: str, text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"--metric: expected layer to be a whole number, found {text!r} in {spec!r}")
    return int(text)
