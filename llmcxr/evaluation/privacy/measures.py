"""Measure whether a model gives its training images back: nearest neighbours, exact copies and membership.

A drawing that is nearer to a training image than two radiographs of one patient are to each other is a copy
in all but name. Arrays in, one dict out: knows no model.

Sources: nearest neighbours against a real baseline as in Carlini et al. 2023 ("Extracting Training Data from
Diffusion Models"); membership by likelihood ratio and its true positives at 1% false positives as in Carlini
et al. 2022 ("Membership Inference Attacks From First Principles").

N drawings, M training images, H held-out real images; D features; "cells" are the h * w codes of an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.scores import auroc

FALSE_POSITIVES = 0.01  # at which the membership attack is quoted
BASELINE_QUANTILE = 0.05  # of the real distances: a drawing below it is suspiciously near
CHUNK = 1024
CLOSEST = 6  # pairs that are listed one by one
QUANTILES = {"minimum": 0.0, "p1": 0.01, "p5": 0.05, "median": 0.5}


@dataclass(frozen=True)
class ImageSet:
    """Hold one row per image; None where not known. Codes are (N, h, w) or (N, cells), features (N, D)."""

    codes: np.ndarray | None = None
    features: np.ndarray | None = None
    patients: Sequence[str] | None = None

    def __post_init__(self) -> None:
        sizes = {name: len(values) for name, values in vars(self).items() if values is not None}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"one row per image, got {sizes}")
        if self.features is not None and (broken := int((~np.isfinite(self.features).all(1)).sum())):
            raise ValueError(f"{broken} of {len(self.features)} images have NaN or infinite features")


@dataclass(frozen=True)
class Likelihoods:
    """Hold log-likelihoods of real images, nats: by the model, and by a reference that did not learn them.

    The reference (the model without its training on images, or another model) takes away what makes an image
    likely for everyone. Without it the likelihood alone is the score, which finds fewer members.
    """

    training: np.ndarray  # (M,)
    held_out: np.ndarray  # (H,)
    training_reference: np.ndarray | None = None
    held_out_reference: np.ndarray | None = None
    # for the interval; without them every image counts as a patient of its own
    training_patients: Sequence[str] | None = None
    held_out_patients: Sequence[str] | None = None


@dataclass(frozen=True)
class Nearest:
    """Hold each query's distance to its nearest neighbour and that one's row, (N,) each."""

    distance: np.ndarray
    row: np.ndarray


def privacy_card(drawn: ImageSet, training: ImageSet, held_out: ImageSet | None = None) -> dict:
    """Measure what these sets show of memorisation. Keys, where the sets have what they need:

    code_space      distances are shares of cells that differ, 0..1; see `_space` for the keys
    feature_space   distances are 1 - cosine, 0..2; likewise
    exact_copies    {copies, n, share, interval}: drawings all of whose codes are those of a training image

    Raises ValueError where neither codes nor features are given for both drawings and training images, or
    where there is neither a patient with two training images nor a held-out set to compare with.
    """
    card: dict = {}
    for key, name, find in (
        ("code_space", "codes", nearest_by_codes),
        ("feature_space", "features", nearest_by_features),
    ):
        queries, known = getattr(drawn, name), getattr(training, name)
        if queries is None or known is None:
            continue
        real = None if held_out is None else getattr(held_out, name)
        nearest = find(queries, known)
        card[key] = _space(nearest, baselines(known, training.patients, real, find))
        if name == "codes":
            card["exact_copies"] = _rate(nearest.distance == 0, "copies")
    if not card:
        raise ValueError("a privacy card needs codes or features of both drawings and training images")
    return card


def nearest_by_codes(queries: np.ndarray, training: np.ndarray) -> Nearest:
    """Find neighbours by Hamming distance, the share of cells whose codes differ.

    Codes are (N, ...) and (M, ...) of one grid. `training` may be memory-mapped: it is read once, in blocks.
    """
    queries, training = np.asarray(queries), np.asanyarray(training)
    if queries.shape[1:] != training.shape[1:]:
        raise ValueError(f"codes of grids {queries.shape[1:]} and {training.shape[1:]} do not compare")
    dtype = np.promote_types(queries.dtype, training.dtype)
    cells = math.prod(training.shape[1:])
    queries = queries.reshape(len(queries), cells).astype(dtype)
    narrow = np.min_scalar_type(cells)

    def distances(block: np.ndarray) -> np.ndarray:
        known = block.reshape(len(block), cells).astype(dtype)
        # the narrow sum is three times as fast as count_nonzero
        return np.stack([(known != query).sum(1, dtype=narrow) for query in queries]) / cells

    return _nearest(len(queries), training, distances)


def nearest_by_features(queries: np.ndarray, training: np.ndarray) -> Nearest:
    """Find neighbours by 1 - cosine of features (N, D) and (M, D). All-zero features are at 1 from all."""
    queries = _normalised(queries)

    def distances(block: np.ndarray) -> np.ndarray:
        return np.maximum(1 - queries @ _normalised(block).T, 0)

    return _nearest(len(queries), training, distances)


def baselines(
    training: np.ndarray,
    patients: Sequence[str] | None,
    held_out: np.ndarray | None,
    find: Callable[[np.ndarray, np.ndarray], Nearest],
) -> dict[str, np.ndarray]:
    """Distances between real images, by name: "same patient", from every training image to the nearest other
    one of its patient (of those patients that have two), and "held out", from every held-out image to the
    nearest training image. Raises ValueError where neither can be had.
    """
    found = {}
    same = np.empty(0) if patients is None else _within_patients(training, patients, find)
    if len(same):
        found["same patient"] = same
    if held_out is not None and len(held_out):
        found["held out"] = find(held_out, training).distance
    if not found:
        raise ValueError("expected a patient with two training images, or held-out images; found neither")
    return found


def membership(likelihoods: Likelihoods, seed: int = 0) -> dict:
    """Measure how well the likelihood ratio tells training images from held-out ones.

    {auc, auc_interval (95%, over patients), tpr_at_1_percent_fpr, n_training, n_held_out, has_reference,
    note}. An AUC of 0.5 is chance, and TPR 0.01. The TPR is None below 100 held-out images, of which 1% is
    less than one. Raises ValueError for NaN.
    """
    member = _ratio("training", likelihoods.training, likelihoods.training_reference)
    other = _ratio("held-out", likelihoods.held_out, likelihoods.held_out_reference)
    if (likelihoods.training_reference is None) != (likelihoods.held_out_reference is None):
        raise ValueError("the reference is given for one of training and held-out images alone")
    scores = np.concatenate([member, other])
    is_member = np.repeat([1.0, 0.0], [len(member), len(other)])
    patients = _names("training", likelihoods.training_patients, len(member))
    patients += _names("held out", likelihoods.held_out_patients, len(other))
    is_resolved = len(other) * FALSE_POSITIVES >= 1
    return {
        "auc": auroc(is_member, scores),
        "auc_interval": bootstrap(lambda rows: auroc(is_member[rows], scores[rows]), patients, seed=seed),
        "tpr_at_1_percent_fpr": _true_positives(member, other) if is_resolved and len(member) else None,
        "n_training": len(member),
        "n_held_out": len(other),
        "has_reference": likelihoods.training_reference is not None,
        "note": "" if is_resolved else f"1% of {len(other)} held-out images is less than one",
    }


def _space(nearest: Nearest, real: dict[str, np.ndarray]) -> dict:
    """Return {nearest: quantiles over drawings, closest: the CLOSEST nearest {drawing, training, distance},
    baselines: name -> quantiles and the share of drawings nearer than the 5% nearest of the real distances
    and than their median, n each}.
    """

    def compare(distances: np.ndarray) -> dict:
        low, middle = np.quantile(distances, [BASELINE_QUANTILE, 0.5])
        return {
            **_quantiles(distances),
            "drawings_below_p5": _rate(nearest.distance < low, "drawings"),
            "drawings_below_median": _rate(nearest.distance < middle, "drawings"),
        }

    closest = np.argsort(nearest.distance, kind="stable")[:CLOSEST]
    return {
        "nearest": _quantiles(nearest.distance),
        "closest": [
            {"drawing": int(row), "training": int(nearest.row[row]), "distance": float(nearest.distance[row])}
            for row in closest
        ],
        "baselines": {name: compare(distances) for name, distances in real.items()},
    }


def _nearest(n: int, training: np.ndarray, distances: Callable[[np.ndarray], np.ndarray]) -> Nearest:
    """Take the minimum over blocks of the training set; `distances(block)` is (n, block).

    Raises ValueError for an empty set.
    """
    if not n or not len(training):
        raise ValueError(f"expected images on both sides, got {n} and {len(training)}")
    best, row = np.full(n, np.inf), np.zeros(n, np.int64)
    for start in range(0, len(training), CHUNK):
        block = distances(training[start : start + CHUNK])
        place = block.argmin(1)
        found = np.take_along_axis(block, place[:, None], axis=1)[:, 0]
        is_nearer = found < best
        best[is_nearer], row[is_nearer] = found[is_nearer], start + place[is_nearer]
    return Nearest(best, row)


def _within_patients(
    values: np.ndarray, patients: Sequence[str], find: Callable[[np.ndarray, np.ndarray], Nearest]
) -> np.ndarray:
    """Return each image's distance to the nearest other one of its patient, where there is one."""
    _, owner = np.unique(np.asarray(patients), return_inverse=True)
    order = np.argsort(owner, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(owner[order])) + 1)
    distances = [
        find(values[[row]], values[group[group != row]]).distance
        for group in groups
        if len(group) > 1
        for row in group
    ]
    return np.concatenate(distances) if distances else np.empty(0)


