"""Put beside every value the same metric between real images, and with the requests shuffled.

A Fréchet distance of 4 says nothing until it is known that two halves of the real images are 3 apart, and
that drawings of other requests are 5 away. Knows no metric by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from llmcxr.labeler.states import LABEL_STATES
from llmcxr.metrics.metric import Inputs, Metric, Score, score
from llmcxr.metrics.significance import swap_patients
from llmcxr.records import Label

DRAWN = ("drawn_probabilities", "drawn_features", "drawn_images")  # the fields that come from a drawing


@dataclass(frozen=True)
class Framed:
    """Hold a score and what to compare it with; the `n` of each says how many studies it goes over."""

    score: Score
    # Real images in the place of drawings, the floor of a distance: two halves of the patients against each
    # other where the metric compares features, else the real images judged as if they were drawn. None where
    # `frame` was not given what they need.
    real: Score | None
    # The same halves, but with the second one's drawings: as many images as `real` has, of other patients.
    # Set metrics move with the number of images, so this and not `score` is to be compared with `real`.
    matched: Score | None
    # Every study with the drawing of another patient's request, the ceiling of a distance.
    shuffled: Score


def frame(
    metric: Metric, inputs: Inputs, real: Mapping[str, np.ndarray] | None = None, seed: int = 0
) -> Framed:
    """Score the drawings and their baselines.

    `real` holds what the real images give in the place of the drawings, by the names in DRAWN.

    Raises UserError where no other patient's drawing can be had, see `significance.swap_patients`.
    """
    return _frame(metric, inputs, shuffle_requests(inputs, seed), real or {}, seed)


def frame_by_finding(metric: Metric, inputs: Inputs, seed: int = 0) -> dict[str, Framed | None]:
    """Frame a metric that compares features over the studies that have each finding, `score.n` of them.

    The requests are shuffled among all studies first, so `shuffled` is what drawings of any request score
    against real images of the finding. None for a finding of fewer than two patients. Raises ValueError
    without reference_labels.
    """
    if inputs.reference_labels is None:
        raise ValueError("a breakdown by finding needs reference_labels")
    shuffled = shuffle_requests(inputs, seed)
    framed: dict[str, Framed | None] = dict.fromkeys(inputs.findings)
    for finding, labels in zip(inputs.findings, np.asarray(inputs.reference_labels).T, strict=True):
        rows = np.flatnonzero(labels == LABEL_STATES[Label.PRESENT])
        if len({inputs.patients[row] for row in rows}) > 1:
            framed[finding] = _frame(metric, select(inputs, rows), select(shuffled, rows), {}, seed)
    return framed


def shuffle_requests(inputs: Inputs, seed: int = 0) -> Inputs:
    """Give every study the drawing of another patient's request; all else stays."""
    order = swap_patients(inputs.patients, np.random.default_rng(seed))
    drawn = {name: getattr(inputs, name) for name in DRAWN}
    return replace(inputs, **{name: values[order] for name, values in drawn.items() if values is not None})


def select(inputs: Inputs, rows: np.ndarray) -> Inputs:
    """Keep those studies alone, in the order of `rows`."""
    chosen = {}
    for field in fields(Inputs):
        values = getattr(inputs, field.name)
        if field.name == "findings" or values is None:
            continue
        chosen[field.name] = values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]
    return replace(inputs, **chosen)


def split_patients(patients: Sequence[str], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Split the studies into halves of equal number that share no patient; returns the indices of each.

    Studies that do not fit into equal halves are left out. Raises ValueError for fewer than two patients.
    """
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"expected two patients or more to make two halves, found {len(names)}")
    sizes = np.bincount(owner)
    side, counts = np.zeros(len(names), int), [0, 0]
    for patient in np.random.default_rng(seed).permutation(len(names)):
        side[patient] = int(counts[1] < counts[0])
        counts[side[patient]] += sizes[patient]
    halves = [np.flatnonzero(side[owner] == half) for half in (0, 1)]
    return halves[0][: min(counts)], halves[1][: min(counts)]


def _frame(
    metric: Metric, inputs: Inputs, shuffled: Inputs, real: Mapping[str, np.ndarray], seed: int
) -> Framed:
    own, other = score(metric, inputs, seed), score(metric, shuffled, seed)
    if None not in (own.value, other.value) and np.isclose(own.value, other.value):
        note = "shuffling changes nothing: over all studies this metric does not see which was asked for"
        other = replace(other, note=note)
    if {"real_features", "drawn_features"} <= set(metric.inputs):
        first, second = split_patients(inputs.patients, seed)
        truth, drawings = inputs.real_features, inputs.drawn_features
        patients = [inputs.patients[row] for row in first]
        floor, matched = (
            score(metric, Inputs(patients, real_features=truth[first], drawn_features=other_half), seed)
            for other_half in (truth[second], drawings[second])
        )
        return Framed(own, floor, matched, other)
    needed = [name for name in metric.inputs if name in DRAWN]
    if needed and all(name in real for name in needed):
        return Framed(own, score(metric, replace(inputs, **real), seed), None, other)
    return Framed(own, None, None, other)
