import pytest

from llmcxr.common.errors import UserError
from llmcxr.metrics.reports import chexbert, external
from llmcxr.metrics.reports.opening import open_metrics


def test_paths_and_keys_reach_the_builders(monkeypatch):
    made = []

    def build(name, result):
        def builder(*arguments):
            made.append((name, *arguments))
            return result

        return builder

    monkeypatch.setattr(external, "bertscore", build("bertscore", "bert score"))
    monkeypatch.setattr(external, "radgraph_metrics", build("radgraph", ("simple", "partial")))
    monkeypatch.setattr(external, "radcliq", build("radcliq", "cliq"))
    monkeypatch.setattr(chexbert, "load_chexbert", build("load", "labeler"))
    specs = (
        "bertscore:models/roberta,layer=17",
        "radgraph:models/radgraph-xl",
        "radcliq:rg,distilroberta=dr,baseline=b.tsv,chexbert=c.pth,bert=bb",
    )
    assert open_metrics(specs, "cuda") == ("bert score", "simple", "partial", "cliq")
    assert made == [
        ("bertscore", "models/roberta", 17, None, "cuda"),
        ("radgraph", "models/radgraph-xl", "cuda"),
        ("load", "c.pth", "bb", "cuda"),
        ("radcliq", "rg", "dr", "b.tsv", "labeler", "cuda"),
    ]
    assert open_metrics(()) == ()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("bleurt:x", "expected one of chexbert, radgraph, ratescore, green, bertscore, radcliq"),
        ("chexbert:c.pth", "expected chexbert:PATH,bert=..., found 'chexbert:c.pth' without bert"),
        ("chexbert:,bert=b", "without PATH"),
        ("green:x,layer=3", "found the key 'layer'"),
        ("bertscore:x,layer=last", "layer to be a whole number"),
        ("chexbert:nowhere.pth,bert=nowhere", "nowhere.pth: expected CheXbert's chexbert.pth"),
        ("radgraph:nowhere", "weights.th"),
    ],
)
def test_mistakes_are_named(spec, says):
    with pytest.raises(UserError) as error:
        open_metrics([spec])
    assert says in str(error.value)
