"""Compute BLEU of a set of reports (Papineni et al. 2002) from the counts of all, not as a mean over reports.

One reference for each report, no smoothing: the COCO tools' BLEU, and sacrebleu's with smooth_method="none"
(which says percent, we say 0 to 1). nltk's corpus_bleu is the same but for reports shorter than the order: it
counts one n-gram for a report that has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmcxr.metrics.metric import Inputs
from llmcxr.metrics.reports.tokens import count_ngrams, tokenize


@dataclass(frozen=True)
class Bleu:
    """Multiply the geometric mean of the n-gram precisions of 1 to `order` by the brevity penalty.

    0 where some order has no match at all; an empty report adds nothing but the length of its reference.
    Where every report has just the words of its reference, orders longer than all reports are left out, so
    that short reports equal to their references score 1.
    """

    order: int
    inputs: tuple[str, ...] = ("references", "candidates")
    resamples: int = 500

    @property
    def name(self) -> str:
        return f"BLEU-{self.order}"

    def rows(self, inputs: Inputs) -> np.ndarray:
        """Return (N, 2 * order + 2): matches and n-grams of each order, length, reference length."""
        pairs = zip(inputs.references, inputs.candidates, strict=True)
        rows = [self._count(tokenize(reference), tokenize(candidate)) for reference, candidate in pairs]
        return np.array(rows, np.int64).reshape(len(inputs.patients), 2 * self.order + 2)

    def _count(self, reference: list[str], candidate: list[str]) -> list[int]:
        matches, totals = [], []
        for order in range(1, self.order + 1):
            written = count_ngrams(candidate, order)
            # & keeps the smaller count: an n-gram is matched as often as the reference has it
            matches.append((written & count_ngrams(reference, order)).total())
            totals.append(written.total())
        return [*matches, *totals, len(candidate), len(reference)]

    def value(self, rows: np.ndarray) -> float | None:
        if not len(rows):
            return None
        counts = rows.sum(axis=0)
        matches, totals = counts[: self.order], counts[self.order : -2]
        length, reference_length = counts[-2:]
        if matches[0] == length == reference_length:
            matches, totals = matches[totals > 0], totals[totals > 0]
        if not len(matches) or not matches.all():
            return 0.0
        brevity_penalty = min(1.0, np.exp(1 - reference_length / length))
        return float(brevity_penalty * np.exp(np.log(matches / totals).mean()))
