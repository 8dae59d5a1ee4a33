"""Ask and score each part of a card. A part is a dict for JSON; a UserError from one
says why the system or the dataset does not allow it. Knows no metric's formula and no model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.evaluation.card.audit import audit, looks_at_image
from llmcxr.evaluation.card.evidence import evaluate_evidence
from llmcxr.evaluation.card.session import Interview
from llmcxr.evaluation.inputs import drawing_inputs, label_inputs
from llmcxr.evaluation.left_out import count_studies
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from llmcxr.labeler.rules import label
from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.answers.balance import score_balance
from llmcxr.metrics.answers.elixr import score_elixr
from llmcxr.metrics.answers.kinds import KindAccuracy, score_kinds, score_with_support
from llmcxr.metrics.images import image_metrics
from llmcxr.metrics.images.agreement import agreement_by_finding, wanted_and_seen
from llmcxr.metrics.images.baselines import frame, frame_by_finding
from llmcxr.metrics.images.feature_metric import FeatureMetric
from llmcxr.metrics.images.features import extract, open_extractor
from llmcxr.metrics.images.frechet import FewImagesWarning
from llmcxr.metrics.images.kernel_distance import kernel_distance
from llmcxr.metrics.metric import Inputs, Metric
from llmcxr.metrics.reports import report_metrics
from llmcxr.metrics.reports.label_f1 import label_metrics
from llmcxr.metrics.scores import cosines
from llmcxr.model.classifier import to_probabilities
from llmcxr.pages.document import Picture, Sheet
from llmcxr.records import Label
from llmcxr.reports import scored_answer
from llmcxr.systems import Gathered

AUDITED = ("BLEU-4", "micro F1, all 14 [omission negative, uncertain positive]")
EVIDENCE_STUDIES = 32  # one forward pass of nine images for every report
SHOWN = 8  # best drawings, and as many worst
LEAST = 1e-6  # probability, so that its logarithm is finite


def report_part(view: Interview) -> dict:
    runs = view.ask_each_seed("reports")
    inputs = [label_inputs(gathered.patients, gathered.references, gathered.candidates) for gathered in runs]
    metrics = [*report_metrics(CHEXPERT_FINDINGS), *view.metrics]
    return {
        "studies": count_studies(runs[0]),
        **view.score(metrics, inputs),
        "support": _support(inputs[0]),
        "empty_reports": sum(not text.strip() for text in runs[0].candidates),
        "distinct_reports": len(set(runs[0].candidates)),
    }


def questions_part(view: Interview) -> dict:
    """Score accuracy by kind and by matcher, the balance of yes and no, and ELIXR-style grades by rule."""
    gathered, seed = _ask_questions(view), view.settings.seed
    inputs = gathered.question_inputs()
    matched = score_with_support([KindAccuracy(matcher=name) for name in ("exact", "overlap")], inputs, seed)
    groups = {
        "scores": [*score_kinds(inputs, seed=seed), *matched],
        "balance": score_balance(inputs, seed),
        "elixr": score_elixr(inputs, seed),
    }
    scores = {name: [asdict(one) for one in scores] for name, scores in groups.items()}
    return {"studies": count_studies(gathered), **scores}


def image_part(view: Interview) -> dict:
    """Score by every metric beside real images and shuffled requests; by finding too. Fills the album."""
    if not view.has_images:
        raise UserError("expected radiographs to compare drawings with, found none in the dataset")
    settings, runs = view.settings, view.ask_each_seed("drawings")
    pixels = view.pixels_of(runs[0])
    network = open_extractor(settings.extractor)
    real_features = extract(network, pixels)
    inputs = [
        drawing_inputs(
            gathered.patients,
            gathered.requests,
            gathered.drawings,
            real_features,
            network,
            settings.size,
            view.judge,
        )
        for gathered in runs
    ]
    true = np.stack(pixels)
    first = inputs[0]
    real = {"drawn_images": true}
    if view.judge is not None:
        real["drawn_probabilities"] = to_probabilities(view.judge.predict(true), first.findings)
    metrics = [metric for metric in image_metrics(first.findings) if first.have(metric.inputs)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewImagesWarning)  # the part itself warns, once
        framed = {metric.name: frame(metric, first, real, settings.seed) for metric in metrics}
        over_seeds = view.summarise(metrics, inputs)
    view.album += drawing_sheets(first, runs[0].requests)
    return {
        "studies": count_studies(runs[0]),
        "scores": [asdict(one.score) for one in framed.values()],
        "against": {name: asdict(one) for name, one in framed.items()},
        "findings": _by_finding(first, settings.seed),
        "warning": _warn_few(len(pixels), network.dimension),
        **over_seeds,
    }


def audit_part(view: Interview) -> dict:
    """Measure the drop of the scores on images that are blanked, swapped between patients or half covered."""
    if view.system.is_recorded:
        raise UserError("a file of predictions cannot be asked again with another image")
    if not view.has_images:
        raise UserError("expected radiographs to blank, swap and cover, found none in the dataset")
    gathered, seed = view.ask("reports"), view.settings.seed

    def rows_of_reports(metric: Metric, texts: Sequence[str]) -> np.ndarray:
        return metric.rows(label_inputs(gathered.patients, gathered.references, texts))

    def write(images: Sequence[np.ndarray]) -> list[str]:
        return view.read(images, seed)

    metrics = [metric for metric in report_metrics(CHEXPERT_FINDINGS) if metric.name in AUDITED]
    shown = view.pixels_of(gathered)
    results = audit(
        write, rows_of_reports, metrics, shown, gathered.patients, seed=seed, texts=gathered.candidates
    )
    part = {"reports": {"studies": count_studies(gathered), **_reliance(results)}}
    if view.studies.questions:
        answered = count_studies(view.ask("answers"))
        part["answers"] = {"studies": answered, **_reliance(_audit_answers(view))}
    return part


def evidence_part(view: Interview) -> dict:
    """Test whether the model's own probabilities find the wrong sentences of its first reports."""
    if "score_sentences" not in view.system.abilities:
        raise view.system.cannot("score_sentences")
    gathered = view.ask("reports")
    first = slice(min(len(gathered.ids), EVIDENCE_STUDIES))
    evidence = evaluate_evidence(
        view.system,
        view.pixels_of(gathered)[first],
        gathered.written[first],  # with its headings: probabilities are of what the model wrote
        [label(text) for text in gathered.references[first]],
        gathered.patients[first],
        seed=view.settings.seed,
    )
    return {"studies": count_studies(gathered), **evidence}