def _normalised(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths == 0, 1, lengths)


def _quantiles(distances: np.ndarray) -> dict:
    values = np.quantile(distances, list(QUANTILES.values())).tolist()
    return {"n": len(distances), **dict(zip(QUANTILES, values, strict=True))}


def _rate(hits: np.ndarray, name: str) -> dict:
    """Return how many of how many, with the 95% interval of Wilson (1927), which is honest at 0 of n."""
    count, n = int(hits.sum()), len(hits)
    z = NormalDist().inv_cdf(0.975)
    share = count / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    spread = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    interval = (max(float(centre - spread), 0.0), min(float(centre + spread), 1.0))
    return {name: count, "n": n, "share": share, "interval": interval}


def _ratio(name: str, model: np.ndarray, reference: np.ndarray | None) -> np.ndarray:
    ratio = np.asarray(model, np.float64)
    if reference is not None:
        if len(reference) != len(ratio):
            raise ValueError(f"{len(ratio)} {name} likelihoods but {len(reference)} of the reference")
        ratio = ratio - np.asarray(reference, np.float64)
    if broken := int((~np.isfinite(ratio)).sum()):
        raise ValueError(f"{broken} of {len(ratio)} {name} likelihoods are NaN or infinite")
    return ratio


def _true_positives(member: np.ndarray, other: np.ndarray) -> float:
    """Return the share of members above the lowest threshold that at most 1% of the others exceed."""
    allowed = int(len(other) * FALSE_POSITIVES)
    threshold = np.sort(other)[len(other) - 1 - allowed]
    return float((member > threshold).mean())


def _names(prefix: str, patients: Sequence[str] | None, n: int) -> list[str]:
    if patients is None:
        return [f"{prefix} {row}" for row in range(n)]
    if len(patients) != n:
        raise ValueError(f"{len(patients)} {prefix} patients for {n} images")
    return list(patients)
