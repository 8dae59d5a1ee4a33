"""The whole picture of a system on a dataset: every part that its inputs allow, with one JSON shape.

A part is a dict of {"scores": [...], ...}; a part that a system cannot do is {"left_out": why}. Knows no
metric's formula and no model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np

from llmcxr import images as image_files
from llmcxr.data import Dataset
from llmcxr.data.phantom.case import FINDINGS
from llmcxr.errors import UserError
from llmcxr.evaluation.audit import audit, looks_at_image
from llmcxr.evaluation.chexpert import CHEXPERT_FINDINGS, label_chexpert
from llmcxr.evaluation.evidence import evaluate_evidence
from llmcxr.evaluation.image_metrics import image_metrics
from llmcxr.evaluation.image_metrics.features import extract, open_extractor
from llmcxr.evaluation.image_metrics.floor import frame
from llmcxr.evaluation.label_codes import to_codes
from llmcxr.evaluation.labeler import label
from llmcxr.evaluation.metric import Inputs, Metric, score_all
from llmcxr.evaluation.question_metrics.kinds import KindAccuracy, score_kinds
from llmcxr.evaluation.report_metrics import report_metrics
from llmcxr.evaluation.report_metrics.label_f1 import label_metrics
from llmcxr.evaluation.systems import Predictions, System, gather
from llmcxr.model.classifier import Classifier

PARTS = ("report", "questions", "image", "audit", "evidence", "cycle")
AUDITED = ("BLEU-4", "micro F1, all 14 [omission negative, uncertain positive]")
EVIDENCE_STUDIES = 32  # one forward pass of nine images for every report


def evaluate_card(
    system: System,
    dataset: Dataset,
    n: int,
    seed: int = 0,
    parts: Sequence[str] = PARTS,
    *,
    size: int = 128,
    extractor: str = "classifier",
    judge: Classifier | None = None,
    announce: Callable[[str], None] = lambda part: None,
) -> dict:
    """The `parts` of the card on the first `n` studies; images are given at `size` px.

    `judge` is an independent classifier of the phantom's findings; without it drawings are not judged by what
    they show, which is right for films that it does not know.
    """
    if unknown := set(parts) - set(PARTS):
        raise UserError(f"expected parts of {', '.join(PARTS)}, found {', '.join(sorted(unknown))}")
    work = {
        "report": lambda: _report(system, dataset, n, seed, size),
        "questions": lambda: _questions(system, dataset, n, seed, size),
        "image": lambda: _image(system, dataset, n, seed, size, extractor, judge),
        "audit": lambda: _audit(system, dataset, n, seed, size),
        "evidence": lambda: _evidence(system, dataset, min(n, EVIDENCE_STUDIES), seed, size),
        "cycle": lambda: _cycle(system, dataset, n, seed),
    }
    card: dict = {"n": n, "seed": seed, "size": size, "extractor": extractor, "parts": {}, "seconds": {}}
    for part in parts:
        announce(part)
        started = time.perf_counter()
        try:
            card["parts"][part] = work[part]()
        except UserError as error:
            card["parts"][part] = {"left_out": str(error)}
        card["seconds"][part] = round(time.perf_counter() - started, 1)
    return card


def label_inputs(patients: Sequence[str], references: Sequence[str], candidates: Sequence[str]) -> Inputs:
    """For metrics of reports: the texts, and the CheXpert labels of both sides by our labeler."""
    coded = [
        to_codes(list(map(label_chexpert, texts)), CHEXPERT_FINDINGS) for texts in (references, candidates)
    ]
    return Inputs(patients, references, candidates, CHEXPERT_FINDINGS, *coded)


def _report(system: System, dataset: Dataset, n: int, seed: int, size: int) -> dict:
    said = gather(system, dataset, n, seed, parts=("reports",), size=size)
    inputs = label_inputs(said.patients, said.references, said.candidates)
    return {
        "scores": _scores(report_metrics(CHEXPERT_FINDINGS), inputs, seed),
        "empty_reports": said.num_empty_reports,
        "distinct_reports": len(set(said.candidates)),
    }


def _questions(system: System, dataset: Dataset, n: int, seed: int, size: int) -> dict:
    said = gather(system, dataset, n, seed, parts=("answers",), size=size)
    if not said.questions:
        raise UserError("the dataset asks no questions; give one with questions, such as phantom:")
    inputs = said.question_inputs()
    return {"scores": [asdict(one) for one in score_kinds(inputs, seed=seed)]}


def _image(
    system: System,
    dataset: Dataset,
    n: int,
    seed: int,
    size: int,
    extractor: str,
    judge: Classifier | None,
) -> dict:
    said = gather(system, dataset, n, seed, parts=("drawings",), size=size)
    drawn = [image_files.fit(image, size)[0] for image in said.drawings]
    true = [dataset.read(index, size) for index in range(n)]
    network = open_extractor(extractor)
    inputs = Inputs(
        said.patients,
        real_features=extract(network, true),
        drawn_features=extract(network, drawn),
        drawn_images=np.stack(drawn),
    )
    real = {}
    if judge is not None:
        requested = to_codes(list(map(label, said.requests)), FINDINGS)
        inputs = replace(
            inputs,
            findings=FINDINGS,
            reference_labels=requested,
            drawn_probabilities=_probabilities(judge, inputs.drawn_images),
        )
        real = {"drawn_probabilities": _probabilities(judge, np.stack(true))}
    framed = {
        metric.name: frame(metric, inputs, real, seed)
        for metric in image_metrics(inputs.findings)
        if inputs.have(metric.inputs)
    }
    return {
        "scores": [asdict(one.score) for one in framed.values()],
        "against": {name: asdict(one) for name, one in framed.items()},
    }


def _audit(system: System, dataset: Dataset, n: int, seed: int, size: int) -> dict:
    if isinstance(system, Predictions):
        raise UserError("a file of predictions cannot be asked again with another image")
    said = gather(system, dataset, n, seed, parts=(), size=size)
    pixels = [dataset.read(index, size) for index in range(n)]

    def rows_of_reports(metric: Metric, texts: Sequence[str]) -> np.ndarray:
        return metric.rows(label_inputs(said.patients, said.references, texts))

    def write(images: Sequence[np.ndarray]) -> list[str]:
        return [result.text for result in system.report(images, seed=seed)]

    metrics = [metric for metric in report_metrics(CHEXPERT_FINDINGS) if metric.name in AUDITED]
    results = audit(write, rows_of_reports, metrics, pixels, said.patients, seed=seed)
    part = {"reports": _reliance(results)}
    if said.questions:
        owners = [said.patients[place] for place in said.asked_of]
        shown = [pixels[place] for place in said.asked_of]
        asked = [question.question for question in said.questions]

        def rows_of_answers(metric: Metric, texts: Sequence[str]) -> np.ndarray:
            return metric.rows(replace(said, answers=texts).question_inputs())

        def answer(images: Sequence[np.ndarray]) -> list[str]:
            return [result.text for result in system.answer(images, asked)]

        results = audit(answer, rows_of_answers, [KindAccuracy()], shown, owners, seed=seed)
        part["answers"] = _reliance(results)
    return part


def _reliance(results: Sequence) -> dict:
    return {
        "looks_at_image": looks_at_image(results),
        "drops": [{"tampering": one.tampering, **asdict(one.comparison)} for one in results],
    }


def _evidence(system: System, dataset: Dataset, n: int, seed: int, size: int) -> dict:
    if not hasattr(system, "score_sentences"):
        raise UserError(
            "the evidence of a sentence needs the model's own probabilities; this system gives none"
        )
    said = gather(system, dataset, n, seed, parts=("reports",), size=size)
    pixels = [dataset.read(index, size) for index in range(n)]
    truths = list(map(label, said.references))
    return evaluate_evidence(system, pixels, said.candidates, truths, said.patients, seed=seed)


def _cycle(system: System, dataset: Dataset, n: int, seed: int) -> dict:
    """Text -> drawing -> the system's own report of it: do the findings come back?"""
    if isinstance(system, Predictions):
        raise UserError("a file of predictions cannot read its own drawings")
    said = gather(system, dataset, n, seed, parts=("drawings",))
    reread = [result.text for result in system.report(list(said.drawings), seed=seed)]
    inputs = label_inputs(said.patients, said.requests, reread)
    return {"scores": _scores(label_metrics(CHEXPERT_FINDINGS), inputs, seed)}


def _scores(metrics: Sequence[Metric], inputs: Inputs, seed: int) -> list[dict]:
    return [asdict(one) for one in score_all(metrics, inputs, seed)]


def _probabilities(judge: Classifier, pixels: np.ndarray) -> np.ndarray:
    readings = judge.predict(pixels)
    return np.array([[reading.findings[name].probability for name in FINDINGS] for reading in readings])
