"""Draw each finding: where it is (coverage 0..1) and what it does to the attenuation. Knows no wording.

A finding is a function (chest, finding) -> Layer. Opacities of the lung add attenuation where there was air,
enough to stay visible; lines and boxes add metal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from llmcxr.data.phantom.anatomy import Anatomy, smooth
from llmcxr.data.phantom.case import DrawnFinding
from llmcxr.data.phantom.grid import curve
from llmcxr.data.phantom.parts import Chest, carina, hilum, sign_of, trachea_centre

ZONE_T = {"upper": 0.24, "mid": 0.49, "lower": 0.72}  # the middle of a zone by height
LINE_WIDTH = 0.0125  # tw: about 1.2 px of 128


@dataclass(frozen=True)
class Layer:
    """Holds a finding on a grid. `salient`: coverage of the small parts that a picture must not lose."""

    cover: np.ndarray  # 0..1, where it is: the finding's mask at 0.5
    added: np.ndarray  # attenuation added
    vessels: np.ndarray | float = 1.0  # factor on the lung's vessels
    salient: np.ndarray | None = None


def apply_findings(chest: Chest, normal: np.ndarray, vessels: np.ndarray) -> np.ndarray:
    """Compute the attenuation of a chest with its findings from that of the normal one and of its vessels."""
    total = normal
    for layer in build_layers(chest).values():
        total = total + layer.added
        vessels = vessels * layer.vessels
    return total + vessels


def build_layers(chest: Chest) -> dict[str, Layer]:
    """Return the layers of the findings that are drawn as such, by name; heart and mediastinum are anatomy.

    The lung's own opacities end where a pneumothorax begins.
    """
    layers = {
        finding.name: DRAW[finding.name](chest, finding)
        for finding in chest.anatomy.case.findings
        if finding.name in DRAW
    }
    if "pneumothorax" in layers:
        aerated = 1 - layers["pneumothorax"].cover
        for name in {"consolidation", "edema"} & layers.keys():
            layer = layers[name]
            layers[name] = replace(layer, cover=layer.cover * aerated, added=layer.added * aerated)
    return layers


def _rng(chest: Chest, number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((*chest.anatomy.seed, number)))


def _lung(chest: Chest, sign: int) -> np.ndarray:
    return chest.lungs[0 if sign < 0 else 1]


def _half(chest: Chest, sign: int) -> np.ndarray:
    return chest.cage[0 if sign < 0 else 1]


def draw_effusion(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw fluid that fills the costophrenic angle and rises along the wall in a meniscus."""
    a, g = chest.anatomy, chest.grid
    rng = _rng(chest, 11)
    cover = g.empty()
    for side in ("right", "left") if finding.side == "bilateral" else (finding.side,):
        sign = sign_of(side)
        extent = finding.extent * (rng.uniform(0.8, 1.0) if finding.side == "bilateral" else 1.0)
        lateral = (0.79 - 0.42 * extent) * a.height
        medial = lateral + (0.17 - 0.06 * extent) * a.height
        level = medial + (lateral - medial) * np.clip(chest.w, 0, 1) ** (3.2 - 1.2 * extent)
        cover += _half(chest, sign) * g.inside(g.v - level, 0.035) * (1 - 0.92 * chest.mediastinum_cover)
    return Layer(cover, cover * (0.62 - 0.38 * chest.heart_share + 0.055 * chest.air), vessels=1 - cover)


