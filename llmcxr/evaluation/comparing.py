"""Compare two systems, or one system's training seeds, on the same studies. Knows no metric and no model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.data import Dataset
from llmcxr.evaluation.left_out import count_studies, say_left_out
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.metric import Inputs, Metric
from llmcxr.metrics.significance import Comparison, compare
from llmcxr.pages.document import Paragraph, Table
from llmcxr.pages.result import Result
from llmcxr.pages.tables import interval, number
from llmcxr.systems import Gathered, Predictions, gather
from llmcxr.systems.ask import choose_n


def compare_systems(
    metrics: Iterable[Metric],
    first: Inputs,
    second: Inputs,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Comparison]:
    """Compare `first` minus `second` by each metric whose inputs both have, in the metrics' order.

    Raises ValueError where the two are not about the same studies in one order.
    """
    _check_alike(first, second)
    return [
        compare(metric, metric.rows(first), metric.rows(second), first.patients, resamples, seed)
        for metric in metrics
        if first.have(metric.inputs) and second.have(metric.inputs)
    ]


def comparison_table(names: tuple[str, str], comparisons: Sequence[Comparison]) -> Table:
    """Tabulate both values, the difference with its interval, and p, a row a metric."""
    rows = [comparison_row(asdict(one)) for one in comparisons]
    return Table(["metric", *names, "difference (95%)", "p"], rows)


def comparison_row(one: dict) -> list[str]:
    """Write the cells of one comparison, given as it stands in JSON."""
    difference = number(one["difference"]) + interval(one["interval"])
    return [one["name"], number(one["first"]), number(one["second"]), difference, number(one["p"])]


def compare_files(
    first: str | Path,
    second: str | Path,
    dataset: Dataset,
    metrics: Iterable[Metric],
    *,
    n: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Result:
    """Compare two prediction files over the first `n` studies of a dataset (see `choose_n` for None).

    Both must predict the same things: reports, answers, or both. `metrics` may be of reports and of
    questions. `seed` chooses the questions' wording
    too, as in `gather`. Raises UserError for files that share nothing, or that are not of these studies.
    """
    metrics, files = list(metrics), [Predictions.read(first), Predictions.read(second)]
    n = choose_n(n, dataset, files)
    abilities = {"reports": "report", "answers": "answer"}  # of which a part asks
    parts = [part for part, ability in abilities.items() if all(ability in file.abilities for file in files)]
    if not parts:
        raise UserError(
            f"{first} and {second}: expected reports in both or answers in both, found neither; "
            "compare files of one kind"
        )
    comparisons, studies = [], {}
    for part in parts:
        pair = _on_the_same_studies([gather(file, dataset, n, seed, parts=(part,)) for file in files])
        inputs = [one.report_inputs() if part == "reports" else one.question_inputs() for one in pair]
        comparisons += compare_systems(metrics, *inputs, resamples, seed)
        studies[part] = count_studies(pair[0])
    scores = {"n": n, "studies": studies, "comparisons": [asdict(one) for one in comparisons]}
    left_out = dict.fromkeys(sentence for count in studies.values() for sentence in say_left_out(count))
    blocks = [Paragraph(f"{sentence}.") for sentence in left_out]
    return Result(scores, [*blocks, comparison_table((str(first), str(second)), comparisons)])


def _on_the_same_studies(pair: Sequence[Gathered]) -> list[Gathered]:
    """Leave out of both what one had to leave out."""
    left_out = {index: why for one in pair for index, why in one.left_out.items()}
    return [one.without(left_out) for one in pair]


@dataclass(frozen=True)
class SeedSummary:
    """Holds one metric over several seeds, of training or sampling; `low` and `high` are their range.

    The interval says how far the mean over these seeds would move with other patients; deviation (of a single
    seed, n - 1 in the denominator) and range say how far one seed is from another. Neither holds the other.
    """

    name: str
    values: tuple[float | None, ...]  # one per seed
    mean: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    interval: tuple[float, float] | None = None


def summarise_seeds(metrics: Iterable[Metric], runs: Sequence[Inputs], seed: int = 0) -> list[SeedSummary]:
    """Summarise each metric that all runs have inputs for; a value that one seed lacks leaves all undefined.

    Raises ValueError for no runs, or runs that are not about the same studies in one order.
    """
    if not runs:
        raise ValueError("expected the inputs of at least one seed, got none")
    for other in runs[1:]:
        _check_alike(runs[0], other)
    return [
        _summarise(metric, runs, seed) for metric in metrics if all(run.have(metric.inputs) for run in runs)
    ]


def _summarise(metric: Metric, runs: Sequence[Inputs], seed: int) -> SeedSummary:
    rows = [metric.rows(run) for run in runs]
    values = tuple(metric.value(one) for one in rows)
    if None in values:
        return SeedSummary(metric.name, values)

    def mean_over_seeds(chosen: np.ndarray) -> float | None:
        drawn = [metric.value(one[chosen]) for one in rows]
        return None if None in drawn else float(np.mean(drawn))

    bounds = None
    if metric.resamples:
        bounds = bootstrap(mean_over_seeds, runs[0].patients, metric.resamples, seed=seed)
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return SeedSummary(
        metric.name, values, float(np.mean(values)), deviation, min(values), max(values), bounds
    )


def _check_alike(first: Inputs, second: Inputs) -> None:
    if list(first.patients) != list(second.patients):
        raise ValueError(
            f"expected two systems on the same studies in one order, got {len(first.patients)} and "
            f"{len(second.patients)} rows whose patients differ"
        )
