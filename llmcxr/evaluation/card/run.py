"""Evaluate a system on a dataset: every part that its inputs allow, in one JSON shape.

A part is a dict made in `parts.py`; a part that a system cannot do is {"left_out": why}.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import llmcxr
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset
from llmcxr.evaluation.card.page import card_blocks
from llmcxr.evaluation.card.parts import PARTS
from llmcxr.evaluation.card.session import CardSettings, Interview
from llmcxr.evaluation.leakage import check_training
from llmcxr.evaluation.left_out import list_unread
from llmcxr.metrics.metric import Metric
from llmcxr.model.classifier import Classifier
from llmcxr.outputs.notices import DISCLAIMER
from llmcxr.pages.result import Result
from llmcxr.systems import System
from llmcxr.systems.kept import KeptPredictions


def evaluate_card(
    system: System,
    dataset: Dataset,
    settings: CardSettings | None = None,
    parts: Sequence[str] = tuple(PARTS),
    *,
    judge: Classifier | None = None,
    metrics: Sequence[Metric] = (),
    kept: Mapping[int, KeptPredictions] | None = None,
    announce: Callable[[str], None] = lambda part: None,
) -> Result:
    """Run the `parts` of the card on the first `settings.n` studies.

    `judge` is an independent classifier of the phantom's findings; without it drawings are not judged by what
    they show, which is right for radiographs that it does not know. `metrics` score reports besides ours.
    `kept` takes the reports and answers of each of the settings' seeds as they come. The figures are the best
    and worst drawings. Raises UserError for an unknown part, for studies that training saw, and where no part
    could be done.
    """
    settings = settings or CardSettings()
    if unknown := set(parts) - set(PARTS):
        raise UserError(f"expected parts of {', '.join(PARTS)}, found {', '.join(sorted(unknown))}")
    if not 1 <= settings.n <= len(dataset):
        raise UserError(f"expected 1 to {len(dataset)} studies, as the dataset has, found n={settings.n}")
    provenance = system.provenance
    checked = check_training(dataset, provenance, settings.n, settings.training)
    view = Interview(system, dataset, settings, judge, metrics, kept or {})
    card: dict = {
        "notice": DISCLAIMER,
        "llmcxr_version": llmcxr.__version__,
        **asdict(settings),
        "has_judge": judge is not None,
        "other_metrics": [metric.name for metric in metrics],
        "provenance": dict(provenance),
        "training_check": checked,
        "parts": {},
        "seconds": {},
    }
    for part in parts:
        announce(part)
        started = time.perf_counter()
        try:
            card["parts"][part] = PARTS[part](view)
        except UserError as error:
            card["parts"][part] = {"left_out": str(error)}
        card["seconds"][part] = round(time.perf_counter() - started, 1)
    unread = view.radiographs.unread if "radiographs" in vars(view) else {}
    card["unread_images"] = list_unread(unread)
    if all("left_out" in part for part in card["parts"].values()):
        reasons = [f"{name}: {part['left_out']}" for name, part in card["parts"].items()]
        raise UserError(reasons[0].partition(": ")[2] if len(reasons) == 1 else "; ".join(reasons))
    return Result(card, card_blocks(card), view.album)
