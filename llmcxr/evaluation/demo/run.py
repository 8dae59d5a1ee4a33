"""Demonstrate a model: draw, read, answer, score, and write a picture, a page and a summary of it.

Everything is synthetic. The judge is the evaluator classifier, which took part in no loss, and geometry
from pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from llmcxr.data import Texts, open_dataset
from llmcxr.evaluation.demo.page import TITLE, demo_blocks, demo_sheet
from llmcxr.evaluation.demo.records import Check, Drawing, Reading
from llmcxr.evaluation.phantom.drawing import Request, confirm, evaluate_drawing
from llmcxr.evaluation.phantom.reading import evaluate_reading
from llmcxr.evaluation.phantom.run import open_held_out
from llmcxr.images import write_figure
from llmcxr.measure import measure_cardiothoracic_ratio
from llmcxr.model.classifier import Classifier, ClassifierReading
from llmcxr.model.judges import load_evaluator
from llmcxr.pages.result import Result, write_json, write_page
from llmcxr.records import Question
from llmcxr.reports import join_sections
from llmcxr.systems import System
from llmcxr.systems.ask import word_studies

PROMPTS = (
    "Large right pleural effusion with cardiomegaly.",
    "Normal chest.",
    "Moderate left pneumothorax.",
    "Large nodule in the right upper zone.",
    "Extensive consolidation in the left lower zone. Cardiothoracic ratio 0.44.",
    "Left pacemaker. Cardiothoracic ratio 0.60.",
    "Severe pulmonary edema and small bilateral pleural effusions. AP view.",
    "Endotracheal tube and right central line. Marked mediastinal widening.",
)
NUM_FRESH = 8
FRESH_SEED = 7000  # plus the demo's seed: phantoms that no training and no score uses
IMAGE_SIZE = 128
QUESTIONS_SHOWN = 3  # of each fresh phantom
RATIO_TOLERANCE = 0.04  # twice the mean error that the issue allows a drawing


def run_demo(
    out_dir: str | Path, seed: int, n: int, system: System, announce: Callable[[str], None] = print
) -> Result:
    """Write demo.png, index.html and summary.json into `out_dir`, scored on `n` held-out phantoms.

    `announce` gets the name of each stage as it begins. Raises UserError where the evaluator is a loss
    network of the system's image tokenizer.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    clock = _Clock(announce)
    with clock.stage("load"):
        evaluator = load_evaluator(system.loss_networks)
    with clock.stage("draw"):
        drawn = system.draw(list(PROMPTS), seed=seed)
    with clock.stage("read"):
        fresh, words = _fresh_phantoms(seed)
        own = [result.text for result in system.report([result.image for result in drawn], seed=seed)]
        drawings = _judge(PROMPTS, [result.image for result in drawn], own, evaluator)
        reports = [result.text for result in system.report(fresh, seed=seed)]
    with clock.stage("answer"):
        answered = _answer(system, fresh, [one.questions[:QUESTIONS_SHOWN] for one in words])
    truths = [join_sections(one.report) for one in words]
    readings = [Reading(*one) for one in zip(fresh, truths, reports, answered, strict=True)]
    with clock.stage("score_reading"):
        dataset = open_held_out(n)
        reading = evaluate_reading(system, dataset, n, seed)
    with clock.stage("score_drawing"):
        drawing = evaluate_drawing(system, dataset, n, seed, evaluator=evaluator, num_diverse=0)
    with clock.stage("write"):
        summary = summarise(reading, drawing)
        result = Result(summary, demo_blocks(drawings, readings, summary, n))
        write_page(out_dir / "index.html", TITLE, result)
        write_figure(out_dir / "demo.png", demo_sheet(drawings))
    summary["seconds"] = clock.seconds
    write_json(out_dir / "summary.json", summary)
    return result


