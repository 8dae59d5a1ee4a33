"""Compute the truth of a phantom's picture: masks, landmarks, measurements, places of small findings."""

from __future__ import annotations

import math

import numpy as np

from llmcxr.data.phantom.anatomy import THORAX_CM, Anatomy, build_anatomy
from llmcxr.data.phantom.case import FINDINGS, PhantomCase
from llmcxr.data.phantom.findings import build_layers
from llmcxr.data.phantom.parts import (
    Chest,
    aorta_edge,
    arch_end_t,
    carina,
    clavicle,
    diaphragm_height,
    hilum,
    posterior_rib,
    scapula_borders,
    trachea_centre,
)
from llmcxr.data.phantom.projection import build_chest

RIBS = (4, 6, 8)  # whose crossings with the mid-clavicular line are points
MAP_PIXELS = 64  # side of the picture, at least, that a finding map is measured on
SCAPULA_V = 0.25  # tw below the lungs' tops: a height at which the blade is broad


def masks(case: PhantomCase, size: int) -> dict[str, np.ndarray]:
    """Draw every anatomical part's mask and, by its name, every finding's: bool (size, size).

    "left lung" and "right lung" are the lung fields as a normal radiograph shows them, opacities included;
    "heart" is the whole heart, below the diaphragm too; a diaphragm is a band of 7 mm along it, from the
    chest wall to the midline; "aorta" is its arch and the descending aorta together. The masks of
    cardiomegaly and of mediastinal widening are the heart's and the widened part's.
    """
    chest = build_chest(case, size)
    parts = _part_masks(chest)
    layers = build_layers(chest)
    for finding in case.findings:
        if finding.name == "cardiomegaly":
            parts[finding.name] = parts["heart"]
        elif finding.name == "mediastinal widening":
            parts[finding.name] = _widened(chest)
        else:
            parts[finding.name] = layers[finding.name].cover > 0.5
    return parts


def _part_masks(chest: Chest) -> dict[str, np.ndarray]:
    t = chest.anatomy.t(chest.grid.v)
    aorta, is_arch = chest.aorta > 0.5, t < arch_end_t(chest.anatomy)
    return {
        "body": chest.body > 0.5,
        "right lung": chest.lungs[0] > 0.5,
        "left lung": chest.lungs[1] > 0.5,
        "heart": chest.heart_cover > 0.5,
        "mediastinum": _mediastinum(chest),
        "right diaphragm": chest.diaphragms[0] > 0.5,
        "left diaphragm": chest.diaphragms[1] > 0.5,
        "aorta": aorta,
        "aortic arch": aorta & is_arch,
        "descending aorta": aorta & ~is_arch,
        "trachea": chest.trachea > 0.5,
        "spine": chest.spine > 0.5,
        "ribs": chest.ribs > 0.3,
        "clavicles": chest.clavicles > 0.4,
        "scapulae": chest.scapulae > 0.2,
    }


def _mediastinum(chest: Chest) -> np.ndarray:
    t = chest.anatomy.t(chest.grid.v)
    return (chest.mediastinum_cover > 0.5) & (t > -0.05) & (t < chest.anatomy.dome_t[0])


def _widened(chest: Chest) -> np.ndarray:
    """Return the part of the mediastinum that mediastinal widening widens."""
    t = chest.anatomy.t(chest.grid.v)
    return _mediastinum(chest) & (t > 0.05) & (t < 0.45)


