"""Write the result of `evaluate_phantom` as a document. Knows its keys, computes nothing."""

from __future__ import annotations

from llmcxr.evaluation.tokenizer.page import tokenizer_blocks
from llmcxr.pages.document import Block, Paragraph, Table
from llmcxr.pages.tables import interval, number


def phantom_blocks(result: dict) -> list[Block]:
    reading, drawings = result["reading"], result["drawing"]
    kinds = (
        f"{kind} {number(score['accuracy'])} (n {score['support']})"
        for kind, score in result["answers"]["kinds"].items()
    )
    return [
        reading_table(reading),
        ratio_line("Cardiothoracic ratio, read against true", reading["ratio"]),
        drawing_table(*drawings),
        *(
            ratio_line(f"Ratio requested against drawn, best of {one['best_of']}, {judge}", one[key])
            for one in drawings
            for judge, key in (("by geometry", "ratio_by_geometry"), ("by classifier", "ratio_by_classifier"))
        ),
        Paragraph(f"Answers right: {', '.join(kinds)}"),
        classifier_table(result["evaluator"]),
        *(tokenizer_blocks(result["tokenizer"]) if "tokenizer" in result else []),
    ]


def reading_table(result: dict) -> Table:
    columns = ("f1", "precision", "recall", "exact_f1", "support")
    rows = [
        [
            name,
            *(number(score[column]) for column in columns),
            number(result["sides"].get(name, {}).get("accuracy")),
            number(result["zones"].get(name, {}).get("accuracy")),
        ]
        for name, score in result["findings"].items()
    ]
    total = result["macro"]
    mean = f"{number(total['f1'])}{interval(total['f1_interval'])}"
    rows.append(["**macro**", mean, "", "", number(total["exact_f1"]), "", "", ""])
    return Table(["read", "F1", "precision", "recall", "exact F1", "n", "side", "zone"], rows)


def drawing_table(*results: dict) -> Table:
    """Write one column of agreement per result (such as one sample and best of four), then the first one's
    details.
    """
    first = results[0]
    rows = [
        [
            name,
            *(number(result["findings"][name]["agreement"]) for result in results),
            *(number(score[column]) for column in ("exact", "added", "named")),
        ]
        for name, score in first["findings"].items()
    ]
    means = [
        f"{number(result['macro']['agreement'])}{interval(result['macro']['agreement_interval'])}"
        for result in results
    ]
    rows.append(["**macro**", *means, number(first["macro"]["exact"]), number(first["macro"]["added"]), ""])
    header = [f"best of {result['best_of']}" if result["best_of"] > 1 else "one sample" for result in results]
    return Table(["drawn", *header, "with zone", "added", "n"], rows)


def classifier_table(result: dict) -> Table:
    columns = ("f1", "precision", "recall", "side_accuracy", "zone_accuracy", "support")
    rows = [
        [name, *(number(score.get(column)) for column in columns)]
        for name, score in result["findings"].items()
    ]
    rows.append(["**macro**", number(result["macro"]["f1"]), "", "", "", "", ""])
    return Table(["classifier", "F1", "precision", "recall", "side", "zone", "n"], rows)


def ratio_line(name: str, result: dict) -> Paragraph:
    """Write one agreement of ratios, such as "ratio read: r 0.981, mean error 0.009, n 500"."""
    return Paragraph(f"{name}: r {number(result['r'])}, mean error {number(result['mae'])}, n {result['n']}")
