"""Points lie on the masks of the parts that they belong to, and parts of parts make up the whole."""

import numpy as np
import pytest

from llmcxr.data.phantom import indices, masks, points, salience, sample_case
from llmcxr.data.phantom.case import FINDINGS
from llmcxr.data.phantom.truth import finding_map
from tests.llmcxr.data.phantom.cases import PLAIN, smallest

SIZE = 256
SIDES = ("right", "left")
ON = {  # on the axis or the edge of a part, with edges in the mask
    "carina": "trachea",
    "trachea top": "trachea",
    "spine top": "spine",
    "spine bottom": "spine",
} | {
    f"{side} {point}": part.format(side=side)
    for side in SIDES
    for point, part in {
        "diaphragm dome": "{side} diaphragm",
        "costophrenic angle": "{side} diaphragm",
        "clavicle medial end": "clavicles",
        "clavicle lateral end": "clavicles",
        "scapula medial border": "scapulae",
        "scapula lateral border": "scapulae",
        "posterior rib 4": "ribs",
        "posterior rib 6": "ribs",
        "posterior rib 8": "ribs",
    }.items()
}
EDGES = {  # left and right borders of a part: inside it on one side, outside on the other
    "aortic knob": ("mediastinum", 1),
    "mediastinum left edge": ("mediastinum", 1),
    "mediastinum right edge": ("mediastinum", -1),
    "descending aorta edge": ("descending aorta", 1),
    "heart left edge": ("heart", 1),
    "heart right edge": ("heart", -1),
}
REACH = 3  # px at 256


@pytest.mark.parametrize("variation", [0.2, 1.0])
@pytest.mark.parametrize("index", range(10))
def test_points_lie_on_the_masks_of_their_parts(index, variation):
    case = sample_case(5, index, variation)
    where, parts = points(case), masks(case, SIZE)
    for name, part in ON.items():
        row, column = (int(share * SIZE) for share in where[name])
        if 0 <= row < SIZE and 0 <= column < SIZE:
            around = parts[part][max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            assert around.any(), (name, part)
    for name, (part, sign) in EDGES.items():
        row, column = (int(share * SIZE) for share in where[name])
        assert parts[part][row, column - sign * REACH], name
        assert not parts[part][row, column + sign * REACH], name


@pytest.mark.parametrize("index", range(4))
def test_the_aorta_is_its_arch_and_what_descends(index):
    parts = masks(sample_case(5, index, 1.0), 128)
    arch, descending = parts["aortic arch"], parts["descending aorta"]
    np.testing.assert_array_equal(arch | descending, parts["aorta"])
    assert np.nonzero(arch)[0].max() < np.nonzero(descending)[0].min()


@pytest.mark.parametrize("index", range(4))
def test_the_lungs_end_in_the_diaphragms(index):
    """In the columns without heart lowest pixel of the lung is in the band."""
    parts = masks(sample_case(5, index, 1.0), SIZE)
    for side in SIDES:
        lung, band = parts[f"{side} lung"], parts[f"{side} diaphragm"]
        assert not (band & parts[f"{SIDES[side == 'right']} diaphragm"]).any()
        columns = np.flatnonzero(lung.any(axis=0) & ~parts["heart"].any(axis=0))[5:-5]
        lowest = [np.flatnonzero(lung[:, column]).max() for column in columns]
        assert np.mean(band[lowest, columns]) > 0.8


def test_ribs_are_numbered_from_above():
    where = points(sample_case(5, 0))
    for side in SIDES:
        rows = [where[f"{side} posterior rib {number}"][0] for number in (4, 6, 8)]
        assert rows == sorted(rows) and rows[0] > where[f"{side} clavicle medial end"][0]


@pytest.mark.parametrize("index", range(10))
def test_a_finding_map_is_the_masks_seen_by_cell(index):
    case = sample_case(5, index)
    cells, parts = dict(zip(FINDINGS, finding_map(case, (16, 8)), strict=True)), masks(case, 64)
    heart = parts["heart"].reshape(16, 4, 8, 8).mean((1, 3))
    np.testing.assert_allclose(cells.pop("cardiomegaly"), heart, atol=0.15)
    for name, cover in cells.items():
        assert cover.min() >= 0 and cover.max() <= 1
        is_touched = parts.get(name, np.zeros((64, 64), bool)).reshape(16, 4, 8, 8).any((1, 3))
        np.testing.assert_array_equal(cover > 0.5, is_touched)


def test_a_finding_map_is_of_any_grid():
    for grid in ((8, 8), (5, 7), (32, 32), (3, 100)):
        assert finding_map(sample_case(5, 0), grid).shape == (len(FINDINGS), *grid)


@pytest.mark.parametrize("index", range(12))
def test_the_ratio_is_that_of_the_masks(index):
    """Widest heart by widest inner thorax; each border is within a pixel of the true one, so 2 px in all."""
    case, size = sample_case(9, index), 512
    parts = masks(case, size)
    heart = np.flatnonzero(parts["heart"].any(axis=0))
    thorax = np.flatnonzero((parts["left lung"] | parts["right lung"]).any(axis=0))
    width = np.ptp(thorax) + 1
    assert np.ptp(heart) + 1 == pytest.approx(case.cardiothoracic_ratio * width, abs=2)
    assert indices(case)["cardiothoracic_ratio"] == pytest.approx(case.cardiothoracic_ratio, abs=1e-6)


def test_points_lie_on_their_parts():
    case, size = sample_case(1, 3), 256
    where, parts = points(case), masks(case, size)
    heart, thorax = np.flatnonzero(parts["heart"].any(axis=0)), np.flatnonzero(parts["left lung"].any(axis=0))
    assert where["heart right edge"][1] * size == pytest.approx(heart[0], abs=1.5)
    assert where["heart left edge"][1] * size == pytest.approx(heart[-1] + 1, abs=1.5)
    assert where["thorax left edge"][1] * size == pytest.approx(thorax[-1] + 1, abs=1.5)
    row, column = (int(share * size) for share in where["carina"])
    assert parts["trachea"][row - 3, column]
    assert where["right hilum"][1] < where["carina"][1] < where["left hilum"][1]


def test_small_findings_are_salient_and_large_ones_are_not():
    assert salience(PLAIN, 64).max() == 0
    assert salience(smallest("pleural effusion"), 64).max() == 0
    nodule = smallest("nodule")
    assert (salience(nodule, 128)[masks(nodule, 128)["nodule"]] > 0.9).all()
