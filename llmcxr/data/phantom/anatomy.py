"""Shape one phantom's chest: its posture, and its contours as functions of height. Knows no pixels.

Lengths are in thorax widths (tw, about 28 cm): u runs from the midline to the patient's left, which is image
right, v runs down from the lungs' tops. t = v / lung height is 0 at the apex and about 1 at the costophrenic
angles. A contour is a distance from the midline as a function of v, so that a picture needs it once per row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llmcxr.data.phantom.case import PhantomCase

THORAX_CM = 28.0  # one thorax width
SIGNS = {"right": -1, "left": 1}  # the direction of u
WIDEST_T = 0.82  # height at which the inner thorax is widest
PIVOT_V = 0.45  # height that a tilt leaves in place
LEVELS = np.linspace(0.0, 1.0, 257)


def smooth(x: np.ndarray | float, low: float, high: float) -> np.ndarray:
    """Return 0 below `low`, 1 above `high`, a smooth step between."""
    x = np.clip((np.asarray(x) - low) / (high - low), 0, 1)
    return x * x * (3 - 2 * x)


def bump(x: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((x - centre) / width) ** 2)


@dataclass(frozen=True)
class Anatomy:
    """Holds what varies from one chest to the next; everything else follows. Build it by `build_anatomy`."""

    case: PhantomCase
    # posture, in shares of the picture's side
    scale: float  # thorax width
    top: float  # row of the lungs' tops
    centre: float  # column of the midline
    tilt: float  # columns per row
    rotation: float  # shift of anterior parts to the patient's left, in tw
    # shape, in tw unless t is named
    height: float  # lungs, apex to costophrenic angle
    asymmetry: float  # share by which the right half is wider
    dome_t: tuple[float, float]  # right, left: height t of the diaphragm's domes
    angle_t: tuple[float, float]  # right, left: height t of the costophrenic angles
    heart_share: float  # share of the heart's width right of the midline
    heart_top_t: float
    heart_shape: float
    heart_scale: float  # solved so that the cardiothoracic ratio is the case's
    mediastinum: float  # half width at the top
    knob: float  # how far the aortic knob stands out
    widening: float  # added half width of the superior mediastinum by a finding
    carina_t: float
    carina_angle: float  # degrees between the main bronchi
    hilum_t: tuple[float, float]
    num_ribs: float  # rib spacings over the lungs' height
    rib_slope: float
    body: float  # half width of the trunk
    thickness_cm: float
    seed: tuple[int, int]

    def t(self, v):
        return v / self.height

    def outer(self, v: np.ndarray, sign: int) -> np.ndarray:
        """Return the distance of the inner chest wall from the midline."""
        t = np.clip(self.t(v), 0, 1.2)
        apex = np.clip(1 - (1 - np.minimum(t / 0.4, 1)) ** 2.6, 0, 1) ** 0.36
        below = np.maximum(t - WIDEST_T, 0) / (1 - WIDEST_T)
        wall = 0.395 + 0.105 * np.minimum(t / WIDEST_T, 1) ** 1.25 - 0.012 * below**2
        return wall * apex * (1 - sign * self.asymmetry)

    def medial(self, v: np.ndarray, sign: int) -> np.ndarray:
        """Return the distance of the mediastinal border (without the heart) from the midline."""
        t = self.t(v)
        rounding = 0.1 * np.clip(1 - t / 0.1, 0, 1) ** 1.7
        width = (
            self.mediastinum + rounding + self.widening * smooth(t, -0.1, 0.1) * (1 - smooth(t, 0.38, 0.56))
        )
        if sign < 0:
            hilum = 0.018 * bump(t, self.hilum_t[0], 0.06) + 0.032 * smooth(t, 0.2, 0.5)
            return width + hilum - self.rotation * 0.5
        knob = self.knob * bump(t, self.knob_t, 0.045)
        trunk = 0.045 * bump(t, self.hilum_t[1] + 0.05, 0.085) + 0.042 * smooth(t, 0.16, 0.36)
        return width + knob + trunk + self.rotation * 0.5

    @property
    def knob_t(self) -> float:
        return self.carina_t - 0.1

    def diaphragm(self, u: np.ndarray, sign: int) -> np.ndarray:
        """Return the height v of the diaphragm at u, on one side."""
        dome = self.dome_t[0 if sign < 0 else 1]
        centre = 0.2 if sign < 0 else 0.26
        wall = 0.5 * (1 - sign * self.asymmetry)
        outward = np.clip((sign * u - centre) / (wall - centre), -3, 1.4)
        lateral = np.where(outward > 0, outward, 0) ** 2.4 * (self.angle_t[0 if sign < 0 else 1] - dome)
        medial = 0.03 * np.where(outward < 0, outward, 0) ** 2 * (0.35 if sign < 0 else 0.5)
        return (dome + lateral + medial) * self.height

    @cached_property
    def heart_bottom_t(self) -> float:
        return self.dome_t[1] + 0.055

    def heart_edges(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return u of the heart's right and left border; equal where there is no heart."""
        right, left = _unit_heart(self.heart_depth(v), self.heart_shape)
        offset = self.rotation * 0.5
        return -self.heart_scale * self.heart_share * right + offset, self.heart_scale * (
            1 - self.heart_share
        ) * left + offset

    def heart_depth(self, v: np.ndarray) -> np.ndarray:
        """Return 0 at the heart's top, 1 at its bottom."""
        return (self.t(v) - self.heart_top_t) / (self.heart_bottom_t - self.heart_top_t)

    def rib_drop(self, w: np.ndarray, anterior: bool) -> np.ndarray:
        """Return how far below its origin at the spine a rib is: w = 0 at the midline, 1 at the wall."""
        ring = np.sqrt(np.clip(1 - w * w, 0, 1))
        back = self.rib_slope * (1.05 * (1 - ring) - 0.12 * np.sin(np.pi * np.clip(w, 0, 1)))
        return back if not anterior else self.rib_slope * (1.05 + 1.25 * ring)

    def to_row(self, v):
        return self.top + self.scale * v

    def to_column(self, u, v):
        return self.centre + self.scale * (u + self.tilt * (v - PIVOT_V))

    @cached_property
    def thorax_edges(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return (u, v) of the inner thorax's outermost point in the picture, right and left."""
        v = LEVELS * self.height
        found = []
        for sign in (-1, 1):
            u = sign * self.outer(v, sign)
            i = int(np.argmax(sign * (u + self.tilt * v)))
            found.append((float(u[i]), float(v[i])))
        return found[0], found[1]

    @cached_property
    def heart_extremes(self) -> tuple[tuple[float, float], tuple[float, float]]:
        v = (self.heart_top_t + (self.heart_bottom_t - self.heart_top_t) * LEVELS) * self.height
        right, left = self.heart_edges(v)
        i, j = int(np.argmin(right + self.tilt * v)), int(np.argmax(left + self.tilt * v))
        return (float(right[i]), float(v[i])), (float(left[j]), float(v[j]))

    def measure_ratio(self) -> float:
        """Return the widest heart by widest inner thorax, along the picture's rows."""
        (heart_right, heart_left), (right, left) = self.heart_extremes, self.thorax_edges
        heart = self.to_column(*heart_left) - self.to_column(*heart_right)
        return float(heart / (self.to_column(*left) - self.to_column(*right)))


def _unit_heart(q: np.ndarray, shape: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the right and left border at depth q, each 1 at its widest."""
    inside = (q > 0) & (q < 1)
    q = np.clip(q, 0, 1)
    base = np.clip(q / 0.08, 0, 1) ** 0.5
    left = np.where(
        q < 0.74,
        0.38 + 0.62 * np.sin(np.pi / 2 * np.clip(q / 0.74, 0, 1) ** shape),
        np.sqrt(np.clip(1 - (np.maximum(q - 0.74, 0) / 0.262) ** 2.6, 0, 1)),
    )
    right = np.where(
        q < 0.56,
        0.52 + 0.48 * np.sin(np.pi / 2 * np.clip(q / 0.56, 0, 1)),
        np.sqrt(np.clip(1 - ((q - 0.56) / 0.5) ** 2, 0, 1)),
    )
    return np.where(inside, right * base, 0), np.where(inside, left * base, 0)


def build_anatomy(case: PhantomCase) -> Anatomy:
    """Sample the chest of a case by its seed and index, and solve its heart for the ratio."""
    rng = np.random.default_rng(np.random.SeedSequence((case.seed, case.index, 1)))

    def normal(mean: float, sd: float, limit: float = 1.8) -> float:
        return float(mean + sd * np.clip(rng.normal(), -limit, limit))

    def acquired(mean: float, sd: float) -> float:
        return normal(mean, sd * case.variation)

    is_ap, female = case.view_position == "AP", case.sex == "F"
    age = (case.age_years - 20) / 70
    height = normal(0.92 - 0.06 * is_ap - 0.02 * female, 0.085)
    scale = min(acquired(0.785 - 0.01 * female, 0.045), 0.86 / height)
    free = 0.955 - height * scale
    atelectasis = case.find("atelectasis")
    domes = [normal(0.81, 0.022), 0.0]
    domes[1] = domes[0] + normal(0.035, 0.022)
    if atelectasis is not None and atelectasis.zone == "lower":
        domes[0 if atelectasis.side == "right" else 1] -= 0.02 + 0.025 * atelectasis.extent
    widening = case.find("mediastinal widening")
    values = dict(
        case=case,
        scale=scale,
        top=float(np.clip(acquired(0.1, 0.035), 0.03, 0.75 * free)),
        centre=acquired(0.5, 0.018),
        tilt=acquired(0, 0.025),
        rotation=acquired(0, 0.008),
        height=height,
        asymmetry=normal(0, 0.015),
        dome_t=(domes[0], min(domes[1], 0.885)),
        angle_t=(normal(0.985, 0.025), normal(0.985, 0.025)),
        heart_share=normal(0.32, 0.022),
        heart_top_t=normal(0.47 - 0.45 * (case.cardiothoracic_ratio - 0.48), 0.018),
        heart_shape=normal(1.15, 0.12),
        heart_scale=case.cardiothoracic_ratio,
        mediastinum=normal(0.066 + 0.004 * is_ap, 0.004),
        knob=normal(0.036 + 0.018 * age, 0.006),
        widening=0.0 if widening is None else 0.05 + 0.05 * widening.extent,
        carina_t=normal(0.36, 0.014),
        carina_angle=normal(66, 7),
        hilum_t=(normal(0.46, 0.015), normal(0.425, 0.015)),
        num_ribs=acquired(9.6, 0.45),
        rib_slope=acquired(0.185, 0.02),
        body=acquired(0.645 + 0.005 * female, 0.035),
        thickness_cm=acquired(21.5 + 0.8 * is_ap - 1.2 * female, 1.6),
        seed=(case.seed, case.index),
    )
    for _ in range(12):
        anatomy = Anatomy(**values)
        values["heart_scale"] *= case.cardiothoracic_ratio / anatomy.measure_ratio()
    return Anatomy(**values)
