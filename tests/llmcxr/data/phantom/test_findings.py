"""Findings show where they should, and as large as they should."""

from dataclasses import replace

import numpy as np
import pytest

from llmcxr.data.phantom import indices, masks, points, render
from llmcxr.data.phantom.case import FINDINGS
from llmcxr.data.phantom.findings import DRAW
from tests.llmcxr.data.phantom.cases import PLAIN, smallest, with_finding

SIDED = ("pleural effusion", "pneumothorax", "consolidation", "nodule", "atelectasis", "pacemaker")


@pytest.mark.parametrize("name", DRAW)
def test_the_smallest_finding_shows_in_its_mask(name):
    """At 128 px, against noise of 0.006: the finding's own pixels change by at least 0.05 on average."""
    for index in range(8):
        case = smallest(name, index)
        changed = np.abs(render([case], 128)[0] - render([replace(case, findings=())], 128)[0])
        mask = masks(case, 128)[name]
        assert mask.sum() >= 10
        assert changed[mask].mean() > 0.05


@pytest.mark.parametrize("name", SIDED)
@pytest.mark.parametrize("side", ["left", "right"])
def test_findings_are_on_the_patients_side(name, side):
    """The patient's right is image left: left of the carina."""
    case = smallest(name, side=side)
    _, columns = np.nonzero(masks(case, 128)[name])
    middle = points(case)["carina"][1] * 128
    assert (np.median(columns) > middle) == (side == "left")


@pytest.mark.parametrize("name", ["consolidation", "nodule", "atelectasis"])
def test_zones_follow_one_another(name):
    rows = [
        np.nonzero(masks(with_finding(name, "left", zone), 128)[name])[0].mean()
        for zone in ("upper", "mid", "lower")
    ]
    assert rows[0] + 10 < rows[1] < rows[2] - 10


@pytest.mark.parametrize(
    "name", [name for name in FINDINGS if name not in ("cardiomegaly", "mediastinal widening")]
)
def test_a_larger_extent_covers_more(name):
    small = smallest(name)
    large = replace(small, findings=(replace(small.findings[0], extent=1.0),))
    small_area, large_area = (masks(case, 128)[name].sum() for case in (small, large))
    if name in ("pacemaker", "central line", "endotracheal tube"):
        assert small_area == large_area
    else:
        assert large_area > 1.3 * small_area


def test_a_widened_mediastinum_is_wider():
    wide = with_finding("mediastinal widening")
    assert indices(wide)["mediastinal_width"] > indices(PLAIN)["mediastinal_width"] + 0.08