def draw_pneumothorax(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw air outside the visceral pleura: a thin line, no vessels beyond it, and a blacker strip."""
    a, g = chest.anatomy, chest.grid
    sign = sign_of(finding.side)
    apex, lateral = (0.085 + 0.14 * finding.extent), (0.045 + 0.085 * finding.extent)
    t = np.linspace(-0.1, 1.1, 481)
    taper = 1 - smooth(t, 0.45 + 0.3 * finding.extent, 0.8 + 0.25 * finding.extent)
    shifted = (t - apex * taper) * a.height
    profile = a.outer(shifted, sign) - lateral * taper
    profile = np.where(shifted <= 0.002, -0.3, np.maximum(profile, -0.3))
    slope = np.abs(np.gradient(profile, t * a.height))
    edge = np.interp(a.t(g.v[:, 0]), t, profile)[:, None].astype(np.float32)
    steep = np.interp(a.t(g.v[:, 0]), t, slope)[:, None].astype(np.float32)
    outside = (sign * g.u - edge) / np.sqrt(1 + np.minimum(steep, 12) ** 2)
    open_ = (np.interp(a.t(g.v[:, 0]), t, taper)[:, None] > 0.02).astype(np.float32)
    lung = _lung(chest, sign)
    cover = g.inside(outside) * open_ * lung
    half = max(0.013, 1.15 * g.pixel) / 2
    line = np.clip((half + 0.5 * g.pixel - np.abs(outside)) / g.pixel, 0, 1) * open_ * lung
    denser = 0.1 * (1 - cover) * lung * open_
    return Layer(cover, 0.5 * line - 0.36 * cover + denser, vessels=1 - cover, salient=line)


def _spot(
    chest: Chest, finding: DrawnFinding, margin: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Return a place (u, v) in the finding's zone with `margin` to the chest wall, mediastinum and heart."""
    a = chest.anatomy
    sign = sign_of(finding.side)
    v = (ZONE_T[finding.zone] + rng.uniform(-0.045, 0.045)) * a.height
    column = np.array(v)
    heart = a.heart_edges(column)[0 if sign < 0 else 1] * sign
    inner = max(float(a.medial(column, sign)), float(heart)) + margin
    outer = float(a.outer(column, sign)) - margin - 0.012
    pneumothorax = a.case.find("pneumothorax")
    if pneumothorax is not None and pneumothorax.side == finding.side:
        outer -= 0.06 + 0.085 * pneumothorax.extent
    share = rng.uniform(0.2, 0.8)
    return sign * (inner + share * (outer - inner) if outer > inner else (inner + outer) / 2), float(v)


def draw_nodule(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw a round opacity of 12-36 mm with a fairly sharp edge; above 28 mm it is called a mass."""
    g = chest.grid
    rng = _rng(chest, 12)
    radius = (12 + 24 * finding.extent) / 280 / 2
    u, v = _spot(chest, finding, radius, rng)
    bend = rng.uniform(0, 6.3)
    du, dv = g.u - u, g.v - v
    r = np.sqrt(du * du + dv * dv) * (1 + 0.04 * np.sin(3 * np.arctan2(dv, du) + bend))
    cover = g.inside(radius - r)
    inside = np.sqrt(np.clip(1 - (r / (radius + 0.5 * g.pixel)) ** 2, 0, 1))
    return Layer(
        cover, (0.52 * cover + 0.4 * inside).astype(np.float32), salient=g.inside(radius + 0.02 - r, 0.02)
    )


def draw_consolidation(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw a fluffy patch: overlapping soft puffs that fill the alveoli."""
    g = chest.grid
    sign = sign_of(finding.side)
    rng = _rng(chest, 13)
    radius = 0.078 + 0.05 * finding.extent
    u, v = _spot(chest, finding, radius * 0.8, rng)
    field = np.exp(-0.5 * ((g.u - u) ** 2 + (g.v - v) ** 2) / (0.5 * radius) ** 2)
    for _ in range(9):
        angle, away = rng.uniform(0, 6.3), radius * np.sqrt(rng.random()) * 1.1
        size = radius * rng.uniform(0.22, 0.5)
        du, dv = g.u - u - away * np.cos(angle), g.v - v - 0.8 * away * np.sin(angle)
        field += np.exp(-0.5 * (du * du + dv * dv) / size**2)
    cover = smooth(field, 0.0, 1.7).astype(np.float32) * _half(chest, sign) * (1 - chest.mediastinum_cover)
    added = cover * (0.84 + 0.15 * finding.extent) * (0.6 + 0.4 * np.minimum(chest.air / 9, 1.3))
    return Layer(cover, added.astype(np.float32), vessels=1 - 0.9 * cover)


def draw_edema(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw haze that spreads from both hila, swollen vessels, and short septal lines at the bases."""
    a, g = chest.anatomy, chest.grid
    rng = _rng(chest, 14)
    cover, lines = g.empty(), g.empty()
    for sign in (-1, 1):
        u0, v0 = hilum(a, sign)
        wide = 0.115 + 0.05 * finding.extent
        du, dv = (g.u - u0 - sign * 0.045) / wide, (g.v - v0 - 0.06) / (wide * 1.45)
        patches = 1 + 0.25 * np.sin(g.u * 31 + rng.uniform(0, 6.3)) * np.sin(g.v * 27 + rng.uniform(0, 6.3))
        cover += (
            np.exp(-((du * du + dv * dv) ** 1.3))
            * patches
            * _half(chest, sign)
            * (1 - chest.mediastinum_cover)
        )
        comb = np.clip(np.sin(g.v * 150 + g.u * 12 + rng.uniform(0, 6.3)), 0, 1)
        edge = smooth(chest.w, 0.78, 0.86) * (1 - smooth(chest.w, 0.96, 1.0))
        lines += (
            comb
            * edge
            * smooth(a.t(g.v), 0.58, 0.66)
            * (1 - smooth(a.t(g.v), 0.84, 0.9))
            * _lung(chest, sign)
        )
    cover = np.clip(cover * (1 - 0.6 * chest.heart_share), 0, 1.2).astype(np.float32)
    added = (0.6 + 0.45 * finding.extent) * cover + (0.08 + 0.06 * finding.extent) * lines
    return Layer(np.minimum(cover, 1), added.astype(np.float32), vessels=1 + 0.35 * finding.extent)


def draw_atelectasis(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw a plate: a nearly horizontal band with sharp edges; in a lower zone the diaphragm is drawn up."""
    g = chest.grid
    sign = sign_of(finding.side)
    rng = _rng(chest, 15)
    length, thick = 0.1 + 0.045 * finding.extent, 0.0145 + 0.011 * finding.extent
    u, v = _spot(chest, finding, length * 0.9, rng)
    turn = sign * rng.uniform(-0.3, 0.12)
    along = (g.u - u) * np.cos(turn) + (g.v - v) * np.sin(turn)
    across = (g.v - v) * np.cos(turn) - (g.u - u) * np.sin(turn) + 0.25 * along**2
    band = g.inside(thick - np.abs(across), 0.012) * g.inside(length - np.abs(along), 0.05)
    cover = (band * _half(chest, sign) * (1 - chest.mediastinum_cover)).astype(np.float32)
    return Layer(cover, 0.75 * cover, salient=cover)


def _shoulder(a: Anatomy, sign: int) -> list[tuple[float, float]]:
    """Return the way of a subclavian line from under the clavicle to the great veins."""
    v = 0.105 * a.height
    return [(sign * 0.3, v - 0.01), (sign * 0.2, v - 0.03), (sign * 0.11, v - 0.005)]


def draw_pacemaker(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw a generator under the clavicle and its lead through the vena cava to the right ventricle."""
    a, g = chest.anatomy, chest.grid
    sign = sign_of(finding.side)
    rng = _rng(chest, 16)
    u, v = sign * rng.uniform(0.35, 0.38), rng.uniform(0.175, 0.205) * a.height
    turn = rng.uniform(-0.25, 0.25)
    du, dv = g.u - u, g.v - v
    x, y = du * np.cos(turn) + dv * np.sin(turn), dv * np.cos(turn) - du * np.sin(turn)
    outline = 0.068 - (np.abs(x / 1.0) ** 3 + np.abs(y * 1.18) ** 3) ** (1 / 3)
    box = g.inside(outline.astype(np.float32))
    inner = g.inside((outline - 0.02).astype(np.float32), 0.012)
    bottom = (a.heart_top_t + 0.8 * (a.heart_bottom_t - a.heart_top_t)) * a.height
    tip = (a.heart_scale * 0.28, bottom)
    path = [(u - sign * 0.045, v - 0.055), (sign * 0.25, 0.1 * a.height), *_shoulder(a, sign)[1:]]
    path += [
        (-0.045, 0.24 * a.height),
        (-0.062, 0.45 * a.height),
        (-0.035, bottom - 0.06),
        (0.05, bottom + 0.005),
        tip,
    ]
    lead = g.line(curve(path), LINE_WIDTH)
    cover = np.maximum(box, lead)
    return Layer(cover, 2.6 * box - 0.9 * inner * box + 0.75 * lead * (1 - box), salient=cover)


def draw_central_line(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw a thin catheter from the subclavian or the jugular vein to the superior vena cava."""
    a, g = chest.anatomy, chest.grid
    sign = sign_of(finding.side)
    rng = _rng(chest, 17)
    if rng.random() < 0.5:
        start = [(sign * 0.42, 0.17 * a.height), (sign * 0.36, 0.125 * a.height), *_shoulder(a, sign)]
    else:
        lean = rng.uniform(0.105, 0.125)
        start = [(sign * lean, -0.3), (sign * (lean - 0.005), -0.1), (sign * 0.095, 0.03 * a.height)]
    tip = rng.uniform(0.42, 0.5) * a.height
    line = g.line(
        curve([*start, (-0.05, 0.23 * a.height), (-0.068, 0.36 * a.height), (-0.064, tip)]), LINE_WIDTH
    )
    return Layer(line, 0.85 * line, salient=line)


def draw_endotracheal_tube(chest: Chest, finding: DrawnFinding) -> Layer:
    """Draw a tube in the trachea with a radio-opaque stripe, its tip 2-6 cm above the carina."""
    a, g = chest.anatomy, chest.grid
    rng = _rng(chest, 18)
    tip = carina(a)[1] - rng.uniform(0.075, 0.16)
    v = np.linspace(-0.45, tip, 24)
    u = trachea_centre(a, v) + 0.006 * np.sin(np.linspace(0, 3, 24))
    axis = np.stack([u, v], axis=1)
    stripe = g.line(axis + np.array([0.008, 0.0]), LINE_WIDTH)
    wall = np.clip((0.017 + 0.5 * g.pixel - g.distance(axis, 0.05)) / g.pixel, 0, 1)
    return Layer(wall, (0.75 * stripe + 0.3 * wall).astype(np.float32), salient=wall)


DRAW: dict[str, Callable[[Chest, DrawnFinding], Layer]] = {
    "pleural effusion": draw_effusion,
    "pneumothorax": draw_pneumothorax,
    "consolidation": draw_consolidation,
    "nodule": draw_nodule,
    "edema": draw_edema,
    "atelectasis": draw_atelectasis,
    "pacemaker": draw_pacemaker,
    "central line": draw_central_line,
    "endotracheal tube": draw_endotracheal_tube,
}
