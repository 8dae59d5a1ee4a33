"""Score a system over a grid of settings: how reports are asked for and sampled, how drawings are guided.

Every point judges the same studies with the same seed, so points differ by their settings alone. The interval
is over patients; the best point of many is best in part by chance, so a setting chosen here has to be judged
again on other studies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.common.terminal import progress
from llmcxr.data import Dataset
from llmcxr.decoding.settings import DrawSettings, Sampling
from llmcxr.evaluation.inputs import drawing_inputs, label_inputs
from llmcxr.evaluation.left_out import count_studies
from llmcxr.evaluation.sweep.page import (
    AXES,
    LOWER_IS_BETTER,
    TASKS,
    check_plotting,
    draw_sweep,
    sweep_blocks,
)
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from llmcxr.metrics.images import image_metrics
from llmcxr.metrics.images.features import extract, open_extractor
from llmcxr.metrics.metric import Inputs, Metric, score_all
from llmcxr.metrics.reports import report_metrics
from llmcxr.model.classifier import Classifier
from llmcxr.pages.document import Plot
from llmcxr.pages.result import Result
from llmcxr.prompts import REPORT
from llmcxr.reports import scored_text
from llmcxr.systems import Gathered, System
from llmcxr.systems.ask import read_radiographs, select_studies

MICRO_F1 = "micro F1, all 14 [omission negative, uncertain positive]"
READING_SCORES = (MICRO_F1, "BLEU-4")
DRAWING_SCORES = ("label f1", "label auroc", "kernel distance", "density", "pairwise ms-ssim")


@dataclass(frozen=True)
class SweepSettings:
    """Hold the grids, and what every point is judged on. Raises UserError for a value out of range."""

    n: int = 32
    seed: int = 0
    size: int = 128  # px at which images are given
    extractor: str = "classifier"
    tasks: tuple[str, ...] = TASKS
    prompts: tuple[str, ...] = REPORT.instructions
    temperatures: tuple[float, ...] = (0.0, 0.7)  # of reading
    top_p: tuple[float, ...] = (0.9, 1.0)
    guidance: tuple[float, ...] = (1.0, 2.0, 3.0)
    draw_temperatures: tuple[float, ...] = (0.7, 1.0)
    top_k: tuple[int, ...] = (0, 64)

    def __post_init__(self) -> None:
        if not self.tasks or set(self.tasks) - set(TASKS):
            raise UserError(f"expected tasks of {', '.join(TASKS)}, found {', '.join(self.tasks) or 'none'}")
        for point in self.grid("reading"):
            Sampling(point["temperature"], top_p=point["top_p"])
        for point in self.grid("drawing"):
            DrawSettings(**point)

    def grid(self, task: str) -> list[dict[str, Any]]:
        """Return the settings of every point, in the order of AXES."""
        values = {
            "reading": (self.prompts, self.temperatures, self.top_p),
            "drawing": (self.top_k, self.draw_temperatures, self.guidance),
        }[task]
        return [dict(zip(AXES[task], point, strict=True)) for point in product(*values)]


def sweep(
    system: System, dataset: Dataset, settings: SweepSettings | None = None, judge: Classifier | None = None
) -> Result:
    """Return {task: {"points": [settings, "scores": name -> Score as dict], "by": name, "best": settings}}.

    "by" names the score that "best" is chosen by and that the heat map, the figure, shows. Raises UserError
    for a system that does not let its settings be changed, and where matplotlib is missing.
    """
    check_plotting()
    settings = settings or SweepSettings()
    builders = {"reading": _reading, "drawing": _drawing}
    result: dict = {"settings": asdict(settings)}
    for task in settings.tasks:  # refused before any work begins
        _check_adjustable(system, task)
    for task in settings.tasks:
        studies, pixels = _select(dataset, settings, task)
        ask, metrics = builders[task](system, studies, pixels, settings, judge)
        points = _score_grid(task, settings, ask, metrics)
        result[task] = {"studies": count_studies(studies), "points": points, **_pick_best(task, points)}
    return Result(result, sweep_blocks(result), [Plot("Heat maps", draw_sweep(result))])


def _score_grid(
    task: str, settings: SweepSettings, ask: Callable[[dict], Inputs], metrics: Sequence[Metric]
) -> list[dict]:
    grid, known, points = settings.grid(task), {}, []
    with progress(f"sweep: {task}", len(grid)) as advance:
        for point in grid:
            # at temperature 0 the likeliest token is taken, whatever top-p or top-k leave
            cut = {"top_p": 1.0, "top_k": 0} if point["temperature"] == 0 else {}
            effective = tuple({**point, **{key: cut[key] for key in cut if key in point}}.items())
            if effective not in known:
                scores = score_all(metrics, ask(dict(effective)), settings.seed)
                known[effective] = {one.name: asdict(one) for one in scores}
            points.append({**point, "scores": known[effective]})
            advance(1)
    return points


def _reading(
    system: System,
    studies: Gathered,
    pixels: Sequence[np.ndarray],
    settings: SweepSettings,
    judge: Classifier | None,
) -> tuple[Callable[[dict], Inputs], list[Metric]]:

    def ask(point: dict) -> Inputs:
        results = system.report(
            pixels,
            seed=settings.seed,
            temperature=point["temperature"],
            top_p=point["top_p"],
            instruction=point["prompt"],
        )
        written = [scored_text(one.text) for one in results]
        return label_inputs(studies.patients, studies.references, written)

    return ask, _named(report_metrics(CHEXPERT_FINDINGS), READING_SCORES)


def _select(dataset: Dataset, settings: SweepSettings, task: str) -> tuple[Gathered, list[np.ndarray]]:
    """Return the studies that can be judged in a task, and their images."""
    part = "reports" if task == "reading" else "drawings"
    radiographs = read_radiographs(dataset, settings.n, settings.size)
    studies = select_studies(dataset, settings.n, settings.seed, (part,), radiographs)
    return studies, [radiographs.images[index] for index in studies.indices]


def _drawing(
    system: System,
    studies: Gathered,
    pixels: Sequence[np.ndarray],
    settings: SweepSettings,
    judge: Classifier | None,
) -> tuple[Callable[[dict], Inputs], list[Metric]]:
    network = open_extractor(settings.extractor)
    real = extract(network, pixels)

    def ask(point: dict) -> Inputs:
        images = [one.image for one in system.draw(list(studies.requests), seed=settings.seed, **point)]
        return drawing_inputs(studies.patients, studies.requests, images, real, network, settings.size, judge)

    return ask, _named(image_metrics(), DRAWING_SCORES)


def _pick_best(task: str, points: Sequence[dict]) -> dict:
    """Pick by the first of the task's scores that every point has."""
    order = READING_SCORES if task == "reading" else DRAWING_SCORES
    by = next((name for name in order if all(_value(point, name) is not None for point in points)), None)
    if by is None:
        return {"by": None, "best": None}
    choose = min if by in LOWER_IS_BETTER else max
    best = choose(points, key=lambda point: _value(point, by))
    return {"by": by, "best": {name: best[name] for name in AXES[task]}}


def _value(point: dict, name: str) -> float | None:
    return point["scores"].get(name, {}).get("value")


def _named(metrics: Iterable[Metric], names: Sequence[str]) -> list[Metric]:
    by_name = {metric.name: metric for metric in metrics}
    return [by_name[name] for name in names]


def _check_adjustable(system: System, task: str) -> None:
    if not system.is_adjustable:
        wanted = ", ".join(("temperature", "top_p", "instruction") if task == "reading" else AXES["drawing"])
        raise UserError(
            f"expected a system whose {wanted} can be set for {task}, found one without {wanted}; "
            "sweep phantom or a model directory"
        )
