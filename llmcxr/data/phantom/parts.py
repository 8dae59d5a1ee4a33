"""Compute the path lengths through the parts of a chest: how much of each the beam crosses. Draws no finding.

Every part is a map (size, size) float32: centimetres of its material along the beam, for bone in excess of
what it lies in, or a coverage 0..1 where it says so. `Chest` computes each once, when first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llmcxr.data.phantom.anatomy import LEVELS, PIVOT_V, SIGNS, Anatomy, bump, smooth
from llmcxr.data.phantom.grid import Grid, curve

LUNG_DEPTH_CM = 15.0
RIB_KNOTS = np.linspace(0, 1.02, 128)  # of the drop of a rib, from the midline to just beyond the wall


def build_grid(anatomy: Anatomy, size: int) -> Grid:
    """Return the pixel centres of a (size, size) picture of this chest."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    v = ((at - anatomy.top) / anatomy.scale)[:, None].astype(np.float32)
    u = ((at - anatomy.centre) / anatomy.scale)[None, :] - anatomy.tilt * (v - PIVOT_V)
    return Grid(size, 1 / (size * anatomy.scale), u.astype(np.float32), v)


@dataclass(frozen=True)
class Chest:
    """Holds one chest on one grid; parts are computed when first asked for."""

    anatomy: Anatomy
    grid: Grid

    @cached_property
    def w(self) -> np.ndarray:
        """Return the distance from the midline by the inner chest wall's: 1 at the wall."""
        g = self.grid
        return np.where(g.u < 0, -g.u / self._wall[0], g.u / self._wall[1]).astype(np.float32)

    @cached_property
    def _wall(self) -> tuple[np.ndarray, np.ndarray]:
        a, v = self.anatomy, self.grid.v
        return a.outer(v, -1).astype(np.float32) + 1e-3, a.outer(v, 1).astype(np.float32) + 1e-3

    @cached_property
    def body(self) -> np.ndarray:
        """Return the soft tissue of the trunk, neck, shoulders and arms, without regard to lungs."""
        a, g = self.anatomy, self.grid
        v = g.v[:, 0]
        neck = 0.185 + 0.025 * (a.case.sex == "M")
        trapezius = 0.22 * np.clip((v + 0.3) / 0.22, 0, 1) ** 2
        deltoid = 0.42 * np.sqrt(np.clip(1 - np.clip(1 - (v + 0.09) / 0.24, 0, 1) ** 2, 0, 1))
        shoulders = neck + trapezius + deltoid
        trunk = a.body + 0.24 * (1 - smooth(v, 0.26, 0.5)) + 0.03 * smooth(v, 0.6, 1.1)
        half = np.minimum(shoulders, trunk)[:, None]
        half = np.maximum(half, neck).astype(np.float32)
        depth = a.thickness_cm * (0.58 + 0.42 * smooth(v, -0.1, 0.34) + 0.1 * smooth(v, 0.75, 1.05))[:, None]
        s = np.abs(g.u) / half
        trunk_path = depth * np.sqrt(np.clip(1 - s**4, 0, 1))
        return np.maximum(trunk_path, self._arms()).astype(np.float32)

    def _arms(self) -> np.ndarray:
        a, g = self.anatomy, self.grid
        apart = 0.76 if a.case.view_position == "AP" else 0.83
        s = (np.abs(g.u) - (apart + 0.04 * g.v)) / 0.115
        return 9.5 * np.sqrt(np.clip(1 - s * s, 0, 1)) * smooth(g.v, -0.05, 0.12)

    @cached_property
    def breasts(self) -> np.ndarray:
        a, g = self.anatomy, self.grid
        if a.case.sex != "F":
            return g.empty()
        lower = np.where(g.v > 0.66 * a.height, 0.13, 0.27)
        r2 = ((np.abs(g.u) - 0.29) / 0.2) ** 2 + ((g.v - 0.66 * a.height) / lower) ** 2
        return (3.8 * np.sqrt(np.clip(1 - r2, 0, 1))).astype(np.float32)

    @cached_property
    def cage(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coverage 0..1 of the right and left thorax above the diaphragm, with mediastinum."""
        g = self.grid
        halves = []
        for sign, wall, edge in zip((-1, 1), self._wall, self._diaphragm_edges, strict=True):
            side = g.inside(wall - sign * g.u) * (sign * g.u > 0)
            halves.append(side * g.inside(edge - g.v))
        return halves[0], halves[1]

    @cached_property
    def _diaphragm_edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the height v of the right and left diaphragm in each column of pixels, (1, size)."""
        columns, middle = np.linspace(-0.75, 0.75, 151), self.grid.u[self.grid.size // 2]
        right, left = (
            np.interp(middle, columns, self.anatomy.diaphragm(columns, sign)).astype(np.float32)[None, :]
            for sign in (-1, 1)
        )
        return right, left

    @cached_property
    def diaphragms(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coverage 0..1 of a band 0.024 tw (7 mm) high along each diaphragm, to the midline."""
        g = self.grid
        right, left = (
            g.inside(0.012 - np.abs(g.v - edge)) * (sign * g.u > 0) * (sign * g.u < wall + 0.01)
            for sign, wall, edge in zip((-1, 1), self._wall, self._diaphragm_edges, strict=True)
        )
        return right, left

    @cached_property
    def mediastinum_cover(self) -> np.ndarray:
        """Return the coverage 0..1 of the mediastinum without the heart."""
        a, g = self.anatomy, self.grid
        right, left = a.medial(g.v, -1), a.medial(g.v, 1)
        return g.inside(np.minimum(g.u + right, left - g.u).astype(np.float32), 0.014)

    @cached_property
    def heart(self) -> np.ndarray:
        """Return the thickness of the heart."""
        a, g = self.anatomy, self.grid
        right, left = (edge.astype(np.float32) for edge in a.heart_edges(g.v))
        half = np.maximum((left - right) / 2, 1e-4)
        s = np.abs(g.u - (left + right) / 2) / half
        return (11.5 * np.clip(1 - s**3.0, 0, 1) ** 0.42 * np.minimum(half / 0.2, 1)).astype(np.float32)

    @cached_property
    def heart_cover(self) -> np.ndarray:
        a, g = self.anatomy, self.grid
        right, left = (edge.astype(np.float32) for edge in a.heart_edges(g.v))
        return g.inside(np.minimum(g.u - right, left - g.u))

    @cached_property
    def heart_share(self) -> np.ndarray:
        """Return how much of the lung's depth the heart takes, 0..1."""
        return np.minimum(self.heart / 11.5, 1)

    @cached_property
    def lungs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the coverage 0..1 of the right and left lung field as seen: beside mediastinum and heart."""
        beside = (1 - self.mediastinum_cover) * (1 - self.heart_cover)
        return self.cage[0] * beside, self.cage[1] * beside

    @cached_property
    def air(self) -> np.ndarray:
        """Return the centimetres of lung, less where heart and mediastinum take its place."""
        a, g = self.anatomy, self.grid
        depth = LUNG_DEPTH_CM * (0.42 + 0.58 * smooth(a.t(g.v), -0.02, 0.4))
        profile = np.clip(1 - self.w**3.2, 0, 1) ** 0.45
        path = depth * profile * (self.cage[0] + self.cage[1])
        path *= 1 - (0.76 + 0.1 * smooth(a.t(g.v), 0.35, 0.8)) * self.mediastinum_cover
        displaced = 1.05 * self.heart * (1 - 0.9 * self.mediastinum_cover)
        return np.maximum(path - displaced, path * 0.14).astype(np.float32)

    @cached_property
    def trachea(self) -> np.ndarray:
        """Return the air in the trachea and main bronchi."""
        a, g = self.anatomy, self.grid
        carina = a.carina_t * a.height
        centre = trachea_centre(a, g.v)
        half = 0.034
        s = np.abs(g.u - centre) / half
        tube = np.sqrt(np.clip(1 - s * s, 0, 1)) * g.inside(carina + 0.015 - g.v, 0.02)
        for sign in (-1, 1):
            distance = g.distance(bronchus(a, sign), 0.03)
            radius = 0.021
            tube = np.maximum(tube, 0.75 * np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1)))
        return (2.7 * tube).astype(np.float32)

    @cached_property
    def aorta(self) -> np.ndarray:
        """Return the arch with its knob, and the descending aorta beside the spine."""
        a, g = self.anatomy, self.grid
        t, edge = a.t(g.v), aorta_edge(a, g.v)
        along = smooth(t, a.knob_t - 0.075, a.knob_t - 0.02) * (1 - 0.6 * smooth(t, 0.6, 0.98))
        s = np.clip((g.u - (edge - 0.05)) / 0.05, -2, 2)
        return (2.6 * along * np.sqrt(np.clip(1 - s * s, 0, 1))).astype(np.float32)

    @cached_property
    def spine(self) -> np.ndarray:
        """Return vertebral bodies, thinner at the discs, with pedicles and processes left out."""
        a, g = self.anatomy, self.grid
        phase = a.t(g.v) * a.num_ribs * 1.12 - 0.15
        disc = bump(phase - np.floor(phase), 0.5, 0.1)
        half = 0.052 + 0.016 * smooth(a.t(g.v), 0.0, 1.0)
        s = np.clip(np.abs(g.u) / (half * (1 - 0.07 * disc)), 0, 1)
        return (1.35 * (1 - s**4) ** 0.5 * (1 - 0.5 * disc)).astype(np.float32)

    @cached_property
    def ribs(self) -> np.ndarray:
        """Return the bone in the posterior ribs and, fainter, the anterior ones."""
        total = self.grid.empty()
        w = rib_reach(self.anatomy, self.grid.u, self.grid.v).astype(np.float32)
        for anterior in (False, True):
            total += self._rib_layer(w, anterior)
        return total

    def _rib_layer(self, w: np.ndarray, anterior: bool) -> np.ndarray:
        a, g = self.anatomy, self.grid
        drops = a.rib_drop(RIB_KNOTS, anterior)
        slope = np.interp(w, RIB_KNOTS, np.gradient(drops, RIB_KNOTS)).astype(np.float32) / 0.5
        spacing = a.height / a.num_ribs
        phase = rib_phase(a, w, g.v, anterior)
        number = np.floor(phase)
        offset = (phase - number - 0.5) * spacing / np.sqrt(1 + np.minimum(slope, 6) ** 2)
        half = 0.0175 if not anterior else 0.021
        s2 = np.clip(1 - (offset / half) ** 2, 0, 1)
        cortex = 0.55 * np.sqrt(s2) + 0.45 * np.clip((half + 0.5 * g.pixel - np.abs(offset)) / g.pixel, 0, 1)
        last = 10 if not anterior else 6
        seen = ((number >= 0) & (number < last) & (w <= 1.02)) * (1 - 0.55 * self._below)
        shown = (
            cortex * seen * smooth(w, 0.12, 0.17) if not anterior else cortex * seen * smooth(w, 0.42, 0.6)
        )
        shown = shown * (1 - 0.55 * smooth(w, 0.88, 1.0))
        return (shown * (0.9 if not anterior else 0.42)).astype(np.float32)

    @cached_property
    def _below(self) -> np.ndarray:
        """Return 1 below the diaphragm, where scattered light drowns the ribs."""
        return smooth(self.anatomy.t(self.grid.v), 0.88, 1.05)

    @cached_property
    def clavicles(self) -> np.ndarray:
        a, g = self.anatomy, self.grid
        total = g.empty()
        for sign in (-1, 1):
            distance = g.distance(clavicle(a, sign), 0.035)
            half = 0.019
            inside = np.clip((half + 0.5 * g.pixel - distance) / g.pixel, 0, 1)
            total += inside * (0.5 + 0.5 * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, 1)))
        return 1.15 * total

    @cached_property
    def scapulae(self) -> np.ndarray:
        """Return the blades at the edge of the lungs (over them on AP views), and the heads of the humeri."""
        a, g = self.anatomy, self.grid
        u = np.abs(g.u)
        border, outer = scapula_borders(a, g.v)
        blade = np.minimum(np.minimum(u - border, outer - u), (g.v - 0.05) * 0.8)
        rim = g.inside(blade) * (1 - 0.65 * g.inside(blade - 0.014, 0.01))
        head = 0.6 * np.sqrt(np.clip(1 - (((u - 0.7) / 0.075) ** 2 + ((g.v - 0.1) / 0.085) ** 2), 0, 1))
        return (0.75 * rim + 1.8 * head).astype(np.float32)

    @cached_property
    def stomach(self) -> np.ndarray:
        """Return the gas under the left dome of the diaphragm; absent in some."""
        a, g = self.anatomy, self.grid
        rng = np.random.default_rng(np.random.SeedSequence((*a.seed, 3)))
        seen, wide = rng.random() < 0.75, rng.uniform(0.07, 0.12)
        if not seen:
            return g.empty()
        top = float(a.diaphragm(np.array([0.27]), 1)[0]) + 0.028
        flat = np.where(g.v < top + wide * 0.6, wide * 0.6, wide * 0.4)
        r2 = ((g.u - 0.26) / wide) ** 2 + ((g.v - top - wide * 0.6) / flat) ** 2
        return (5.5 * np.clip(1 - r2, 0, 1) ** 0.5).astype(np.float32)

    @cached_property
    def vessels(self) -> np.ndarray:
        """Return the hila and the vessels that radiate from them: smooth, some 3 pixels wide at 128."""
        a, g = self.anatomy, self.grid
        rng = np.random.default_rng(np.random.SeedSequence((*a.seed, 4)))

        def phase() -> float:
            return np.pi + a.case.variation * (rng.uniform(0, 6.3) - np.pi)

        total = g.empty()
        for k, sign in enumerate((-1, 1)):
            u0, v0 = hilum(a, sign)
            rows, columns = g.box(*sorted((sign * 0.02, sign * 0.52)), 0.0, a.height)
            du, dv = sign * (g.u[rows, columns] - u0), g.v[rows] - v0
            r = np.sqrt(du * du + dv * dv) + 1e-6
            angle = np.arctan2(dv, du + 0.06)
            wave = (0.6 + 2.0 * r) * np.sin(r * 13 + phase()) + phase()
            trunks = (
                _ridges(np.sin(angle * 4.5 + wave), 2)
                * np.exp(-((r / 0.14) ** 2))
                * (0.7 + 0.3 * np.sin(angle * 2 + wave))
            )
            twigs = _ridges(np.sin(angle * 10 + 1.7 * wave + phase()), 2)
            twigs *= smooth(r, 0.06, 0.13) * np.exp(-((r / 0.25) ** 2))
            lobes = 0.75 + 0.25 * np.sin(du * 23 + phase()) * np.sin(dv * 17 + phase())
            root = np.exp(-((du / 0.042) ** 2) - ((dv - 0.3 * du) / 0.075) ** 2)
            total[rows, columns] += (3.4 * root + 2.2 * trunks + 1.6 * twigs * lobes) * self.lungs[k][
                rows, columns
            ]
        return total.astype(np.float32)


def _ridges(wave: np.ndarray, power: int) -> np.ndarray:
    return np.clip(wave, 0, 1) ** power


def trachea_centre(anatomy: Anatomy, v: np.ndarray) -> np.ndarray:
    """Return u of the trachea's middle: slightly to the right above the carina, pushed there by the arch."""
    return -0.012 * smooth(anatomy.t(v), 0.05, 0.33) + anatomy.rotation


def carina(anatomy: Anatomy) -> tuple[float, float]:
    v = anatomy.carina_t * anatomy.height
    return float(trachea_centre(anatomy, np.array(v))), v


def bronchus(anatomy: Anatomy, sign: int) -> np.ndarray:
    """Return the main bronchus from the carina to the hilum, (n, 2) of (u, v). The right one is steeper."""
    u, v = carina(anatomy)
    half = np.deg2rad(anatomy.carina_angle)
    angle, length = (0.41 * half, 0.1) if sign < 0 else (0.59 * half, 0.14)
    end = (u + sign * length * np.sin(angle), v + length * np.cos(angle))
    return np.array([(u, v), end])


def hilum(anatomy: Anatomy, sign: int) -> tuple[float, float]:
    t = anatomy.hilum_t[0 if sign < 0 else 1]
    return sign * (0.142 if sign < 0 else 0.158), t * anatomy.height


def clavicle(anatomy: Anatomy, sign: int) -> np.ndarray:
    """Return the clavicle's axis from the sternum to the shoulder, (n, 2)."""
    a = anatomy
    lift = -0.035 if a.case.view_position == "AP" else 0.0
    shift = a.rotation * 1.6
    inner, height = 0.055, 0.135 * a.height / 0.92 + lift
    points = ((inner, 0), (0.16, -0.012), (0.3, -0.058), (0.44, -0.1), (0.6, -0.085))
    return curve([(sign * u + shift, height + v) for u, v in points])


def scapula_borders(anatomy: Anatomy, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of the blade's medial and lateral border from the midline."""
    inner = 0.42 if anatomy.case.view_position == "AP" else 0.53
    medial = inner - 0.07 * smooth(v, 0.1, 0.5)
    return medial, medial + 0.19 * np.clip(1 - (v - 0.05) / 0.47, 0, 1)


def arch_end_t(anatomy: Anatomy) -> float:
    """Return the height t at the lower rim of the knob, where the arch becomes the descending aorta."""
    return anatomy.knob_t + 0.02


def aorta_edge(anatomy: Anatomy, v: np.ndarray) -> np.ndarray:
    """Return u of the left border of the arch and, below it, of the descending aorta."""
    a, t = anatomy, anatomy.t(v)
    edge = 0.062 + a.knob * 0.6 - 0.05 * smooth(t, 0.3, 1.0) + a.rotation
    return np.where(t < arch_end_t(a), a.medial(v, 1) - 0.004, np.minimum(edge, a.medial(v, 1)))


def diaphragm_height(anatomy: Anatomy, u: float, sign: int) -> float:
    """Return v of the diaphragm at u as drawn: in a tilted chest it stays level, as if each column's u were
    that of the picture's middle row.
    """
    middle = (0.5 - anatomy.top) / anatomy.scale
    v = middle
    for _ in range(8):  # each step gains two digits
        v = float(anatomy.diaphragm(np.array(u + anatomy.tilt * (v - middle)), sign))
    return v


def rib_reach(anatomy: Anatomy, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return w of the ribs at (u, v): 0 at the midline, 1 where they turn forward at the chest wall."""
    a = anatomy
    wall = np.where(u < 0, a.outer(v, -1), a.outer(v, 1)) + 1e-3 + 0.012
    floor = a.outer(np.maximum(v, 0.3 * a.height), 1)
    return np.abs(u) / np.maximum(wall, floor * smooth(a.t(v), -0.25, 0.3))


def rib_phase(anatomy: Anatomy, w: np.ndarray, v: np.ndarray, anterior: bool) -> np.ndarray:
    """Return the height in rib spacings along the ribs' slope: k - 0.5 on the axis of rib k, from 1."""
    drop = np.interp(w, RIB_KNOTS, anatomy.rib_drop(RIB_KNOTS, anterior)).astype(np.float32)
    fall = drop * (0.8 + 0.35 * smooth(v, 0, 0.8))
    return (v - fall + 0.02) / (anatomy.height / anatomy.num_ribs)


def posterior_rib(anatomy: Anatomy, number: int, u: float) -> tuple[float, float]:
    """Return where the axis of posterior rib `number`, 1 to 10, crosses the vertical at u."""
    v = LEVELS * anatomy.height
    phase = rib_phase(anatomy, rib_reach(anatomy, np.array(u), v), v, anterior=False)
    return u, float(np.interp(number - 0.5, phase, v))


def sign_of(side: str) -> int:
    return SIGNS[side]
