"""With small stand-ins for the packages, whose signatures are those of the releases named in the code."""

import sys
from types import ModuleType

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.metrics.metric import Inputs, score
from llmcxr.metrics.reports import external
from llmcxr.metrics.reports.external import bertscore, green, radcliq, radgraph_metrics, ratescore

PATIENTS = ["a", "b", "c"]
REFERENCES = ["left effusion", "", "clear lungs"]
CANDIDATES = ["left effusion", "edema", "no edema"]
INPUTS = Inputs(PATIENTS, REFERENCES, CANDIDATES)


@pytest.fixture
def packages(monkeypatch):
    """Hides the packages that are installed; `packages(name, **members)` puts a stand-in there."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("radeval", "RadEval", "radgraph", "RaTEScore", "bert_score"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("radeval", "radgraph", "RaTEScore", "bert_score"):
        monkeypatch.setitem(sys.modules, name, None)

    def put(name, **members):
        module = ModuleType(name)
        module.__path__ = []
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    yield put
    sys.modules.pop("RadEval", None)


@pytest.fixture
def folder(tmp_path):
    """Looks like each of the models that are loaded."""
    model = tmp_path / "radgraph-xl"
    (model / "vocabulary").mkdir(parents=True)
    for name in ("config.json", "weights.th", "baseline.tsv"):
        (model / name).touch()
    return model


def annotate(reports):
    """Each word is an entity, and modifies the next."""
    graphs = {}
    for place, report in enumerate(reports):
        words = report.split()
        graphs[str(place)] = {
            "entities": {
                str(at): {
                    "tokens": word,
                    "label": "Observation::definitely present",
                    "relations": [["modify", str(at + 1)]] if at + 1 < len(words) else [],
                }
                for at, word in enumerate(words, 1)
            }
        }
        if len(words) > 1:
            graphs[str(place)]["entities"][str(len(words) - 1)]["relations"] = [["modify", str(len(words))]]
            graphs[str(place)]["entities"][str(len(words))]["relations"] = []
    return graphs


class FakeRadGraph:
    def __init__(self, batch_size=1, cuda=None, model_type=None, model_cache_dir=None):
        self.settings = (cuda, model_type, model_cache_dir)

    def __call__(self, hyps):
        return annotate(hyps)


class FakeF1RadGraph:
    built = None
    calls = 0

    def __init__(self, reward_level, model_type=None, **kwargs):
        FakeF1RadGraph.built = (reward_level, model_type, kwargs)

    def __call__(self, refs, hyps):
        FakeF1RadGraph.calls += 1
        same = [float(one == other) for one, other in zip(refs, hyps, strict=True)]
        levels = (same, [value / 2 for value in same], [value / 4 for value in same])
        return tuple(np.mean(level) for level in levels), levels, [], []


def test_radgraph_is_loaded_from_its_folder_and_reads_once(packages, folder):
    packages("radgraph", F1RadGraph=FakeF1RadGraph)
    metrics = radgraph_metrics(folder)
    assert FakeF1RadGraph.built == ("all", "radgraph-xl", {"model_cache_dir": str(folder.parent), "cuda": -1})
    FakeF1RadGraph.calls = 0
    rows = [metric.rows(INPUTS).tolist() for metric in metrics]
    assert rows == [[1, 0, 0], [0.5, 0, 0], [0.25, 0, 0]]
    assert FakeF1RadGraph.calls == 1
    assert [metric.name for metric in metrics] == [
        f"RadGraph F1 ({level})" for level in external.RADGRAPH_LEVELS
    ]
    assert score(metrics[0], INPUTS).value == pytest.approx(1 / 3)


def test_radgraph_of_radeval_is_preferred_under_the_name_it_imports_itself_by(packages, folder, tmp_path):
    source = tmp_path / "site"
    (source / "metrics" / "radgraph").mkdir(parents=True)
    (source / "metrics" / "__init__.py").touch()
    (source / "metrics" / "radgraph" / "core.py").write_text(
        "class F1RadGraph:\n    def __init__(self, **_): pass\n"
    )
    (source / "metrics" / "radgraph" / "__init__.py").write_text(
        "from RadEval.metrics.radgraph.core import F1RadGraph\n"
    )
    packages("radeval").__path__ = [str(source)]
    try:
        radgraph_metrics(folder, "cuda:1")
        assert "RadEval.metrics.radgraph.core" in sys.modules
    finally:
        for name in [name for name in sys.modules if name.startswith("RadEval")]:
            del sys.modules[name]


class FakeRaTEScore:
    def __init__(self, bert_model, eval_model, use_gpu=True):
        self.built = (bert_model, eval_model, use_gpu)

    def compute_score(self, candidate_list, reference_list):
        assert isinstance(candidate_list, list) and isinstance(reference_list, list)
        # as the package does, a report without a sentence of three letters gives no score
        return [] if len(candidate_list[0]) < 3 else [float(candidate_list[0] == reference_list[0])]


def test_ratescore_keeps_every_report_in_its_place(packages, folder):
    packages("RaTEScore", RaTEScore=FakeRaTEScore)
    inputs = Inputs([*PATIENTS, "d"], [*REFERENCES, "ok then"], ["x", "edema", " ", "ok then"])
    assert ratescore(folder, folder).rows(inputs).tolist() == [0, 0, 0, 1]


class FakeGreen:
    def __init__(self, model_name=None, output_dir=".", cpu=False):
        assert model_name.endswith("radgraph-xl") and cpu

    def __call__(self, refs, hyps):
        scores = [1.0 if one == other else None for one, other in zip(refs, hyps, strict=True)]
        return 1.0, 0.0, scores, None


def test_green_without_a_readable_answer_is_undefined(packages, folder):
    packages("radeval")
    packages("radeval.metrics")
    packages("radeval.metrics.green_score", GREEN=FakeGreen)
    rows = green(folder).rows(INPUTS)
    assert rows[:2].tolist() == [1, 0]
    assert np.isnan(rows[2]) and score(green(folder), INPUTS).value is None


class FakeBERTScorer:
    built = None

    def __init__(
        self, model_type=None, num_layers=None, idf=False, idf_sents=None, device=None, lang=None,
        rescale_with_baseline=False, baseline_path=None,
    ):  # fmt: skip
        FakeBERTScorer.built = (num_layers, idf, idf_sents, device, rescale_with_baseline, baseline_path)

    def score(self, cands, refs, verbose=False, batch_size=64):
        import torch

        assert all(cands) and all(refs)
        f = torch.tensor([float(one == other) for one, other in zip(refs, cands, strict=True)])
        return f, f, f


def test_bertscore_says_what_it_compares(packages, folder):
    packages("bert_score", BERTScorer=FakeBERTScorer)
    metric = bertscore(folder, 5)
    assert metric.name == "BERTScore (radgraph-xl, layer 5)"
    assert metric.rows(INPUTS).tolist() == [1, 0, 0]
    assert FakeBERTScorer.built == (5, False, None, "cpu", False, None)
    rescaled = bertscore(folder, 17, folder / "baseline.tsv")
    assert rescaled.name == "BERTScore (radgraph-xl, layer 17, rescaled)"
    assert FakeBERTScorer.built[-2:] == (True, str(folder / "baseline.tsv"))
    with pytest.raises(UserError, match=r"nowhere\.tsv"):
        bertscore(folder, 5, "nowhere.tsv")


class FakeCheXbert:
    def embed(self, reports):
        return np.array([[1.0, 0.0] if "effusion" in text else [0.6, 0.8] for text in reports])


def test_radcliq_worked_by_hand(packages, folder):
    packages("radgraph", RadGraph=FakeRadGraph)
    packages("bert_score", BERTScorer=FakeBERTScorer)
    metric = radcliq(folder, folder, folder / "baseline.tsv", FakeCheXbert())
    rows = metric.rows(INPUTS)
    assert FakeBERTScorer.built[1:3] == (True, REFERENCES)
    # graph, words and similarity: all alike; a blank report; nothing shared but the reading of CheXbert
    parts = np.array([[1, 1, 1], [0, 0, 1], [0, 0, 1]])
    means, scales = [0.53792312, 0.61757256, 0.76479421], [0.30282584, 0.22430938, 0.25394391]
    expected = (parts - means) / scales @ [-0.377083683, -0.3703001, -0.252616218]
    assert rows == pytest.approx(expected)
    assert rows[0] < rows[2]  # lower is better


def test_graphs_are_compared_by_entities_and_relations():
    true, written = annotate(["small left effusion", "large left effusion"]).values()
    # 2 of 3 entities; relations small-left, left-effusion against large-left, left-effusion: 1 of 2
    assert external._compare_graph(true, written) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert external._compare_graph(true, {"entities": {}}) == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (radgraph_metrics, "RadGraph F1 needs another package; pip install --no-deps RadEval"),
        (lambda folder: ratescore(folder, folder), "pip install RaTEScore medspacy"),
        (green, "GREEN needs another package; pip install --no-deps RadEval"),
        (
            lambda folder: bertscore(folder, 5),
            "BERTScore needs another package; pip install --no-deps RadEval",
        ),
    ],
)
def test_a_missing_package_is_named_with_its_command(packages, folder, build, message):
    with pytest.raises(UserError, match=message):
        build(folder)


@pytest.mark.parametrize("build", [radgraph_metrics, green, lambda path: ratescore(path, path)])
def test_missing_weights_are_named(packages, tmp_path, build):
    with pytest.raises(UserError, match=r"expected a folder with .*config\.json"):
        build(tmp_path / "nothing")


def test_radgraph_goes_by_the_name_of_its_folder(packages, folder):
    renamed = folder.rename(folder.parent / "model")
    with pytest.raises(UserError, match="expected a folder named radgraph or radgraph-xl"):
        radgraph_metrics(renamed)
