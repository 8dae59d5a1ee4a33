"""Compare an image with its reconstruction: pixel by pixel, in regions, and along thin lines.

N images of H x W pixels, float in [0, 1].
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vqgan.metrics import WINDOW, ms_ssim, psnr, ssim

LINE_WINDOW = 9 / 128  # side of the neighbourhood that a line stands out from, in image sides
LEAST_LINE = 1e-6  # mean square of a line's contrast below which nothing is drawn there


def similarities(images: np.ndarray, reconstructions: np.ndarray) -> dict[str, np.ndarray]:
    """Return `psnr` (dB), `ssim` and `ms_ssim` of each image, (N,) of (N, H, W); PSNR alone below 11 px."""
    contiguous = (np.ascontiguousarray(pixels) for pixels in (reconstructions, images))
    pair = [torch.from_numpy(pixels)[:, None] for pixels in contiguous]  # (N, 1, H, W) each
    values = {"psnr": psnr(*(pixels.double() for pixels in pair))}
    if min(images.shape[1:]) >= WINDOW:
        values |= {"ssim": ssim(*pair), "ms_ssim": ms_ssim(*pair)}
    return {name: per_image.numpy().astype(np.float64) for name, per_image in values.items()}


def region_psnr(image: np.ndarray, reconstruction: np.ndarray, region: np.ndarray) -> float:
    """Return the PSNR inside a bool mask (H, W) that is not empty, dB; 100 where nothing differs."""
    pixels = (torch.from_numpy(x)[None, None].double() for x in (reconstruction, image, region))
    return psnr(*pixels).item()


def line_contrast_kept(image: np.ndarray, reconstruction: np.ndarray, lines: np.ndarray) -> float | None:
    """Return how much of the contrast of thin lines is left, 0 to 1; None where nothing is drawn.

    `lines` (H, W) in 0..1 is where they are. Contrast is the difference to the mean of a neighbourhood; what
    is kept is the slope of the reconstruction's on the image's, over the lines: noise that the tokenizer adds
    does not count as contrast kept.
    """
    before, after = _stand_out(image), _stand_out(reconstruction)
    power = float((lines * before * before).sum())
    if power < LEAST_LINE * max(float(lines.sum()), 1.0):
        return None
    return float((lines * before * after).sum()) / power


def _stand_out(image: np.ndarray) -> np.ndarray:
    """Subtract from each pixel of (H, W) the mean of the square around it."""
    reach = max(1, round(LINE_WINDOW * min(image.shape) / 2))
    pixels: Tensor = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
    padded = F.pad(pixels, (reach,) * 4, mode="replicate")  # (1, 1, H + 2 reach, W + 2 reach)
    return (pixels - F.avg_pool2d(padded, 2 * reach + 1, stride=1))[0, 0].numpy()
