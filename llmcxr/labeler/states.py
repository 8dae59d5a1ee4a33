"""Write the finding labels of many studies as one array of numbers. Knows no text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from llmcxr.records import Label

# CheXpert's own numbers (Irvin et al. 2019: 1, 0, -1); what its tables leave blank needs a number here.
LABEL_STATES = {Label.PRESENT: 1, Label.ABSENT: 0, Label.UNCERTAIN: -1, Label.NOT_MENTIONED: -2}


def to_states(labels: Sequence[Mapping[str, Label]], findings: Sequence[str]) -> np.ndarray:
    """Return (N, findings) int8 of LABEL_STATES; what a study does not list is NOT_MENTIONED."""
    blank = Label.NOT_MENTIONED
    rows = [[LABEL_STATES[study.get(finding, blank)] for finding in findings] for study in labels]
    return np.array(rows, np.int8).reshape(len(labels), len(findings))