def points(case: PhantomCase) -> dict[str, tuple[float, float]]:
    """Locate landmarks as (row, column) in 0..1 of the picture; a few may lie outside it.

    The mediastinal borders are at the height of the aortic knob, the ends of the tracheal and spinal axis at
    that of the lungs' tops and of the costophrenic angles, the edge of the descending aorta half way down.
    """
    a = build_anatomy(case)
    knob_v, aorta_v = a.knob_t * a.height, 0.5 * (arch_end_t(a) + 1) * a.height
    (heart_right, heart_left), (thorax_right, thorax_left) = a.heart_extremes, a.thorax_edges
    places = {
        "heart right edge": heart_right,
        "heart left edge": heart_left,
        "thorax right edge": thorax_right,
        "thorax left edge": thorax_left,
        "carina": carina(a),
        "trachea top": (trachea_centre(a, 0.0), 0.0),
        "aortic knob": (a.medial(knob_v, 1), knob_v),
        "mediastinum right edge": (-a.medial(knob_v, -1), knob_v),
        "mediastinum left edge": (a.medial(knob_v, 1), knob_v),
        "descending aorta edge": (aorta_edge(a, aorta_v), aorta_v),
        "spine top": (0.0, 0.0),
        "spine bottom": (0.0, a.height),
    }
    for side, sign in (("right", -1), ("left", 1)):
        angle = 0.97 * sign * 0.5 * (1 - sign * a.asymmetry)
        dome = sign * (0.2 if sign < 0 else 0.26)
        collarbone = clavicle(a, sign)
        middle = 0.5 * (collarbone[0, 0] + collarbone[-1, 0])
        blade = scapula_borders(a, SCAPULA_V)
        places[f"{side} lung apex"] = (sign * 0.15, 0.02 * a.height)
        places[f"{side} costophrenic angle"] = (angle, diaphragm_height(a, angle, sign))
        places[f"{side} diaphragm dome"] = (dome, diaphragm_height(a, dome, sign))
        places[f"{side} hilum"] = hilum(a, sign)
        places[f"{side} clavicle medial end"] = tuple(collarbone[0])
        places[f"{side} clavicle lateral end"] = tuple(collarbone[-1])
        places[f"{side} scapula medial border"] = (sign * blade[0], SCAPULA_V)
        places[f"{side} scapula lateral border"] = (sign * blade[1], SCAPULA_V)
        for number in RIBS:
            places[f"{side} posterior rib {number}"] = posterior_rib(a, number, middle)
    return {name: (float(a.to_row(v)), float(a.to_column(u, v))) for name, (u, v) in places.items()}


def indices(case: PhantomCase) -> dict[str, float]:
    """Measure the truth: widths by thorax width, angles in degrees, the thorax in cm and in picture sides."""
    a = build_anatomy(case)
    thorax = a.thorax_edges[1][0] - a.thorax_edges[0][0]
    return {
        "cardiothoracic_ratio": a.measure_ratio(),
        "mediastinal_width": _mediastinal_width(a) / thorax,
        "carina_angle": a.carina_angle,
        "thorax_width": a.scale * thorax,
        "thorax_width_cm": THORAX_CM * thorax,
        "lung_height": a.scale * a.height,
    }


def _mediastinal_width(a: Anatomy) -> float:
    """Return the width from the right border to aortic knob, at the height of the knob, in tw."""
    v = a.knob_t * a.height
    return float(a.medial(v, -1) + a.medial(v, 1))


def salience(case: PhantomCase, size: int) -> np.ndarray:
    """Return (size, size) in 0..1: 1 on nodules, lines, tubes, plates and the edge of a pneumothorax."""
    found = finding_salience(case, size).values()
    return np.max([np.zeros((size, size), np.float32), *found], axis=0)


def finding_salience(case: PhantomCase, size: int) -> dict[str, np.ndarray]:
    """Return where each small finding of the case is, by its name: (size, size) float32 in 0..1."""
    layers = build_layers(build_chest(case, size))
    return {
        name: np.clip(layer.salient, 0, 1).astype(np.float32)
        for name, layer in layers.items()
        if layer.salient is not None
    }


def finding_map(case: PhantomCase, grid: tuple[int, int]) -> np.ndarray:
    """Return where each finding is, on the cells of an image grid: (findings, rows, columns) float32 in 0..1.

    In the order of FINDINGS: the most that a cell is covered anywhere within it, so that a thin line counts.
    For cardiomegaly it is the share of the cell that the heart covers, whatever its size.
    """
    rows, columns = grid
    side = math.lcm(rows, columns)
    side *= -(-MAP_PIXELS // side)
    chest = build_chest(case, side)
    covers = {name: layer.cover for name, layer in build_layers(chest).items()}
    if case.find("mediastinal widening"):
        covers["mediastinal widening"] = _widened(chest)
    result = np.zeros((len(FINDINGS), rows, columns), np.float32)
    for name, cover in covers.items():
        result[FINDINGS.index(name)] = _cells(cover, grid).max((1, 3))
    result[FINDINGS.index("cardiomegaly")] = _cells(chest.heart_cover, grid).mean((1, 3))
    return result


def _cells(picture: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Split (size, size) into (rows, pixels, columns, pixels)."""
    rows, columns = grid
    return picture.reshape(rows, len(picture) // rows, columns, -1)
