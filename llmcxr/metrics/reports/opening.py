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

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmcxr.common.errors import UserError
from llmcxr.common.specs import Entry, call_opener, find_opener, list_keys, list_needed, parse_spec

if TYPE_CHECKING:
    from llmcxr.metrics.metric import Metric

# name: what opens a metric or several. It takes the path first; its other parameters are the keys, needed
# where they have no default, and one called `device` is given "cpu" or "cuda". A plug-in may add a name.
KINDS: dict[str, Entry] = {
    "chexbert": ("llmcxr.metrics.reports.chexbert", "open_chexbert"),
    "radgraph": ("llmcxr.metrics.reports.external", "radgraph_metrics"),
    "ratescore": ("llmcxr.metrics.reports.external", "ratescore"),
    "green": ("llmcxr.metrics.reports.external", "green"),
    "bertscore": ("llmcxr.metrics.reports.external", "bertscore"),
    "radcliq": ("llmcxr.metrics.reports.external", "open_radcliq"),
}


def open_metrics(specs: Sequence[str], device: str = "cpu") -> tuple[Metric, ...]:
    """Open the metrics of every string, in their order.

    Raises UserError for an unknown name or key, a missing one, and a path or package that is not there.
    """
    return tuple(metric for text in specs for metric in _open(text, device))


def _open(text: str, device: str) -> Sequence[Metric]:
    spec = parse_spec(text)
    if spec.kind not in KINDS:
        raise UserError(f"--metric: expected one of {', '.join(KINDS)}, found {spec.kind!r}; correct it")
    opener = find_opener(KINDS[spec.kind])
    keys, needed = list_keys(opener), list_needed(opener)
    form = f"{spec.kind}:PATH" + "".join(f",{key}=..." for key in needed)
    missing = [*([] if spec.place else ["PATH"]), *(key for key in needed if not spec.settings.get(key))]
    if missing:
        raise UserError(f"--metric: expected {form}, found {text!r} without {', '.join(missing)}; add it")
    if unknown := sorted(set(spec.settings) - set(keys)):
        raise UserError(f"--metric: expected {form}, found the key {', '.join(unknown)!r}; leave it out")
    opened = call_opener(opener, spec, lambda: device)
    return opened if isinstance(opened, Sequence) else (opened,)
