"""Lay out the result of `evaluate_tokenizer` as a document. Knows its keys, computes nothing."""

from __future__ import annotations

from llmcxr.pages.document import Block, Paragraph, Table
from llmcxr.pages.tables import interval, number

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


def tokenizer_blocks(result: dict) -> list[Block]:
    """Tabulate what the tokenizer erases, a row a finding, and say the scores over all images."""
    scores = [*result["per_finding"].values(), result["macro"]]
    columns = [name for name in ERASURE_COLUMNS if any(score.get(name) is not None for score in scores)]
    if not columns:
        return [_fidelity_line(result)]

    def cells(score: dict) -> list[str]:
        return [number(score.get(name)) + interval(score.get(f"{name}_interval")) for name in columns]

    rows = [[name, *cells(score)] for name, score in result["per_finding"].items()]
    means = {"lesion_psnr": result["lesion_psnr"], "line_contrast": result["line_contrast"]}
    rows.append(["**macro**", *cells(result["macro"] | means)])
    return [Table(["tokenizer", *(ERASURE_COLUMNS[name] for name in columns)], rows), _fidelity_line(result)]


def _fidelity_line(result: dict) -> Paragraph:
    parts = [f"PSNR {number(result['psnr'], 2)} dB", f"SSIM {number(result['ssim'])}"]
    parts += [f"MS-SSIM {number(result['ms_ssim'])}"]
    if result["frechet"] is not None:
        parts.append(f"Fréchet distance {number(result['frechet'], 4)} ({result['frechet_features']})")
    parts.append(f"{result['codes_used']} of {result['codebook_size']} codes used ({result['usage']:.1%})")
    parts.append(f"perplexity {number(result['perplexity'], 0)}")
    for key, name in (("lesion_psnr", "PSNR in lesions"), ("line_contrast", "thin-line contrast kept")):
        if result[key] is not None:
            parts.append(f"{name} {number(result[key], 2)}")
    return Paragraph(f"Tokenizer on {result['n']} images: {', '.join(parts)}")
