"""Call the report metrics of other packages: RadGraph F1, RaTEScore, GREEN, BERTScore, RadCliQ.

Nothing is downloaded: every builder takes the paths of weights that are there, and says by UserError which
package or path is missing. RadEval (github.com/jbdel/RadEval) is preferred where it carries a copy, because
its copies run on transformers 5, the original radgraph 0.1.18 and bert-score 0.3.13 do not. Install it with
--no-deps: it requires torchvision, which none of these needs. A blank report, true or written, scores 0
without reaching the package: some drop it and shift the others.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.pretrained import refuse_code
from llmcxr.metrics.reports.chexbert import CheXbert, load_chexbert
from llmcxr.metrics.reports.mean_metric import MeanMetric
from llmcxr.metrics.scores import cosines

RADEVAL = "pip install --no-deps RadEval==2.2.1"
RADGRAPH_LEVELS = ("simple", "partial", "complete")
RADGRAPH_MODELS = ("radgraph", "radgraph-xl", "modern-radgraph-xl", "echograph")  # that the package knows

Compare = Callable[[Sequence[str], Sequence[str]], np.ndarray]


def radgraph_metrics(folder: str | Path, device: str = "cpu") -> tuple[MeanMetric, ...]:
    """Build RadGraph F1 (Delbrouck et al. 2022) at its three levels; published tables mostly mean "partial".

    `folder` is the unpacked model: config.json, vocabulary/ and weights.th. Its name, one of
    RADGRAPH_MODELS, tells the package which model it is. The BERT that its config.json names must be a
    path too, or in the Hugging Face cache.
    """
    scorer = _load_radgraph(folder, device, "F1RadGraph", reward_level="all")

    @lru_cache(maxsize=1)  # the three levels come of one reading
    def read(references: tuple[str, ...], candidates: tuple[str, ...]) -> np.ndarray:
        _, levels, _, _ = scorer(refs=list(references), hyps=list(candidates))
        return np.array(levels, float)  # (3, N)

    def compare(references: Sequence[str], candidates: Sequence[str], level: int) -> np.ndarray:
        return read(tuple(references), tuple(candidates))[level]

    return tuple(
        MeanMetric(f"RadGraph F1 ({name})", _zero_where_blank(partial(compare, level=level)))
        for level, name in enumerate(RADGRAPH_LEVELS)
    )


def ratescore(entities: str | Path, synonyms: str | Path, device: str = "cpu") -> MeanMetric:
    """Build RaTEScore (Zhao et al. 2024) from the folders of RaTE-NER-Deberta and of BioLORD-2023-C.

    The package gives 0.5 where it finds no entity in one of two reports that are not blank.
    """
    folders = [str(_expect_folder(path, "config.json")) for path in (entities, synonyms)]
    package = _import(
        ("RaTEScore", "radeval.metrics.RaTEScore"), "RaTEScore", "pip install RaTEScore medspacy"
    )
    scorer = package.RaTEScore(
        bert_model=folders[0], eval_model=folders[1], use_gpu=device.startswith("cuda")
    )

    def compare(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
        # one pair at a time: the package leaves out a report without a sentence, which shifts those behind it
        pairs = zip(references, candidates, strict=True)
        scores = [scorer.compute_score([candidate], [reference]) for reference, candidate in pairs]
        return np.array([score[0] if score else 0.0 for score in scores])

    return MeanMetric("RaTEScore", _zero_where_blank(compare))


def green(folder: str | Path, device: str = "cpu") -> MeanMetric:
    """Build GREEN (Ostmeier et al. 2024) from the folder of GREEN-radllama2-7b: 14 GB of GPU memory.

    The package would run Python code that the folder names; such a folder is refused.
    """
    folder = _expect_folder(folder, "config.json")
    package = _import(
        ("radeval.metrics.green_score",), "GREEN", f"{RADEVAL} && pip install datasets matplotlib"
    )
    scorer = package.GREEN(str(folder), cpu=not device.startswith("cuda"))

    def compare(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
        _, _, scores, _ = scorer(list(references), list(candidates))
        return np.array(scores, float)  # None, where the answer could not be read, becomes NaN

    return MeanMetric("GREEN", _zero_where_blank(compare))


def bertscore(
    folder: str | Path, layer: int, baseline: str | Path | None = None, device: str = "cpu"
) -> MeanMetric:
    """Build BERTScore's F (Zhang et al. 2020), without inverse document frequencies.

    `folder` is any encoder's, `layer` the one to compare, which is tuned for each (distilroberta-base 5,
    roberta-large 17). `baseline` is the package's rescale_baseline/en/MODEL.tsv; without it the score is not
    rescaled. The name says all three.
    """
    folder = _expect_folder(folder, "config.json")
    load = _find_bertscore(folder, layer, baseline, device)
    scorer = load()

    def compare(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
        return _bertscore_f(scorer, references, candidates)

    rescaled = ", rescaled" if baseline else ""
    return MeanMetric(f"BERTScore ({folder.name}, layer {layer}{rescaled})", _zero_where_blank(compare))


# RadCliQ-v1 (Yu et al. 2023): a linear fit to radiologists' counts of errors. Mean, scale and coefficient of
# RadGraph F1, BERTScore and CheXbert similarity, from the authors' published model
# (github.com/rajpurkarlab/CXR-Report-Metric). Its fourth term, BLEU-2 with a coefficient of 4e-12, and its
# intercept of 2e-10 are left out: no digit that is ever printed depends on them.
RADCLIQ_MEAN = np.array([0.53792312, 0.61757256, 0.76479421])
RADCLIQ_SCALE = np.array([0.30282584, 0.22430938, 0.25394391])
RADCLIQ_COEFFICIENTS = np.array([-0.377083683, -0.3703001, -0.252616218])


def radcliq(
    radgraph: str | Path,
    distilroberta: str | Path,
    baseline: str | Path,
    chexbert: CheXbert,
    device: str = "cpu",
) -> MeanMetric:
    """Build RadCliQ-v1, lower is better; ReXrank prints one over its mean.

    `radgraph` as in `radgraph_metrics`, named "radgraph"; the folder of distilroberta-base and its baseline
    distilroberta-base.tsv as in `bertscore`. BERTScore's document frequencies are those of the references of
    the set; the bootstrap keeps them.
    """
    annotate = _load_radgraph(radgraph, device, "RadGraph")
    load = _find_bertscore(_expect_folder(distilroberta, "config.json"), 5, baseline, device)

    def compare(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
        references, candidates = list(references), list(candidates)
        scorer = load(idf=True, idf_sents=references)
        graphs = _zero_where_blank(partial(_compare_graphs, annotate))(references, candidates)
        words = _zero_where_blank(partial(_bertscore_f, scorer))(references, candidates)
        similarity = cosines(chexbert.embed(references), chexbert.embed(candidates))
        parts = np.stack([graphs, words, similarity], axis=1)
        return (parts - RADCLIQ_MEAN) / RADCLIQ_SCALE @ RADCLIQ_COEFFICIENTS

    return MeanMetric("RadCliQ-v1", compare)


def open_radcliq(
    radgraph: str, distilroberta: str, baseline: str, chexbert: str, bert: str, device: str = "cpu"
) -> MeanMetric:
    """Open `radcliq` with the CheXbert of two paths, as `load_chexbert` takes them."""
    labeler = load_chexbert(chexbert, bert, device)
    return radcliq(radgraph, distilroberta, baseline, labeler, device)


def _compare_graphs(annotate: Callable, references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
    """Return (N,): the mean of the F1 of entities and the F1 of relations, as RadCliQ counts them."""
    true, written = annotate(list(references)), annotate(list(candidates))
    return np.array([_compare_graph(true[str(i)], written[str(i)]) for i in range(len(references))])


def _compare_graph(true: dict, written: dict) -> float:
    entities, relations = zip(*(_read_graph(graph["entities"]) for graph in (true, written)), strict=True)
    return (_set_f1(*entities) + _set_f1(*relations)) / 2


def _read_graph(entities: dict) -> tuple[set, set]:
    """Return the (words, label) of RadGraph's entities, and its relations between them."""
    named = {key: (entity["tokens"], entity["label"]) for key, entity in entities.items()}
    relations = {
        (named[key], named[target], kind)
        for key, entity in entities.items()
        for kind, target in entity["relations"]
    }
    return set(named.values()), relations


