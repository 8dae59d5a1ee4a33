"""Write the result of `evaluate_privacy` as a document. Knows its keys, computes nothing."""

from __future__ import annotations

from llmcxr.evaluation.left_out import say_left_out, say_unread
from llmcxr.evaluation.privacy.measures import BASELINE_QUANTILE, QUANTILES
from llmcxr.pages.document import Block, Heading, Paragraph, Table
from llmcxr.pages.tables import interval, number

SPACES = {
    "code_space": "code space (share of cells that differ)",
    "feature_space": "feature space (1 - cosine)",
}


SIDES = {"training": "training", "held_out": "held-out"}  # of the JSON: the words for their studies


def privacy_blocks(result: dict) -> list[Block]:
    """Write the verdict, distances in every space, then membership."""
    blocks: list[Block] = [
        Heading("Does it give its training images back?"),
        Paragraph(
            f"{result['n']} drawings of the requests of {result['requests']} images, searched for among the "
            f"first {result['num_training']} training images; seed {result['seed']}."
        ),
        *(Paragraph(f"{sentence}.") for sentence in _count_sentences(result)),
    ]
    if "exact_copies" in result:
        copies = result["exact_copies"]
        blocks.append(
            Paragraph(
                f"Exact copies, by all codes: {copies['copies']} of {copies['n']}"
                f"{interval(copies['interval'])}."
            )
        )
    for space, title in SPACES.items():
        if space in result:
            blocks += _space(title, result[space])
    return [*blocks, *_membership(result["membership"])]


def left_out_sentences(result: dict) -> list[str]:
    """Say which studies of either side had to be left out, and why their images failed."""
    unread = result["unread_images"]
    reasons = [one for side, name in SIDES.items() for one in say_unread(unread[side], f"{name} study")]
    return [*_count_sentences(result), *reasons]


def _count_sentences(result: dict) -> list[str]:
    counts = result["studies"]
    return [one for side, name in SIDES.items() for one in say_left_out(counts[side], f"{name} studies")]


def _space(title: str, space: dict) -> list[Block]:
    rows = [_quantiles("drawing to nearest training image", space["nearest"], None)]
    verdicts = []
    for name, real in space["baselines"].items():
        rows.append(_quantiles(f"real: {name}", real, real["drawings_below_p5"]))
        is_near = real["drawings_below_p5"]["interval"][0] > BASELINE_QUANTILE
        verdicts.append(
            f"**Against real images ({name}), drawings lie too near to training images**: they copy, or they "
            "are more alike than real images are; look at the closest pairs."
            if is_near
            else f"Against real images ({name}), drawings lie no nearer to training images than by chance."
        )
    header = ["distance", *QUANTILES, "n", "drawings below p5 of it (95%)"]
    return [Table(header, rows, f"In {title}"), Paragraph(" ".join(verdicts))]


def _quantiles(name: str, found: dict, below: dict | None) -> list[str]:
    share = "" if below is None else number(below["share"]) + interval(below["interval"])
    return [name, *(number(found[key]) for key in QUANTILES), str(found["n"]), share]


def _membership(attacks: dict) -> list[Block]:
    if not attacks:
        return [Paragraph("Membership left out: the system gives no likelihood of an image.")]
    rows = [
        [
            name,
            number(one["auc"]) + interval(one["auc_interval"]),
            number(one["tpr_at_1_percent_fpr"]),
            str(one["n_training"]),
            str(one["n_held_out"]),
        ]
        for name, one in attacks.items()
    ]
    header = ["members told by", "AUC (95%), chance 0.5", "found at 1% false alarms", "training", "held out"]
    notes = {one["note"] for one in attacks.values() if one["note"]}
    return [Table(header, rows, "Membership inference"), *(Paragraph(f"{note}.") for note in sorted(notes))]
