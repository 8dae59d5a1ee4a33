"""Measure whether a drawing fits its own request better than another patient's, without a text encoder.

The classifier's probabilities p of a drawing give every request y a log-likelihood,

    sum over findings  y log p + (1 - y) log(1 - p),

and a drawing is aligned where its own request is likelier than those of other patients. Two requests are
compared over the findings that both state for certain. A drawing that ignores its request has no way to
prefer it: chance is 0.5 for `RequestAuc` and 1 / `batch` for `RequestRecall`. Requests of equal labels tie
and share the point, so that both stay below 1 where many requests are alike; real images give the ceiling
that is there to reach (`baselines.frame`).

N studies, F findings; R requests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmcxr.metrics.images.agreement import wanted_and_seen
from llmcxr.metrics.metric import Inputs

LEAST = 1e-6  # probabilities are kept this far from 0 and 1: one finding may not decide alone
TIE = 1e-9  # of log-likelihoods: nearer is rounding
CHUNK = 1024


class _RequestMetric:
    inputs = ("reference_labels", "drawn_probabilities")
    resamples = 500

    def value(self, rows: np.ndarray) -> float | None:
        """Average over the studies that have a request of another patient to compare with."""
        return None if np.isnan(rows).all() else float(np.nanmean(rows))


@dataclass(frozen=True)
class RequestAuc(_RequestMetric):
    """Estimate how often a drawing's own request is likelier than a random one of another patient."""

    name: str = "request auc"

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N,): the share of other patients' requests that are less likely, ties half; NaN if none."""
        ratios = LikelihoodRatios(inputs)
        _, owner = np.unique(np.asarray(inputs.patients), return_inverse=True)
        everyone = np.arange(len(owner))
        shares = []
        for start in range(0, len(owner), CHUNK):
            drawings = everyone[start : start + CHUNK]
            ratio = ratios.against(drawings, everyone)  # (drawings, N)
            points = np.where(np.abs(ratio) < TIE, 0.5, ratio > 0)
            is_other = owner[drawings, None] != owner  # (drawings, N)
            with np.errstate(invalid="ignore"):
                shares.append((points * is_other).sum(1) / is_other.sum(1))
        return np.concatenate(shares)


@dataclass(frozen=True)
class RequestRecall(_RequestMetric):
    """Count how often (R@1) a drawing's own request is the likeliest of `batch`, the rest other patients'."""

    batch: int = 32
    seed: int = 0

    @property
    def name(self) -> str:
        return f"request recall at 1 of {self.batch}"

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N,): 1 if the own request wins, 1 / t if t tie for the first place, else 0.

        NaN where fewer than batch - 1 requests are of other patients.
        """
        ratios = LikelihoodRatios(inputs)
        _, owner = np.unique(np.asarray(inputs.patients), return_inverse=True)
        rng = np.random.default_rng(self.seed)
        points = np.full(len(owner), np.nan)
        for study in range(len(owner)):
            others = np.flatnonzero(owner != owner[study])
            if len(others) >= self.batch - 1:
                chosen = rng.choice(others, self.batch - 1, replace=False)
                ratio = ratios.against(np.array([study]), chosen)[0]  # (batch - 1,)
                ties = int((np.abs(ratio) < TIE).sum())
                points[study] = 0.0 if (ratio <= -TIE).any() else 1 / (1 + ties)
        return points


class LikelihoodRatios:
    """Compute by how much each drawing's own request is likelier than another, in nats."""

    def __init__(self, inputs: Inputs) -> None:
        both = wanted_and_seen(inputs.reference_labels, inputs.drawn_probabilities)  # (N, F, 2)
        wanted, seen = np.moveaxis(both, -1, 0)  # (N, F) each
        seen = np.clip(seen, LEAST, 1 - LEAST)
        self.evidence = np.log(seen) - np.log1p(-seen)  # log-odds (N, F)
        self.is_known = (~np.isnan(wanted)).astype(np.float64)
        self.wanted = np.nan_to_num(wanted)

    def against(self, drawings: np.ndarray, requests: np.ndarray) -> np.ndarray:
        """Return log p(own request | drawing) - log p(other request | drawing), (drawings, requests).

        It is the sum over findings of (own y - other y) times the log-odds: what they share cancels.
        """
        evidence = self.evidence[drawings]  # (drawings, F)
        own = (evidence * self.wanted[drawings]) @ self.is_known[requests].T
        return own - (evidence * self.is_known[drawings]) @ self.wanted[requests].T
