"""Judge drawn radiographs against real ones: sets of features, findings asked for, and variety."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmcxr.metrics.metric import Metric


def image_metrics(findings: Sequence[str] = ()) -> list[Metric]:
    """List every metric of this package; `findings` adds AUROC and F1 of each by its name.

    `metric.score_all` leaves out those whose inputs are not there.
    """
    from llmcxr.metrics.images.agreement import agreement_metrics
    from llmcxr.metrics.images.alignment import RequestAuc, RequestRecall
    from llmcxr.metrics.images.coverage import coverage_metrics
    from llmcxr.metrics.images.diversity import Diversity
    from llmcxr.metrics.images.feature_metric import FeatureMetric
    from llmcxr.metrics.images.frechet import frechet_distance
    from llmcxr.metrics.images.kernel_distance import kernel_distance

    return [
        FeatureMetric("frechet distance", frechet_distance),
        FeatureMetric("kernel distance", kernel_distance),
        *coverage_metrics(),
        Diversity(),
        *agreement_metrics(findings),
        RequestAuc(),
        RequestRecall(),
    ]
