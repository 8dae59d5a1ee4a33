"""Score the labeler on sentences of our own, each with all its states.

`challenge.tsv` was written by hand: kind, sentence, states, where "+CM ?PNA -PE" stands for present,
uncertain and absent, and "x" for an abnormality of no finding. The grammar below puts findings into frames
whose states follow from the frame. Whatever is not listed must not be mentioned. The states were written down
by reading the sentences, never taken from the labeler.
"""

import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS, label_chexpert
from llmcxr.records import Label

CODES = {
    "ECM": "Enlarged Cardiomediastinum",
    "CM": "Cardiomegaly",
    "LES": "Lung Lesion",
    "OPA": "Lung Opacity",
    "EDE": "Edema",
    "CON": "Consolidation",
    "PNA": "Pneumonia",
    "ATL": "Atelectasis",
    "PTX": "Pneumothorax",
    "PE": "Pleural Effusion",
    "PLO": "Pleural Other",
    "FX": "Fracture",
    "DEV": "Support Devices",
}
GROUPS = {  # what a statement about a region denies
    "LUNG": ("CON", "LES", "EDE", "ATL", "PNA", "OPA"),
    "PLEURA": ("PE", "PTX"),
    "ACUTE": ("PE", "PTX", "CON", "EDE", "PNA", "OPA"),
    "CHEST": ("CM", "ECM", "PE", "PTX", "CON", "LES", "EDE", "ATL", "PNA", "OPA"),
}
SIGNS = {"+": Label.PRESENT, "-": Label.ABSENT, "?": Label.UNCERTAIN}

# Frames: kind, text, states of the findings a, b and c that fill it.
FRAMES = (
    ("reach", "No {a}; {b}.", "-a +b"),
    ("reach", "No {a}; stable {b}; no {c}.", "-a +b -c"),
    ("reach", "No {a} - mild {b} is noted.", "-a +b"),
    ("reach", "No {a}, {b} is present.", "-a +b"),
    ("reach", "No {a}, but there is {b}.", "-a +b"),
    ("reach", "No {a}; however, {b} has increased.", "-a +b"),
    ("reach", "No {a} except for mild {b}.", "-a +b"),
    ("reach", "No {a} or {b}; {c} is unchanged.", "-a -b +c"),
    ("reach", "No {a} or {b}, and {c} is stable.", "-a -b +c"),
    ("reach", "No {a}, {b}, or {c}.", "-a -b -c"),
    ("reach", "There is no {a} or {b}. There is {c}.", "-a -b +c"),
    ("reach", "No {a} (mild {b} unchanged).", "-a +b"),
    ("reach", "No {a}, although {b} remains.", "-a +b"),
    ("reach", "No {a} with persistent {b}.", "-a +b"),
    ("reach", "Mild {a} without {b} or {c}.", "+a -b -c"),
    ("reach", "{a} is unchanged, no {b}.", "+a -b"),
    ("change", "No change in the {a}.", "+a"),
    ("change", "No interval increase in {a}, no {b}.", "+a -b"),
    ("change", "No significant change in {a} or {b}.", "+a +b"),
    ("post", "{a} is not seen, {b} persists.", "-a +b"),
    ("post", "{a} and {b} have been ruled out.", "-a -b"),
    ("post", "{a} is no longer present; {b} is new.", "-a +b"),
    ("post", "{a} has been excluded.", "-a"),
    ("label", "{a}: none", "-a"),
    ("label", "{a}: No. {b}: Yes.", "-a +b"),
    ("label", "{a} (-), {b} (+).", "-a +b"),
    ("label", "{a}: absent; {b}: present; {c}: possible", "-a +b ?c"),
    ("label", "{a} - not seen. {b} - mild.", "-a +b"),
    ("doubt", "Possible {a}.", "?a"),
    ("doubt", "{a} is less likely.", "?a"),
    ("doubt", "?{a}", "?a"),
    ("doubt", "R/o {a}.", "?a"),
    ("doubt", "{a} cannot be excluded, no {b}.", "?a -b"),
    ("doubt", "{a}, if any, is minimal.", "?a"),
    ("doubt", "Possible {a}; stable {b}.", "?a +b"),
    ("doubt", "No {a}; possible {b}.", "-a ?b"),
    ("doubt", "{a} is not excluded. {b} is unchanged.", "?a +b"),
    ("either", "{a} versus {b}.", "?a ?b"),
    ("either", "Mild {a} vs. {b}, no {c}.", "?a ?b -c"),
    ("history", "History of {a}, now with {b}.", "+b"),
    ("history", "Previously seen {a} has resolved; {b} persists.", "-a +b"),
    ("resolution", "Near complete resolution of the {a}.", "+a"),
    ("resolution", "The {a} has completely resolved.", "-a"),
    ("resolution", "Partial resolution of {a}, no {b}.", "+a -b"),
    ("double", "Not without {a}.", "+a"),
    ("form", "NO {A}. STABLE {B}.", "-a +b"),
)
WORDINGS = {
    "CM": ("cardiomegaly", "cardiac enlargement"),
    "PE": ("pleural effusion", "effusion"),
    "PTX": ("pneumothorax",),
    "CON": ("consolidation",),
    "EDE": ("pulmonary edema", "interstitial edema", "vascular congestion"),
    "ATL": ("atelectasis", "bibasilar atelectasis"),
    "PNA": ("pneumonia",),
    "LES": ("lung nodule", "pulmonary mass"),
    "PLO": ("pleural thickening",),
    "FX": ("rib fracture",),
}
DRAWS = 3  # of each frame