def summarise(reading: dict, drawing: dict) -> dict:
    """Return the scores of summary.json. A finding that no phantom of the sample has is null."""

    def per_finding(result: dict, key: str) -> dict[str, float | None]:
        scores = {name: score[key] for name, score in result["findings"].items()}
        return {name: _rounded(value) for name, value in {**scores, "macro": result["macro"][key]}.items()}

    return {
        "reading_f1": per_finding(reading, "f1"),
        "drawing_agreement": per_finding(drawing, "agreement"),
        "ctr_read_r": _rounded(reading["ratio"]["r"]),
        "ctr_drawn_r": _rounded(drawing["ratio_by_geometry"]["r"]),
        "valid_images": _rounded(drawing["valid_images"]),
    }


class _Clock:
    """Take the seconds per stage, in order."""

    def __init__(self, announce: Callable[[str], None]):
        self.announce, self.seconds = announce, {}

    @contextmanager
    def stage(self, name: str):
        self.announce(f"demo: {name.replace('_', ' ')} ...")
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _judge(
    prompts: Sequence[str], images: Sequence[np.ndarray], reports: Sequence[str], evaluator: Classifier
) -> list[Drawing]:
    seen = evaluator.predict(np.stack(images))
    return [
        Drawing(prompt, image, report, _checks(Request.from_text(prompt), image, reading))
        for prompt, image, report, reading in zip(prompts, images, reports, seen, strict=True)
    ]


def _checks(request: Request, image: np.ndarray, reading: ClassifierReading) -> tuple[Check, ...]:
    checks = []
    for name, confirmation in confirm(request, reading).items():
        side, zone = request.findings[name]
        found = reading.findings[name]
        seen = _phrase(found.side if side else "", found.zone if zone else "", name)
        measured = seen if confirmation.present else f"no {name}"
        checks.append(Check(_phrase(side, zone, name), measured, confirmation.exact))
    added = [name for name in reading.present if name not in request.findings]
    if added or not checks:
        wanted = "nothing else" if checks else "no finding"
        checks.append(Check(wanted, ", ".join(added) or "none seen", not added))
    return (*checks, _ratio_check(request, image, reading))


def _phrase(*words: str) -> str:
    return " ".join(word for word in words if word)


def _ratio_check(request: Request, image: np.ndarray, reading: ClassifierReading) -> Check:
    """Check the ratio that the prompt states, or the side of 0.50 that it implies."""
    measured = measure_cardiothoracic_ratio(image).ratio
    seen = f"{reading.cardiothoracic_ratio:.2f} by classifier"
    seen = f"{measured:.2f} by geometry, {seen}" if measured is not None else f"{seen} only"
    if request.ratio is not None:
        is_met = abs(reading.cardiothoracic_ratio - request.ratio) <= RATIO_TOLERANCE
        return Check(f"ratio {request.ratio:.2f}", seen, is_met)
    is_large = "cardiomegaly" in request.findings
    is_met = (reading.cardiothoracic_ratio > 0.5) == is_large
    return Check(f"ratio {'above' if is_large else 'up to'} 0.50", seen, is_met)


def _fresh_phantoms(seed: int) -> tuple[list[np.ndarray], list[Texts]]:
    """Return the images and the words of phantoms that were never seen."""
    dataset = open_dataset(f"phantom:n={NUM_FRESH},seed={FRESH_SEED + seed}")
    images = [dataset.read(index, IMAGE_SIZE) for index in range(NUM_FRESH)]
    return images, word_studies(dataset, NUM_FRESH, seed)


def _answer(
    system: System, images: Sequence[np.ndarray], questions: Sequence[Sequence[Question]]
) -> list[tuple[tuple[Question, str], ...]]:
    """Return the questions on each image with their answers, all asked at once."""
    asked = [(image, one) for image, about in zip(images, questions, strict=True) for one in about]
    given = system.answer([image for image, _ in asked], [one.question for _, one in asked])
    answers = iter(result.text for result in given)
    return [tuple((one, next(answers)) for one in about) for about in questions]
