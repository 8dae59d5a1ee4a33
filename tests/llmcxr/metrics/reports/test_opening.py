from functools import wraps
from pathlib import Path

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.metrics.metric import Inputs, score
from llmcxr.metrics.reports import external
from llmcxr.metrics.reports.mean_metric import MeanMetric
from llmcxr.metrics.reports.opening import KINDS, open_metrics


def test_paths_and_keys_reach_the_builders(monkeypatch):
    made = []

    def replace(module, name, result):
        @wraps(getattr(module, name))
        def builder(*arguments, **keys):
            made.append((name, *arguments, *keys.values()))
            return result

        monkeypatch.setattr(module, name, builder)

    score, simple, partial, cliq = (MeanMetric(name, lambda *reports: np.zeros(0)) for name in "spqc")
    replace(external, "bertscore", score)
    replace(external, "radgraph_metrics", (simple, partial))
    replace(external, "radcliq", cliq)
    replace(external, "load_chexbert", "labeler")
    specs = (
        "bertscore:models/roberta,layer=17",
        "radgraph:models/radgraph-xl",
        "radcliq:rg,distilroberta=dr,baseline=b.tsv,chexbert=c.pth,bert=bb",
    )
    assert open_metrics(specs, "cuda") == (score, simple, partial, cliq)
    assert made == [
        ("bertscore", "models/roberta", 17, "cuda"),
        ("radgraph_metrics", "models/radgraph-xl", "cuda"),
        ("load_chexbert", "c.pth", "bb", "cuda"),
        ("radcliq", "rg", "dr", "b.tsv", "labeler", "cuda"),
    ]
    assert open_metrics(()) == ()


def test_a_metric_of_ones_own_is_one_file_and_one_line(monkeypatch, tmp_path):
    def open_toy(path: str, times: int = 1) -> MeanMetric:
        words = set(Path(path).read_text().split())
        return MeanMetric("toy", lambda true, written: [times * len(words & {*x.split()}) for x in written])

    (tmp_path / "a,b.txt").write_text("effusion nodule")
    monkeypatch.setitem(KINDS, "toy", open_toy)
    inputs = Inputs(["p", "q"], ["", ""], ["no effusion", "clear"])
    (plain,), (tripled,) = (
        open_metrics([f"toy:{tmp_path}/a,b.txt{keys}"], "cuda") for keys in ("", ",times=3")
    )
    assert (score(plain, inputs).value, score(tripled, inputs).value) == (0.5, 1.5)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("bleurt:x", "expected one of chexbert, radgraph, ratescore, green, bertscore, radcliq"),
        ("chexbert:c.pth", "expected chexbert:PATH,bert=..., found 'chexbert:c.pth' without bert"),
        ("chexbert:,bert=b", "without PATH"),
        ("green:x,layer=3", "found the key 'layer'"),
        ("bertscore:x,layer=last", "expected layer to be int, found 'last'"),
        ("chexbert:nowhere.pth,bert=nowhere", "nowhere.pth: expected CheXbert's chexbert.pth"),
        ("radgraph:nowhere", "weights.th"),
    ],
)
def test_mistakes_are_named(spec, says):
    with pytest.raises(UserError) as error:
        open_metrics([spec])
    assert says in str(error.value)
