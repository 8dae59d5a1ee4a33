"""Write a card as a document, which `llmcxr evaluate card` prints. Knows the keys of a card, computes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmcxr.evaluation.comparing import comparison_row
from llmcxr.evaluation.left_out import say_left_out, say_unread
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from llmcxr.metrics.reports.label_f1 import AVERAGES, BothDefinite, OmissionNegative
from llmcxr.pages.document import Bars, Block, Curves, Heading, Paragraph, Table
from llmcxr.pages.tables import interval, number

CONVENTIONS = {
    "uncertain positive": OmissionNegative("positive").name,
    "uncertain negative": OmissionNegative("negative").name,
    "both definite": BothDefinite().name,
}
SHOWN_CONVENTION = OmissionNegative("positive").name  # of precision, recall and the bars
OTHER_MEASURES = ("precision", "recall", "balanced accuracy")
AVERAGED = [(scope, average) for scope in ("all 14", "CheXpert 5") for average in AVERAGES]
SETTINGS = {
    "n": "studies",
    "seeds": "seeds",
    "size": "px",
    "extractor": "features by",
    "llmcxr_version": "llmcxr",
}


def card_blocks(card: dict) -> list[Block]:
    """Write the settings, then every part under its title. Undefined scores are left to the JSON."""
    settings = ", ".join(f"{title} {_plain(card[name])}" for name, title in SETTINGS.items())
    checked = card["training_check"]
    blocks: list[Block] = [Paragraph(f"With {settings}. {checked[0].upper()}{checked[1:]}.")]
    for name, part in card["parts"].items():
        title, write = WRITERS[name]
        blocks.append(Heading(title))
        if "left_out" in part:
            blocks.append(Paragraph(f"Left out: {part['left_out']}"))
        else:
            blocks += [*_left_out(part), *write(part)]
    return blocks


def left_out_sentences(card: dict) -> list[str]:
    """Say which studies the parts of a card had to leave out, a sentence a reason, and why images failed."""
    counts = [count for part in card["parts"].values() for count in _list_counts(part)]
    sentences = list(dict.fromkeys(sentence for count in counts for sentence in say_left_out(count)))
    return [*sentences, *say_unread(card["unread_images"])]


def _list_counts(part: dict) -> list[dict]:
    """List the counts of studies of a part: its own, or those of what it judged."""
    inner = (one for one in part.values() if isinstance(one, dict))
    return [one["studies"] for one in (part, *inner) if "studies" in one]


def _left_out(part: dict) -> list[Block]:
    sentences = dict.fromkeys(sentence for count in _list_counts(part) for sentence in say_left_out(count))
    return [Paragraph(f"{'; '.join(sentences)}.")] if sentences else []


def _report(part: dict) -> list[Block]:
    words = [one for one in part["scores"] if not _is_of_labels(one["name"])]
    counts = f"Different reports: {part['distinct_reports']}; empty: {part['empty_reports']}."
    return [*_scores(words), Paragraph(counts), *_by_label(part), *_seeds(part)]


def _cycle(part: dict) -> list[Block]:
    return [*_by_label(part), *_seeds(part)]


def _questions(part: dict) -> list[Block]:
    return [
        *_scores(part["scores"]),
        *_scores(part["balance"], "Yes and no"),
        *_scores(
            part["elixr"], "Graded 1, 0.5 or 0 by rule, not by a reader: does not compare with ELIXR's own"
        ),
    ]


def _image(part: dict) -> list[Block]:
    rows = []
    for name, one in part["against"].items():
        if one["score"]["value"] is not None and ": " not in name:  # those of one finding are below
            values = [one[key]["value"] if one[key] else None for key in ("matched", "real", "shuffled")]
            value = number(one["score"]["value"]) + interval(one["score"]["interval"])
            rows.append([name, value, *map(number, values)])
    header = ["metric", "value (95%)", "on half of the studies", "real images instead", "requests shuffled"]
    warning = [Paragraph(f"**Few images**: {part['warning']}.")] if part["warning"] else []
    return [*warning, Table(header, rows), *_drawn_findings(part["findings"]), *_seeds(part)]


def _drawn_findings(findings: dict) -> list[Block]:
    rows = []
    for name, one in findings.items():
        if one["support"]:
            distance = one["kernel_distance"] or {}
            values = [distance[key]["value"] if distance.get(key) else None for key in ("score", "real")]
            judged = [one.get(key) for key in ("auroc", "f1", "precision", "recall")]
            rows.append([name, str(one["support"]), *map(number, [*judged, *values])])
    header = [
        "finding asked for",
        "n",
        "AUROC",
        "F1",
        "precision",
        "recall",
        "kernel distance",
        "between reals",
    ]
    bars = [
        (name, one["f1"], None, one["support"])
        for name, one in findings.items()
        if one.get("f1") is not None and one["support"]
    ]
    undefined = [f"{name} ({one['note']})" for name, one in findings.items() if one.get("note")]
    return [
        Table(header, rows, "By finding", num_shown=4),
        *([Paragraph(f"Undefined: {'; '.join(undefined)}.")] if undefined else []),
        *([Bars("F1 of the classifier against the requests", bars)] if bars else []),
    ]


def _audit(part: dict) -> list[Block]:
    blocks: list[Block] = []
    for what, result in part.items():
        rows = [[one["tampering"], *comparison_row(one)] for one in result["drops"]]
        looks = result["looks_at_image"]
        verdict = "looks at the image" if looks else "**does not show that it looks at the image**"
        header = ["images", "metric", "true images", "tampered", "drop (95%)", "p"]
        blocks += [Paragraph(f"{what.capitalize()}: {verdict}."), Table(header, rows)]
    return blocks


def _evidence(part: dict) -> list[Block]:
    names = ("evidence", "probability")
    rows = [
        [
            f"by {name}",
            number(part[name]["area"]) + interval(part[name]["area_interval"]),
            number(part[name]["error"]),
        ]
        for name in names
    ]
    sentences = [
        [one["sentence"], number(one["evidence"]), "wrong" if one["wrong"] else "right"]
        for one in [*part["best"], *part["worst"]]
    ]
    lines = {f"by {name}": (part[name]["coverage"], part[name]["risk"]) for name in names}
    return [
        Paragraph(f"{part['sentences']} sentences that claim a finding."),
        Table(["sentences ranked", "area under risk and coverage (95%)", "wrong of all"], rows),
        Curves("Risk and coverage", "share of the sentences kept", "wrong among them", lines),
        Table(["sentence", "evidence, nats", "verdict"], sentences, "Most and least supported", folded=True),
    ]


WRITERS: dict[str, tuple[str, Callable[[dict], list[Block]]]] = {
    "report": ("Reports", _report),
    "questions": ("Questions", _questions),
    "image": ("Drawings", _image),
    "audit": ("Does it look at the image?", _audit),
    "evidence": ("Evidence of its sentences", _evidence),
    "cycle": ("Drawn, then read by itself", _cycle),
}


def _scores(scores: Sequence[dict], title: str = "") -> list[Block]:
    known = [one for one in scores if one["value"] is not None]
    rows = [[one["name"], number(one["value"]) + interval(one["interval"]), str(one["n"])] for one in known]
    missing = [
        f"{one['name']} ({one['note']})" if one["note"] else one["name"]
        for one in scores
        if one["value"] is None
    ]
    note = [Paragraph(f"No value: {'; '.join(missing)}.")] if missing else []
    return [Table(["metric", "value (95%)", "n"], rows, title), *note]


def _by_label(part: dict) -> list[Block]:
    """Show F1 under each convention, never mixed; the other columns name their convention."""
    found = {one["name"]: one for one in part["scores"]}

    def cells(average: str, scope: str) -> list[str]:
        names = [f"{average}F1, {scope} [{convention}]" for convention in CONVENTIONS.values()]
        names += [f"{average}{measure}, {scope} [{SHOWN_CONVENTION}]" for measure in OTHER_MEASURES]
        names.append(f"coverage, {scope} [{BothDefinite().name}]")
        scores = [found[name] for name in names]
        return [number(one["value"]) + interval(one["interval"]) for one in scores]

    together = [[f"{scope}, {average}", *cells(f"{average} ", scope)] for scope, average in AVERAGED]
    support = part["support"]
    each = [[finding, str(support[finding]), *cells("", finding)] for finding in CHEXPERT_FINDINGS]
    bars = []
    for finding in CHEXPERT_FINDINGS:
        one = found[f"F1, {finding} [{SHOWN_CONVENTION}]"]
        if one["value"] is not None:
            bars.append((finding, one["value"], one["interval"], support[finding]))
    columns = [
        *(f"F1 [{name}]" for name in CONVENTIONS),
        *(f"{measure} [uncertain positive]" for measure in OTHER_MEASURES),
        "coverage [both definite]",
    ]
    return [
        Table(["findings", *columns], together, "Findings together", num_shown=2),
        Table(["finding", "n", *columns], each, "By finding", num_shown=3),
        Bars(f"F1 [{SHOWN_CONVENTION}]", bars),
    ]


def _seeds(part: dict) -> list[Block]:
    if "seeds" not in part:
        return []
    rows = [
        [
            one["name"],
            number(one["mean"]) + interval(one["interval"]),
            number(one["deviation"]),
            f"{number(one['low'])} to {number(one['high'])}",
            str(len(one["values"])),
        ]
        for one in part["seeds"]
        if one["mean"] is not None and _is_told_over_seeds(one["name"])
    ]
    header = ["metric", "mean over seeds (95% over patients)", "deviation over seeds", "range", "seeds"]
    return [Table(header, rows, "Over seeds")]


def _is_of_labels(name: str) -> bool:
    """Tell whether a metric compares labels by one of the conventions of our labeler, not CheXbert's."""
    is_label = any(name.endswith(f"[{convention}]") for convention in CONVENTIONS.values())
    return is_label and not name.startswith("CheXbert")


def _is_told_over_seeds(name: str) -> bool:
    """Tell whether a metric is shown over seeds: F1 of findings together, and no metric of one finding."""
    if _is_of_labels(name):
        return any(name.startswith(f"{average} F1, {scope}") for scope, average in AVERAGED)
    return ": " not in name


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