def read_file() -> list[tuple[str, str, dict[str, Label]]]:
    lines = Path(__file__).with_name("challenge.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    return [(kind, text.replace("\\n", "\n"), to_states(states)) for kind, text, states in rows]


def write_sentences() -> list[tuple[str, str, dict[str, Label]]]:
    rng = random.Random(0)
    sentences = []
    for kind, frame, states in FRAMES:
        for _ in range(DRAWS):
            codes = dict(zip("abc", rng.sample(sorted(WORDINGS), 3), strict=True))
            words = {letter: rng.choice(WORDINGS[code]) for letter, code in codes.items()}
            text = frame.format(**words, A=words["a"].upper(), B=words["b"].upper())
            said = " ".join(one[0] + codes[one[1]] for one in states.split())
            sentences.append((kind, text[0].upper() + text[1:], to_states(said)))
    return sentences


def to_states(said: str) -> dict[str, Label]:
    """Turn "+CM -LUNG" into the states of all fourteen findings."""
    states = dict.fromkeys(CHEXPERT_FINDINGS, Label.NOT_MENTIONED)
    is_normal = True
    for word in said.split():
        if word == "x":
            is_normal = False
            continue
        for code in GROUPS.get(word[1:], (word[1:],)):
            if word[1:] not in GROUPS or states[CODES[code]] is Label.NOT_MENTIONED:
                states[CODES[code]] = SIGNS[word[0]]
        is_normal &= word[0] == "-" or word[1:] == "DEV"
    states["No Finding"] = Label.PRESENT if is_normal else Label.NOT_MENTIONED
    return states


SENTENCES = read_file() + write_sentences()


def score(sentences) -> tuple[float, dict[str, float], list[str]]:
    """Return micro F1 over pairs of finding and state, that of each kind, and what was missed."""
    counts: dict[str, Counter] = defaultdict(Counter)
    misses = []
    for kind, text, expected in sentences:
        labels = label_chexpert(text)
        true, claimed = _pairs(expected), _pairs(labels)
        counts[kind].update(right=len(true & claimed), all=len(true) + len(claimed))
        if true != claimed:
            misses.append(f"{kind}: {text!r} lacks {sorted(true - claimed)}, has {sorted(claimed - true)}")
    total = sum(counts.values(), Counter())
    return _f1(total), {kind: _f1(count) for kind, count in counts.items()}, misses


def _pairs(states) -> set[tuple[str, str]]:
    return {(name, str(state)) for name, state in states.items() if state is not Label.NOT_MENTIONED}


def _f1(count: Counter) -> float:
    return 2 * count["right"] / count["all"]


def test_the_set_is_of_four_hundred_different_sentences():
    assert len({text for _, text, _ in SENTENCES}) >= 400
    assert {kind for kind, _, _ in SENTENCES} == {kind for kind, _, _ in read_file()}


def test_states_are_read_as_their_codes_say():
    states = to_states("+CM -PLEURA")
    assert states["Cardiomegaly"] is Label.PRESENT and states["No Finding"] is Label.NOT_MENTIONED
    assert states["Pneumothorax"] is states["Pleural Effusion"] is Label.ABSENT
    assert to_states("+DEV")["No Finding"] is Label.PRESENT


def test_f1_on_the_challenge_set():
    f1, by_kind, misses = score(SENTENCES)
    print(f"F1 {f1:.4f} over {len(SENTENCES)} sentences;", by_kind, *misses, sep="\n")
    assert f1 >= 0.97, "\n".join(misses)


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in SENTENCES}))
def test_f1_of_each_kind(kind):
    f1, _, misses = score([one for one in SENTENCES if one[0] == kind])
    assert f1 >= 0.9, "\n".join(misses)
