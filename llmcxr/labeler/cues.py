"""Decide by the cues around a finding, "no" or "possible", whether its sentence denies or doubts it.

Knows where terms stand in the sentence, not what they mean; the cues' words are in `labeler.terms`.
"""

from __future__ import annotations

import re

from llmcxr.labeler.context import Context, Cue, Spotted
from llmcxr.records import Label

_DENIED_INSIDE = re.compile(r"\b(?:not|no longer)\b")
_STATED_INSIDE = re.compile(r"(?:enlarged|widened|engorged|increased|collapsed)\b")
_DOUBTED_INSIDE = re.compile(r"\bborderline\b")
_PLURAL = re.compile(r"(?:are|were|have)\b")
# What a member of a list has that the "no" before the list does not mean: a course or a size of its own.
_DESCRIBED = re.compile(
    r"\b(?:stable|unchanged|persist(?:ent|ing)|increas(?:ed|ing)|worsen(?:ed|ing)|improv(?:ed|ing)|new|known"
    r"|decreas(?:ed|ing)|resolving|chronic|old|healed|ongoing|progressive|redemonstrated|again|mild|"
    r"moderate|severe"
    r"|small|left|right|residual)\b"
)
_KNOWN = re.compile(r"\band (?:\w+ )?(?:stable|unchanged|persistent|known|chronic|old|healed)\b")

# "prior effusion", with at most three words between, but not "prior study, effusion"; and what makes it one
# of today: "prior effusion is unchanged".
_PRIOR = re.compile(
    r"(?: (?!study|studies|film|exam|radiograph|image|imaging|ct|from|on|the|a|with|to|of)\w+){0,3} "
)
_GOES_ON = re.compile(
    r"[^,;]{0,80}?\b(?:is|are|was|were|has|have|remains?|persists?|again|unchanged|stable|improved|decreased|"
    r"increased"
    r"|still|not)\b"
)

_STATES_DOUBT = re.compile(
    r"\b(?:is|are|be|remains?|was|were|seems?|appears?|has|have|raised?)"
    r"(?: (?:\w+ly|felt|thought|considered|deemed|also|still|thus|less|more|most|very|quite|somewhat|"
    r"again|to|be|been"
    r"|of|a|an|in|the|remote|clinical|therefore|now))*\s*$"
)
_ENDS_DOUBT = re.compile(
    r"\s*(?:$|[,.;)]|on (?:this|the)|at (?:this|the)|given\b|clinically\b"
    r"|(?:also )?(?:be )?(?:present|there|seen|hidden|missed|obscured|superimposed|considered)\b)"
)
_REFUTES = re.compile(r"exclu|rul|confirm")
_IF_ANY = re.compile(r"if |when ")
_LEADS = {"possibly", "probably", "perhaps", "maybe", "presumably"}  # speak of what follows
_COMPARES = {
    "versus",
    "more likely than",
    "less likely than",
    "favored over",
    "favoured over",
    "preferred over",
}
_IN_TIME = re.compile(
    r"\s*(?:the |an? )?(?:x{3,}|$|prior|previous|earlier|before|right|left|yesterday|"
    r"old|last|study)\b"
)

_SHADOW = re.compile(r"opaci|densit|infiltrat|airspace")
_OLD = re.compile(r"scar|fibro|crowding")
_PLEURAL = re.compile(r"effusion|fluid|thicken")


def judge(item: Spotted, context: Context) -> Label:
    """Return whether the sentence has the term PRESENT, ABSENT or UNCERTAIN; NOT_MENTIONED if in the past."""
    if _DENIED_INSIDE.search(item.text):
        return Label.ABSENT
    is_borderline = _DOUBTED_INSIDE.search(item.text) is not None
    if not context.cues:
        return Label.UNCERTAIN if is_borderline else Label.PRESENT
    is_described = _is_described(item, context)
    if denied_before(item.start, item.end, is_described, context) or _denied_after(item, context):
        return Label.ABSENT
    if _is_past(item, is_described, context):
        return Label.NOT_MENTIONED
    if is_borderline or _doubted_before(item, is_described, context) or _doubted_after(item, context):
        return Label.UNCERTAIN
    return Label.PRESENT


def denied_before(start: int, end: int, is_described: bool, context: Context) -> bool:
    """Tell whether there is a "no" before, and whether it reaches this far.

    It reaches over a list ("no effusion, nodule or pneumothorax"), but not to a later member that has its own
    description ("no effusion, nodule in the left upper zone") unless an "or" ties it to the list.
    """
    cue = context.row("denials before").before(start)
    if cue is None:
        return False
    opens = cue.kind == "denial after" and cue.start < 5  # "Not seen is ..."
    return (opens or cue.kind == "denial before") and _reaches(cue, start, end, is_described, context)


