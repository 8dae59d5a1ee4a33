"""Measure how faithful reconstructions are and how the codes are used. Knows no training.

Legend: B batch, h w latent grid, K codebook_size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from vqgan.model import VQGAN

WINDOW = 11  # pixels: the smallest side that SSIM, and every scale of MS-SSIM, can have
# Wang et al. 2003: the weights of five scales, from full resolution to a 16th.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def psnr(reconstruction: Tensor, images: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return (B,) the peak signal-to-noise ratio of each, dB; pixels count by `weights` (B, 1, H, W)."""
    squared_error = (reconstruction - images).square()  # (B, 1, H, W)
    if weights is None:
        mean = squared_error.mean((1, 2, 3))  # (B,)
    else:
        mean = (weights * squared_error).sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp(min=1e-6)
    return -10 * torch.log10(mean.clamp(min=1e-10))


def ssim(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return (B,) the structural similarity of each image (Wang et al. 2004; Gaussian of sigma 1.5, range 1).

    As published, the mean is over the places where the whole window lies inside the image.
    """
    _, places = structural_similarity_index_measure(
        reconstruction, images, data_range=1.0, reduction="none", return_full_image=True
    )  # (B, 1, H, W); the outer ones saw a reflected border
    border = WINDOW // 2
    return places[..., border:-border, border:-border].mean((1, 2, 3))  # (B,)


def ms_ssim(reconstruction: Tensor, images: Tensor) -> Tensor:
    """Return (B,) the multi-scale structural similarity of each image (Wang et al. 2003).

    The scales count as `scale_weights` says.

    A negative correlation counts as none. Raises ValueError below 11 pixels.
    """
    return multiscale_structural_similarity_index_measure(
        reconstruction,
        images,
        data_range=1.0,
        betas=scale_weights(min(images.shape[-2:])),
        normalize="relu",
        reduction="none",
    ).reshape(-1)


def scale_weights(side: int) -> tuple[float, ...]:
    """Weigh, summing to 1, the scales at which `side` pixels are still as wide as the window.

    From 176 pixels all five, from 99 four, from 44 three, from 22 two.
    """
    if side < WINDOW:
        raise ValueError(f"MS-SSIM needs images of {WINDOW} pixels or more, got {side}")
    # torchmetrics asks for side // scale² where the images shrink by 2**scale, which differs at scale 3 alone
    fitting = [
        weight for scale, weight in enumerate(SCALE_WEIGHTS) if side // max(2**scale, scale**2) >= WINDOW
    ]
    return tuple(weight / sum(fitting) for weight in fitting)


def code_statistics(counts: Tensor) -> dict[str, float]:
    """Return from counts (K,) the `usage`, the share that occurs, and `perplexity`, exp of the entropy."""
    share = counts.double() / counts.sum().clamp(min=1)  # (K,), summing to 1
    entropy = -(share * share.clamp(min=1e-12).log()).sum()
    return {"usage": float((counts > 0).double().mean()), "perplexity": float(entropy.exp())}


@torch.no_grad()
def evaluate(model: VQGAN, batches: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
    """Average `psnr` (dB), `ssim`, code `usage`, `perplexity` over batches of {"image", optional "weight"}.

    With weights also `psnr_salient`: the PSNR where the weight map is, over the images that have any.
    Reconstructions are clipped to [0, 1] as `decode` gives them.
    """
    device = next(model.parameters()).device
    counts = torch.zeros(model.config.codebook_size, dtype=torch.long)
    scores: dict[str, list[Tensor]] = {"psnr": [], "ssim": [], "psnr_salient": []}
    for batch in batches:
        images = batch["image"].to(device)
        output = model(images)
        reconstruction = output.reconstruction.float().clamp(0, 1)
        counts += torch.bincount(output.codes.flatten().cpu(), minlength=len(counts))
        scores["psnr"].append(psnr(reconstruction, images).cpu())
        scores["ssim"].append(ssim(reconstruction, images).cpu())
        if "weight" in batch:
            weights = batch["weight"].to(device)
            has_any = weights.sum((1, 2, 3)) > 0  # (B,) bool
            scores["psnr_salient"].append(psnr(reconstruction, images, weights)[has_any].cpu())
    joined = {name: torch.cat(values) for name, values in scores.items() if values}
    means = {name: float(values.mean()) for name, values in joined.items() if len(values)}
    return means | code_statistics(counts)