def _set_f1(true: set, written: set) -> float:
    return 2 * len(true & written) / (len(true) + len(written)) if true and written else 0.0


def _bertscore_f(scorer: object, references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
    _, _, f = scorer.score(cands=list(candidates), refs=list(references))
    return f.numpy()


def _find_bertscore(folder: Path, layer: int, baseline: str | Path | None, device: str) -> Callable:
    """Return what builds the package's scorer: the document frequencies may belong to it."""
    if baseline is not None and not Path(baseline).is_file():
        raise UserError(
            f"{baseline}: expected a table of rescale_baseline, found no such file; check the path"
        )
    package = _import(("radeval.metrics.bertscore._vendor", "bert_score"), "BERTScore", RADEVAL)
    rescale = {} if baseline is None else {"rescale_with_baseline": True, "baseline_path": str(baseline)}
    return partial(
        package.BERTScorer, model_type=str(folder), num_layers=layer, lang="en", device=device, **rescale
    )


def _load_radgraph(folder: str | Path, device: str, name: str, **options: str) -> Callable:
    """Build the package's class `name` on the model in `folder`."""
    folder = _expect_folder(folder, "config.json", "weights.th", "vocabulary")
    if folder.name not in RADGRAPH_MODELS:
        raise UserError(f"{folder}: expected a folder named {' or '.join(RADGRAPH_MODELS)}; rename it")
    _alias_radeval()
    package = _import(
        ("RadEval.metrics.radgraph", "radgraph"),
        "RadGraph F1",
        f"{RADEVAL} && pip install appdirs dotmap filelock h5py jsonpickle nltk requests",
    )
    cuda = int(device.partition(":")[2] or 0) if device.startswith("cuda") else -1
    loader = getattr(package, name)
    return loader(model_type=folder.name, model_cache_dir=str(folder.parent), cuda=cuda, **options)


def _alias_radeval() -> None:
    """RadEval 2.2 is installed as `radeval`, but its copy of RadGraph imports itself as `RadEval`."""
    try:
        sys.modules.setdefault("RadEval", importlib.import_module("radeval"))
    except ImportError:
        return  # an older RadEval, or none


def _import(names: Sequence[str], metric: str, install: str) -> ModuleType:
    """Import the first that can be. Raises UserError with the reason of each that cannot."""
    reasons = []
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            reasons.append(f"{name}: {error}")
    raise UserError(f"{metric} needs another package; {install} ({'; '.join(reasons)})")


def _expect_folder(folder: str | Path, *contents: str) -> Path:
    folder = Path(folder).resolve()
    if missing := [name for name in contents if not (folder / name).exists()]:
        raise UserError(
            f"{folder}: expected a folder with {', '.join(contents)}, found no {', '.join(missing)}; "
            "give the path of the downloaded weights"
        )
    refuse_code(folder)
    return folder


def _zero_where_blank(compare: Compare) -> Compare:
    def with_blanks(references: Sequence[str], candidates: Sequence[str]) -> np.ndarray:
        pairs = list(zip(references, candidates, strict=True))
        is_judged = np.array([bool(true.strip() and written.strip()) for true, written in pairs], bool)
        scores = np.zeros(len(pairs))
        if is_judged.any():
            judged = [pair for pair, keep in zip(pairs, is_judged, strict=True) if keep]
            scores[is_judged] = compare(*zip(*judged, strict=True))
        return scores

    return with_blanks
