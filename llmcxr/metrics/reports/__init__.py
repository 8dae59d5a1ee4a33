"""Judge written reports against true ones: shared words and shared findings under two named conventions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmcxr.metrics.metric import Metric


def report_metrics(findings: Sequence[str] = ()) -> tuple[Metric, ...]:
    """List every metric of this package without weights; `findings`, those of Inputs, adds label metrics.

    `metric.score_all` leaves out those whose inputs are not there.
    """
    from llmcxr.metrics.reports.bleu import Bleu
    from llmcxr.metrics.reports.cider import CIDER_D
    from llmcxr.metrics.reports.label_f1 import label_metrics
    from llmcxr.metrics.reports.meteor import METEOR
    from llmcxr.metrics.reports.rouge import ROUGE_L

    words = (*(Bleu(order) for order in (1, 2, 3, 4)), ROUGE_L, METEOR, CIDER_D)
    return (*words, *label_metrics(findings)) if findings else words