def _reaches(cue: Cue, start: int, end: int, is_described: bool, context: Context) -> bool:
    if not is_described or not context.separators.between(cue.end, start):
        return True
    member = max(cue.end, context.commas.before(start, default=0))
    return context.ors.between(member, context.end_of_clause(end))


def _is_described(item: Spotted, context: Context) -> bool:
    """Tell whether the term has a place, a size or a course of its own."""
    if item.side or item.zone or item.grade in ("small", "moderate") or _STATED_INSIDE.match(item.text):
        return True
    member = max(context.separators.before(item.start, default=0), item.start - 60)
    return _DESCRIBED.search(context.sentence, member, item.start) is not None


def _denied_after(item: Spotted, context: Context) -> bool:
    cue = context.row("denials after").after(item.end)
    if cue is None or cue.kind != "denial after":
        return False
    if cue.text == "none" and context.commas.between(item.end, cue.start):
        return False  # "effusion: right small, left none"
    others = context.terms.between(item.end, cue.start)
    return not others or bool(_PLURAL.match(cue.text)) or context.ors.between(item.end, cue.start)


def _is_past(item: Spotted, is_described: bool, context: Context) -> bool:
    """Tell whether the term is told as history: "history of pneumonia", "prior effusion"."""
    cue = context.row("histories").before(item.start)
    if cue is not None and cue.kind == "history":
        return _reaches(cue, item.start, item.end, is_described, context)
    cue = None if item.lasts else context.row("pasts").before(item.start)
    if cue is None or not _PRIOR.fullmatch(context.sentence, cue.end, item.start):
        return False
    return _GOES_ON.match(context.sentence, item.end) is None


def _doubted_before(item: Spotted, is_described: bool, context: Context) -> bool:
    cue = context.row("doubts before").before(item.start)
    if cue is None or cue.kind == "break" or cue.kind == "relative":
        return False
    if cue.kind == "doubt list":
        return True
    if context.commas.between(cue.end, item.start):
        return not is_described and _reaches(cue, item.start, item.end, True, context)
    return not _is_known(cue, item, context)


def _is_known(cue: Cue, item: Spotted, context: Context) -> bool:
    """Tell whether "and" joins a term that a doubt does not mean: "possible edema and stable nodule"."""
    return (
        context.terms.between(cue.end, item.start)
        and not context.ors.between(cue.end, item.end)
        and _KNOWN.search(context.sentence, max(cue.end, item.start - 40), item.start) is not None
    )


def _doubted_after(item: Spotted, context: Context) -> bool:
    cue = context.row("doubts after").after(item.end)
    if cue is None or cue.kind == "break" or not _speaks_of(cue, item, context):
        return False
    if cue.text in _COMPARES:
        other = context.next_term(cue.end)
        if other is None:
            return _IN_TIME.match(context.sentence, cue.end) is None
        return not _is_one_shadow(item, other)
    return _IF_ANY.match(cue.text) is not None or (
        _is_stated(cue, item, context) and not _leads_on(cue, context)
    )


def _speaks_of(cue: Cue, item: Spotted, context: Context) -> bool:
    """Tell whether no other term comes between, or only members of the list that the cue speaks of."""
    if not context.terms.between(item.end, cue.start):
        return True
    return context.ors.between(item.end, cue.start) or not context.commas.between(item.end, cue.start)


def _is_stated(cue: Cue, item: Spotted, context: Context) -> bool:
    """Tell whether the doubt is the statement: "effusion is possible", "effusion cannot be excluded"."""
    if _REFUTES.search(cue.text) or _STATES_DOUBT.search(
        context.sentence, max(item.end, cue.start - 60), cue.start
    ):
        return True
    return cue.text not in _LEADS and _ENDS_DOUBT.match(context.sentence, cue.end) is not None


def _leads_on(cue: Cue, context: Context) -> bool:
    """Tell whether the doubt is of a term that follows: "opacity is likely pneumonia"."""
    end = context.end_of_clause(cue.end)
    return context.terms.between(cue.end, min(end, context.commas.after(cue.end, default=end)))


def _is_one_shadow(first: Spotted, second: Spotted) -> bool:
    """Tell whether what comes first is there by either name: "infiltrate versus edema".

    A shadow is seen and only its cause is doubted, or one of the names is of an old change, or both are of
    one blunted angle. People who read such reports tag both.
    """
    if _PLEURAL.search(first.text) and _PLEURAL.search(second.text):
        return True
    return bool(_SHADOW.search(first.text) or _OLD.search(first.text) or _OLD.search(second.text))
