"""Write evaluation results as markdown tables. Knows the keys of the results, computes nothing."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | int | None, digits: int = 3) -> str:
    """0.9312 -> "0.931", 12 -> "12", None -> "-"."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is left-aligned and whose others are right-aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def interval(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f" ({number(bounds[0])}-{number(bounds[1])})"


def reading_table(result: dict) -> str:
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
    return markdown(["read", "F1", "precision", "recall", "exact F1", "n", "side", "zone"], rows)


def drawing_table(*results: dict) -> str:
    """One column of agreement per result (such as one sample and best of four), then the first one's
    details."""
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
    return markdown(["drawn", *header, "with zone", "added", "n"], rows)


def classifier_table(result: dict) -> str:
    columns = ("f1", "precision", "recall", "side_accuracy", "zone_accuracy", "support")
    rows = [
        [name, *(number(score.get(column)) for column in columns)]
        for name, score in result["findings"].items()
    ]
    rows.append(["**macro**", number(result["macro"]["f1"]), "", "", "", "", ""])
    return markdown(["classifier", "F1", "precision", "recall", "side", "zone", "n"], rows)


def fidelity_line(result: dict) -> str:
    """The tokenizer's scores over all images in a sentence."""
    parts = [f"PSNR {number(result['psnr'], 2)} dB", f"SSIM {number(result['ssim'])}"]
    parts += [f"MS-SSIM {number(result['ms_ssim'])}"]
    if result["frechet"] is not None:
        parts.append(f"Fréchet distance {number(result['frechet'], 4)} ({result['frechet_features']})")
    parts.append(f"{result['codes_used']} of {result['codebook_size']} codes used ({result['usage']:.1%})")
    parts.append(f"perplexity {number(result['perplexity'], 0)}")
    for key, name in (("lesion_psnr", "PSNR in lesions"), ("line_contrast", "thin-line contrast kept")):
        if result[key] is not None:
            parts.append(f"{name} {number(result[key], 2)}")
    return f"Tokenizer on {result['n']} images: {', '.join(parts)}"


ERASURE_COLUMNS = {
    "auroc_original": "AUROC before",
    "auroc_reconstructed": "AUROC after",
    "auroc_change": "change",
    "survival": "survival",
    "f1_original": "F1 before",
    "f1_reconstructed": "F1 after",
    "support": "n",
    "lesion_psnr": "lesion dB",
    "num_lesions": "lesions",
    "line_contrast": "line contrast",
    "num_lines": "lines",
}


def erasure_table(result: dict) -> str:
    """What the tokenizer erases: a row for each finding, a column for what is known of any, or nothing."""
    scores = [*result["per_finding"].values(), result["macro"]]
    columns = [name for name in ERASURE_COLUMNS if any(score.get(name) is not None for score in scores)]
    if not columns:
        return ""

    def cells(score: dict) -> list[str]:
        return [number(score.get(name)) + interval(score.get(f"{name}_interval")) for name in columns]

    rows = [[name, *cells(score)] for name, score in result["per_finding"].items()]
    means = {"lesion_psnr": result["lesion_psnr"], "line_contrast": result["line_contrast"]}
    rows.append(["**macro**", *cells(result["macro"] | means)])
    return markdown(["tokenizer", *(ERASURE_COLUMNS[name] for name in columns)], rows)


def ratio_line(name: str, result: dict) -> str:
    """One ratio agreement in words, such as "ratio read: r 0.981, mean error 0.009, n 500"."""
    return f"{name}: r {number(result['r'])}, mean error {number(result['mae'])}, n {result['n']}"
