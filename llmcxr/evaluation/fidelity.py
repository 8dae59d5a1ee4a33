"""How much of a radiograph an image tokenizer keeps: PSNR, SSIM, codes used, and findings surviving.

Survival is the share of the findings that the evaluator sees in the original and still sees in the
reconstruction: what it misses in the original is not counted against the tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from llmcxr.data.phantom.case import FINDINGS, PhantomCase
from llmcxr.evaluation.classifier import score_readings
from llmcxr.evaluation.pictures import psnr, ssim
from llmcxr.evaluation.scores import macro
from llmcxr.model.classifier import Classifier, ClassifierReading


def tokenizer_fidelity(
    tokenizer: Any, dataset: Any, n: int, evaluator: Classifier | None = None, batch_size: int = 32
) -> dict:
    """Encode and decode the first `n` images of a dataset.

    `tokenizer` has `encode`, `decode`, `config.image_size` and `codebook_size` as `vqgan.VQGAN`. Without an
    evaluator, or where the dataset does not know its cases, the survival of findings is left out.
    """
    images = np.stack([dataset.read(index, tokenizer.config.image_size) for index in range(n)])
    reconstructions, codes = _reconstruct(tokenizer, images, batch_size)
    scores = {
        "n": n,
        "psnr": float(psnr(images, reconstructions).mean()),
        "ssim": float(ssim(images, reconstructions).mean()),
        **code_statistics(codes, tokenizer.config.codebook_size),
    }
    if evaluator is not None and hasattr(dataset, "case"):
        cases = [dataset.case(index) for index in range(n)]
        scores["findings"] = _survival(cases, evaluator.predict(images), evaluator.predict(reconstructions))
        scores["survival_macro"] = macro(
            {name: score["survival"] for name, score in scores["findings"].items()}
        )
    return scores


def code_statistics(codes: np.ndarray, codebook_size: int) -> dict[str, float | int]:
    """How many of the codebook's codes occur, and the perplexity of their frequencies (codebook_size at
    best)."""
    counts = np.bincount(np.asarray(codes).ravel(), minlength=codebook_size)
    frequencies = counts[counts > 0] / counts.sum()
    return {
        "codes_used": int((counts > 0).sum()),
        "codebook_size": codebook_size,
        "perplexity": float(np.exp(-(frequencies * np.log(frequencies)).sum())),
    }


@torch.no_grad()
def _reconstruct(tokenizer: Any, images: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    device = next(tokenizer.parameters()).device
    decoded, codes = [], []
    for batch in torch.from_numpy(images)[:, None].split(batch_size):
        codes.append(tokenizer.encode(batch.to(device)))
        decoded.append(tokenizer.decode(codes[-1])[:, 0].cpu())
    return torch.cat(decoded).numpy(), torch.cat(codes).cpu().numpy()


def _survival(
    cases: Sequence[PhantomCase],
    originals: Sequence[ClassifierReading],
    reconstructed: Sequence[ClassifierReading],
) -> dict[str, dict]:
    before, after = score_readings(cases, originals), score_readings(cases, reconstructed)
    survival = {}
    for name in FINDINGS:
        first, second = before["findings"][name], after["findings"][name]
        seen = [i for i, case in enumerate(cases) if case.find(name) and name in originals[i].present]
        kept = [name in reconstructed[i].present for i in seen]
        survival[name] = {
            "survival": float(np.mean(kept)) if kept else None,
            "f1_original": first["f1"],
            "f1_reconstructed": second["f1"],
            "support": first["support"],
        }
    return survival
