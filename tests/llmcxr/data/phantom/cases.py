"""Phantom cases: plain ones, and strategies that build any, also such as the sampler would never make."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from llmcxr.data.phantom.case import FINDINGS, GRADES, ZONES, DrawnFinding, PhantomCase

PLAIN = PhantomCase(0, 4, (), 0.44, "M", 50, "PA")


def with_finding(
    name: str, side: str = "", zone: str = "", extent: float = 0.0, index: int = 4
) -> PhantomCase:
    """A case that has one finding, by default of the smallest size there is."""
    finding = DrawnFinding(name, side, zone, "small", extent)
    return replace(PLAIN, findings=(finding,), index=index)


def smallest(name: str, index: int = 4, side: str = "right") -> PhantomCase:
    zone = "mid" if name in ("consolidation", "nodule", "atelectasis") else ""
    return with_finding(name, "bilateral" if name == "edema" else side, zone, index=index)


_SIDES = st.sampled_from(("left", "right"))
_ZONES = st.sampled_from(ZONES)
_GRADES = st.sampled_from(GRADES)
_MAKERS = {
    "pleural effusion": st.builds(
        lambda side, grade: DrawnFinding("pleural effusion", side, grade=grade),
        st.sampled_from(("left", "right", "bilateral")),
        _GRADES,
    ),
    "pneumothorax": st.builds(
        lambda side, grade: DrawnFinding("pneumothorax", side, grade=grade), _SIDES, _GRADES
    ),
    "edema": st.builds(lambda grade: DrawnFinding("edema", "bilateral", grade=grade), _GRADES),
    "mediastinal widening": st.builds(
        lambda grade: DrawnFinding("mediastinal widening", grade=grade), _GRADES
    ),
    "pacemaker": st.builds(lambda side: DrawnFinding("pacemaker", side), _SIDES),
    "central line": st.builds(lambda side: DrawnFinding("central line", side), _SIDES),
    "endotracheal tube": st.just(DrawnFinding("endotracheal tube")),
} | {
    name: st.builds(
        lambda side, zone, grade, name=name: DrawnFinding(name, side, zone, grade), _SIDES, _ZONES, _GRADES
    )
    for name in ("consolidation", "nodule", "atelectasis")
}


@st.composite
def phantom_cases(draw: st.DrawFn) -> PhantomCase:
    """A case of up to five findings besides the heart, whose grade goes with its ratio."""
    ratio = draw(st.floats(0.38, 0.65).filter(lambda value: abs(value - 0.5) > 0.005))
    names = draw(st.lists(st.sampled_from(sorted(_MAKERS)), unique=True, max_size=5))
    findings = [draw(_MAKERS[name]) for name in names]
    if ratio > 0.5:
        findings.append(DrawnFinding("cardiomegaly", grade=draw(_GRADES)))
    return PhantomCase(
        seed=0,
        index=draw(st.integers(0, 10**6)),
        findings=tuple(sorted(findings, key=lambda finding: FINDINGS.index(finding.name))),
        cardiothoracic_ratio=ratio,
        sex=draw(st.sampled_from(("F", "M"))),
        age_years=draw(st.integers(20, 90)),
        view_position=draw(st.sampled_from(("PA", "AP"))),
    )
