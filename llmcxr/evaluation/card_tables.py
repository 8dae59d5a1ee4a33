"""A card as Markdown: what `llmcxr evaluate card` prints. Knows the keys of a card, computes nothing."""

from __future__ import annotations

from llmcxr.evaluation.tables import interval, markdown, number

TITLES = {
    "report": "Reports",
    "questions": "Questions",
    "image": "Drawings",
    "audit": "Does it look at the image?",
    "evidence": "Evidence of its sentences",
    "cycle": "Drawn, then read by itself",
}


def card_tables(card: dict) -> str:
    """Every part under its title. Scores that are undefined for all of the studies are left to the JSON."""
    parts = [f"# {card['system']} on {card['dataset']}", f"{card['n']} studies, seed {card['seed']}."]
    for name, part in card["parts"].items():
        parts += [f"## {TITLES[name]}", _part(name, part)]
    return "\n\n".join(parts) + "\n"


def _part(name: str, part: dict) -> str:
    if "left_out" in part:
        return f"Left out: {part['left_out']}"
    if name == "audit":
        return "\n\n".join(_reliance(what, result) for what, result in part.items())
    if name == "evidence":
        return _evidence(part)
    if "against" in part:
        return _against(part["against"])
    known = [one for one in part["scores"] if one["value"] is not None]
    left = len(part["scores"]) - len(known)
    rows = [[one["name"], number(one["value"]) + interval(one["interval"]), str(one["n"])] for one in known]
    note = f"\n\n{left} scores are undefined for these studies." if left else ""
    return markdown(["metric", "value (95%)", "n"], rows) + note


def _against(against: dict) -> str:
    rows = []
    for name, one in against.items():
        if one["score"]["value"] is None:
            continue
        values = [one[key]["value"] if one[key] else None for key in ("matched", "real", "shuffled")]
        value = number(one["score"]["value"]) + interval(one["score"]["interval"])
        rows.append([name, value, *map(number, values)])
    header = ["metric", "value (95%)", "on half of the studies", "real images instead", "requests shuffled"]
    return markdown(header, rows)


def _reliance(what: str, result: dict) -> str:
    rows = [
        [
            one["tampering"],
            one["name"],
            number(one["first"]),
            number(one["second"]),
            number(one["difference"]) + interval(one["interval"]),
            number(one["p"]),
        ]
        for one in result["drops"]
    ]
    verdict = (
        "looks at the image" if result["looks_at_image"] else "**does not show that it looks at the image**"
    )
    table = markdown(["images", "metric", "true images", "tampered", "drop (95%)", "p"], rows)
    return f"{what.capitalize()}: {verdict}.\n\n{table}"


def _evidence(part: dict) -> str:
    rows = [
        [
            f"by {name}",
            number(part[name]["area"]) + interval(part[name]["area_interval"]),
            number(part[name]["error"]),
        ]
        for name in ("evidence", "probability")
    ]
    table = markdown(["sentences ranked", "area under risk and coverage (95%)", "wrong of all"], rows)
    return f"{part['sentences']} sentences that claim a finding.\n\n{table}"


def labeler_table(result: dict) -> str:
    """The result of `score_labeler` as Markdown."""
    rows = [
        [
            name,
            number(one["f1"]) + interval(one["f1_interval"]),
            number(one["precision"]),
            number(one["recall"]),
            str(one["support"]),
        ]
        for name, one in result["findings"].items()
    ]
    overall = number(result["micro_f1"]) + interval(result["micro_f1_interval"])
    rows += [["**micro**", overall, "", "", ""], ["**macro**", number(result["macro_f1"]), "", "", ""]]
    return (
        f"{markdown(['labeler', 'F1 (95%)', 'precision', 'recall', 'n'], rows)}\n\n"
        f"{result['n']} reports with tags, {result['left_out']} left out. Micro F1 on the held-out half"
        f" {number(result['held_out_micro_f1'])}; {result['reports_per_second']:.0f} reports a second"
        " on one core."
    )
