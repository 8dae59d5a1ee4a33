"""Draw which findings a phantom has, where and how large. Knows no pixels and no wording.

Findings that could hide one another are kept apart here (a nodule is never under an effusion or behind a
large heart), so that everything a case states can be seen in its picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llmcxr.data.phantom.case import FINDINGS, GRADES, VARIATION, ZONES, DrawnFinding, PhantomCase

NORMAL_SHARE = 0.13  # cases made without any finding; some of the others end up without one as well
ENLARGED_SHARE = 0.47  # of the other cases: overall about 0.4 have a ratio above 0.5
PREVALENCE = {
    "pleural effusion": 0.33,
    "pneumothorax": 0.31,
    "consolidation": 0.32,
    "nodule": 0.33,
    "edema": 0.29,
    "atelectasis": 0.33,
    "mediastinal widening": 0.29,
    "pacemaker": 0.29,
    "central line": 0.32,
    "endotracheal tube": 0.3,
}
MAX_FINDINGS = 5
LOWEST_RATIO, HIGHEST_RATIO = 0.38, 0.65
SMALLEST_HEART_OVER_LOWER_ZONE = (
    0.545  # from this ratio on, the left lower zone has no room for small findings
)
PLACES = tuple((side, zone) for side in ("left", "right") for zone in ZONES)


def sample_case(seed: int, index: int, variation: float = VARIATION) -> PhantomCase:
    """Sample the case of this seed and index (both >= 0), from numpy's SeedSequence((seed, index))."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, index)))
    normal = rng.random() < NORMAL_SHARE
    ratio = _sample_ratio(rng, enlarged=not normal and rng.random() < ENLARGED_SHARE)
    names = [] if normal else [name for name, share in PREVALENCE.items() if rng.random() < share]
    enlarged = ratio > 0.5
    keep = MAX_FINDINGS - enlarged
    if len(names) > keep:
        names = [names[i] for i in sorted(rng.permutation(len(names))[:keep])]
    findings = tuple(_place_findings(names, ratio, rng))
    intensive = any(finding.name in ("endotracheal tube", "central line") for finding in findings)
    return PhantomCase(
        seed=seed,
        index=index,
        findings=findings,
        cardiothoracic_ratio=ratio,
        sex="F" if rng.random() < 0.5 else "M",
        age_years=int(rng.integers(20, 91)),
        view_position="AP" if rng.random() < (0.7 if intensive else 0.2) else "PA",
        variation=variation,
    )


def grade_of(extent: float) -> str:
    """Return the third of 0..1 in which an extent lies, as a word of GRADES."""
    return GRADES[min(2, int(extent * 3))]


def _sample_ratio(rng: np.random.Generator, enlarged: bool) -> float:
    """Sample a ratio over 0.38-0.65, thin around the threshold of 0.5."""
    if enlarged:
        return float(0.5 + (HIGHEST_RATIO - 0.5) * max(rng.beta(1.7, 1.7), 1e-3))
    return float(0.5 - (0.5 - LOWEST_RATIO) * rng.beta(1.9, 1.5))


def _place_findings(names: list[str], ratio: float, rng: np.random.Generator) -> Iterator[DrawnFinding]:
    """Give each finding its extent and a place of its own, in the order of FINDINGS."""
    free = set(PLACES)
    placed: dict[str, DrawnFinding] = {}
    if ratio > 0.5:
        extent = (ratio - 0.5) / (HIGHEST_RATIO - 0.5)
        placed["cardiomegaly"] = DrawnFinding("cardiomegaly", grade=grade_of(extent), extent=extent)
    if ratio > SMALLEST_HEART_OVER_LOWER_ZONE:
        free.discard(("left", "lower"))
    for name in ("pleural effusion", "pneumothorax", "pacemaker", "central line"):
        if name in names:
            placed[name] = _place_on_side(name, placed, free, rng)
    for name in ("edema", "mediastinal widening", "endotracheal tube"):
        if name in names:
            placed[name] = _make(name, rng, side="bilateral" if name == "edema" else "")
    for name in ("nodule", "consolidation", "atelectasis"):
        place = _choose_place(name, free, rng) if name in names else None
        if place is not None:
            free.discard(place)
            placed[name] = _make(name, rng, *place)
    return (placed[name] for name in FINDINGS if name in placed)


def _make(name: str, rng: np.random.Generator, side: str = "", zone: str = "") -> DrawnFinding:
    if name in ("pacemaker", "central line", "endotracheal tube"):
        return DrawnFinding(name, side=side)
    extent = float(rng.random())
    return DrawnFinding(name, side=side, zone=zone, grade=grade_of(extent), extent=extent)


def _place_on_side(name: str, placed: dict, free: set, rng: np.random.Generator) -> DrawnFinding:
    """Place an effusion, pneumothorax, pacemaker or line; remove its zones from `free`."""
    side = "left" if rng.random() < 0.5 else "right"
    effusion, pacemaker = placed.get("pleural effusion"), placed.get("pacemaker")
    if name == "pleural effusion" and rng.random() < 0.3:
        side = "bilateral"
    if name == "pneumothorax" and effusion is not None and effusion.grade == "large":
        side = "left" if effusion.side == "right" else "right"
    if name == "central line" and pacemaker is not None:
        side = "left" if pacemaker.side == "right" else "right"
    finding = _make(name, rng, side)
    if name == "pneumothorax" and effusion is not None and effusion.side == "bilateral":
        finding = DrawnFinding(name, side, grade="small", extent=float(rng.random() / 3))
    zones = {"pleural effusion": ("lower",), "pneumothorax": ("upper",), "pacemaker": ("upper",)}.get(
        name, ()
    )
    if name == "pleural effusion" and finding.grade == "large":
        zones = ("lower", "mid")
    for covered in ("left", "right") if side == "bilateral" else (side,):
        free.difference_update((covered, zone) for zone in zones)
    return finding


def _choose_place(name: str, free: set, rng: np.random.Generator) -> tuple[str, str] | None:
    places = [place for place in PLACES if place in free]
    if name == "atelectasis":
        places = [place for place in places if place[1] != "upper"]
        places += [place for place in places if place[1] == "lower"]
    return places[int(rng.random() * len(places))] if places else None
