"""Score the labeler of CheXpert's findings against tags that people gave to the same reports (Open-i).

A tag says that a finding is present, so only what the labeler calls PRESENT is a claim: an uncertain finding
is none, and a finding without a tag is absent. `micro_f1_with_uncertain` counts uncertain ones as claims, to
show what that choice weighs. A finding whose tag is uncertain is left out for that study.

The wordings were written with the errors of even-numbered patients in view; the odd-numbered ones are held
out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS, label_chexpert
from llmcxr.labeler.openi_tags import to_chexpert
from llmcxr.labeler.rules import clear_cache
from llmcxr.labeler.states import LABEL_STATES, to_states
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.scores import detection, macro
from llmcxr.pages.document import Block, Paragraph, Table
from llmcxr.pages.result import Result
from llmcxr.pages.tables import interval, number
from llmcxr.records import Label, Report

PRESENT, UNCERTAIN, ABSENT = (LABEL_STATES[state] for state in (Label.PRESENT, Label.UNCERTAIN, Label.ABSENT))


def score_labeler(dataset: Any, resamples: int = 200, seed: int = 0) -> Result:
    """Score the labeler over the studies of an Open-i dataset that have both a report and tags.

    `findings` has F1, precision, recall, support, their F1's 95% interval over patients (`resamples` of the
    bootstrap, None for 0) and the errors: what was missed, by the labeler's state instead, and what was
    claimed without a tag. The rest are single numbers; speed is of one core's processor time, no sentence
    known beforehand.
    """
    studies = [dataset[index] for index in range(len(dataset))]
    judged = [study for study in studies if study.report and study.labels]
    tags = [to_chexpert(study.labels) for study in judged]
    if not any(Label.PRESENT in states.values() for states in tags):
        raise UserError(f"{len(studies)} studies: expected Open-i's tags, found none; name openi:DIR")
    labels, speed = _label_timed([study.report for study in judged])
    truth, labelled = to_states(tags, CHEXPERT_FINDINGS), to_states(labels, CHEXPERT_FINDINGS)
    patients = [study.patient_id for study in judged]
    held_out = np.array([is_held_out(patient) for patient in patients])
    findings = {
        name: _score_finding(truth[:, column], labelled[:, column], patients, resamples, seed)
        for column, name in enumerate(CHEXPERT_FINDINGS)
    }

    def resampled(rows: np.ndarray) -> float | None:
        return micro_f1(truth[rows], labelled[rows])

    with_uncertain = np.where(labelled == UNCERTAIN, PRESENT, labelled)
    others = [column for column, name in enumerate(CHEXPERT_FINDINGS) if name != "No Finding"]
    scores = {
        "n": len(judged),
        "left_out": len(studies) - len(judged),
        "micro_f1": micro_f1(truth, labelled),
        "micro_f1_interval": bootstrap(resampled, patients, resamples, seed=seed) if resamples else None,
        "macro_f1": macro({name: score["f1"] for name, score in findings.items()}),
        "micro_f1_without_no_finding": micro_f1(truth[:, others], labelled[:, others]),
        "micro_f1_with_uncertain": micro_f1(truth, with_uncertain),
        "tuned_micro_f1": micro_f1(truth[~held_out], labelled[~held_out]),
        "held_out_micro_f1": micro_f1(truth[held_out], labelled[held_out]),
        "held_out_micro_f1_without_no_finding": micro_f1(
            truth[held_out][:, others], labelled[held_out][:, others]
        ),
        "reports_per_second": speed,
        "findings": findings,
    }
    return Result(scores, labeler_blocks(scores))


def labeler_blocks(result: dict) -> list[Block]:
    rows = [
        [
            name,
            number(one["f1"]) + interval(one["f1_interval"]),
            number(one["precision"]),
            number(one["recall"]),
            str(one["support"]),
        ]
        for name, one in result["findings"].items()
    ]
    overall = number(result["micro_f1"]) + interval(result["micro_f1_interval"])
    rows += [["**micro**", overall, "", "", ""], ["**macro**", number(result["macro_f1"]), "", "", ""]]
    sentence = (
        f"{result['n']} reports with tags, {result['left_out']} left out. Micro F1 on the held-out half"
        f" {number(result['held_out_micro_f1'])}; {result['reports_per_second']:.0f} reports a second"
        " on one core."
    )
    return [Table(["labeler", "F1 (95%)", "precision", "recall", "n"], rows), Paragraph(sentence)]


def is_held_out(patient_id: str) -> bool:
    """Tell whether a patient's number is odd; an id without a number is not held out."""
    digits = re.findall(r"\d", patient_id)
    return bool(digits) and int(digits[-1]) % 2 == 1


def micro_f1(truth: np.ndarray, labelled: np.ndarray) -> float | None:
    """Pool all studies and findings, label states (N, F), into one F1; uncertain truth is left out."""
    certain = truth != UNCERTAIN
    return detection(truth[certain] == PRESENT, labelled[certain] == PRESENT)["f1"]


def _label_timed(reports: Sequence[Report]) -> tuple[list[Mapping[str, Label]], float]:
    """Return the labels, and reports per second of processor time, without compiling the patterns once."""
    label_chexpert("No effusion.")
    clear_cache()
    start = time.process_time()
    labels = [label_chexpert(report) for report in reports]
    return labels, len(reports) / max(time.process_time() - start, 1e-9)


def _score_finding(
    truth: np.ndarray, labelled: np.ndarray, patients: Sequence[str], resamples: int, seed: int
) -> dict:
    certain = np.flatnonzero(truth != UNCERTAIN)
    owners = [patients[row] for row in certain]
    true, claimed = truth[certain] == PRESENT, labelled[certain] == PRESENT
    interval = None
    if resamples:
        interval = bootstrap(
            lambda rows: detection(true[rows], claimed[rows])["f1"], owners, resamples, seed=seed
        )
    missed = labelled[certain][true & ~claimed]
    errors = {
        "missed_not_mentioned": int((missed == LABEL_STATES[Label.NOT_MENTIONED]).sum()),
        "missed_as_uncertain": int((missed == UNCERTAIN).sum()),
        "missed_as_absent": int((missed == ABSENT).sum()),
        "claimed_without_tag": int((claimed & ~true).sum()),
    }
    return {**detection(true, claimed), "f1_interval": interval, "errors": errors}
