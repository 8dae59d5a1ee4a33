"""Measure how fast reports are labeled with CheXpert's findings: reports per second on one core.

    OMP_NUM_THREADS=1 python -m benchmarks.labeler [openi:DIR]

Without a dataset the reports are the phantom's, whose few sentences come back often; sentences that were read
before cost almost nothing, so real reports are the measure.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from llmcxr.data import open_dataset
from llmcxr.labeler.chexpert import label_chexpert
from llmcxr.labeler.rules import clear_cache
from llmcxr.records import Report
from llmcxr.reports import join_sections

NUM_REPORTS, NUM_REPEATS = 4000, 3


def measure_speed(reports: list[Report]) -> float:
    """Return reports per second of processor time, no sentence known, the best of some repeats."""
    label_chexpert(reports[0])
    seconds = []
    for _ in range(NUM_REPEATS):
        clear_cache()
        start = time.process_time()
        for report in reports:
            label_chexpert(report)
        seconds.append(time.process_time() - start)
    return len(reports) / min(seconds)


if __name__ == "__main__":
    dataset = open_dataset(sys.argv[1] if len(sys.argv) > 1 else f"phantom:n={NUM_REPORTS}")
    rng = np.random.default_rng(0)
    reports = [dataset.texts(index, rng).report for index in range(min(len(dataset), NUM_REPORTS))]
    words = np.mean([len(join_sections(report).split()) for report in reports])
    print(f"{len(reports)} reports of {words:.0f} words: {measure_speed(reports):.0f} reports/s")