def cycle_part(view: Interview) -> dict:
    """Draw each request, let the system report its drawing, and score whether the findings come back."""
    if view.system.is_recorded:
        raise UserError("a file of predictions cannot read its own drawings")
    inputs, runs = [], view.ask_each_seed("drawings")
    for gathered, seed in zip(runs, view.settings.seeds, strict=True):
        reread = view.read(list(gathered.drawings), seed)
        inputs.append(label_inputs(gathered.patients, gathered.requests, reread))
    scores = view.score(label_metrics(CHEXPERT_FINDINGS), inputs)
    return {"studies": count_studies(runs[0]), **scores, "support": _support(inputs[0])}


PARTS: dict[str, Callable[[Interview], dict]] = {
    "report": report_part,
    "questions": questions_part,
    "image": image_part,
    "audit": audit_part,
    "evidence": evidence_part,
    "cycle": cycle_part,
}


def drawing_sheets(inputs: Inputs, requests: Sequence[str]) -> list[Sheet]:
    """Choose the best and the worst drawings.

    They are ranked by the judge's mean log-likelihood of what was asked for, or without a judge by the
    cosine of the drawing's features and those of the study's true image.
    """
    if inputs.drawn_probabilities is None:
        ranked, rule = cosines(inputs.real_features, inputs.drawn_features), "by features of the true image"
    else:
        ranked, rule = _log_likelihoods(inputs), "by what the classifier sees of their requests"
    order = np.argsort(-ranked, kind="stable")
    shown = min(SHOWN, -(-len(order) // 2))
    sheets = []
    for name, rows in (("Best", order[:shown]), ("Worst", order[: -shown - 1 : -1])):
        pictures = [
            Picture(inputs.drawn_images[row], f"({ranked[row]:.3f}) {requests[row]}") for row in rows.tolist()
        ]
        sheets.append(Sheet(f"{name} drawings {rule}", pictures))
    return sheets


def _ask_questions(view: Interview) -> Gathered:
    if not view.studies.questions:
        raise UserError("the dataset asks no questions; give one with questions, such as phantom:")
    return view.ask("answers")


def _audit_answers(view: Interview) -> list:
    gathered, seed = view.ask("answers"), view.settings.seed
    owners = [gathered.patients[place] for place in gathered.asked_of]
    pixels = view.pixels_of(gathered)
    shown = [pixels[place] for place in gathered.asked_of]
    asked = [question.question for question in gathered.questions]

    def rows_of_answers(metric: Metric, texts: Sequence[str]) -> np.ndarray:
        return metric.rows(replace(gathered, answers=texts).question_inputs())

    def answer(images: Sequence[np.ndarray]) -> list[str]:
        return [scored_answer(result.text) for result in view.system.answer(images, asked)]

    return audit(answer, rows_of_answers, [KindAccuracy()], shown, owners, seed=seed, texts=gathered.answers)


def _reliance(results: Sequence) -> dict:
    return {
        "looks_at_image": looks_at_image(results),
        "drops": [{"tampering": one.tampering, **asdict(one.comparison)} for one in results],
    }


def _support(inputs: Inputs) -> dict[str, int]:
    """Count the references that have each finding."""
    counts = (np.asarray(inputs.reference_labels) == LABEL_STATES[Label.PRESENT]).sum(0)
    return dict(zip(inputs.findings, counts.tolist(), strict=True))


def _by_finding(inputs: Inputs, seed: int) -> dict[str, dict]:
    """Return {finding: {support, kernel_distance framed or None, and what the judge sees of it}}.

    The kernel distance and not Fréchet's: few studies have a finding, and only it is unbiased for few.
    """
    framed = frame_by_finding(FeatureMetric("kernel distance", kernel_distance), inputs, seed)
    seen: dict[str, dict] = {}
    if inputs.drawn_probabilities is not None:
        seen = agreement_by_finding(inputs.reference_labels, inputs.drawn_probabilities, inputs.findings)
    return {
        finding: {
            "support": support,
            "kernel_distance": asdict(framed[finding]) if framed[finding] else None,
            **seen.get(finding, {}),
        }
        for finding, support in _support(inputs).items()
    }


def _warn_few(n: int, dimension: int) -> str:
    if n > dimension:
        return ""
    return (
        f"{n} studies are no more than the {dimension} feature dimensions: the Fréchet distance then says "
        "more of the number of images than of the images; hold it only against that between real images"
    )


def _log_likelihoods(inputs: Inputs) -> np.ndarray:
    """Return (N,), the mean of log p(as asked) over the findings that a request is definite about."""
    wanted, seen = np.moveaxis(wanted_and_seen(inputs.reference_labels, inputs.drawn_probabilities), -1, 0)
    seen = np.clip(seen, LEAST, 1 - LEAST)
    return np.nanmean(np.where(np.isnan(wanted), np.nan, np.log(np.where(wanted == 1, seen, 1 - seen))), 1)
