"""How alike an image and its reconstruction are, pixel by pixel, in regions, and along thin lines.

N images of H x W pixels, float in [0, 1].
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

# Wang et al. 2003, the weights of five scales, each of half the side of the one before.
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11  # pixels: the smallest side that a scale can have
LINE_WINDOW = 9 / 128  # side of the neighbourhood that a line stands out from, in image sides
LEAST_LINE = 1e-6  # mean square of a line's contrast below which nothing is drawn there


def count_scales(side: int) -> int:
    """How many scales of MS-SSIM an image of this side has room for: five from 176 px on, at least one."""
    fits = (scales for scales in (5, 4, 3, 2) if side // max(2 ** (scales - 1), (scales - 1) ** 2) >= WINDOW)
    return next(fits, 1)


def ms_ssim(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray | None:
    """(N,) multi-scale structural similarity (Wang et al. 2003), None below 11 px.

    On sides too small for five scales the first ones count, their weights made to sum to one.
    """
    side = min(images.shape[1:])
    if side < WINDOW:
        return None
    weights = SCALE_WEIGHTS[: count_scales(side)]
    first, second = (torch.from_numpy(np.ascontiguousarray(x))[:, None] for x in (reconstructions, images))
    values = multiscale_structural_similarity_index_measure(
        first,
        second,
        data_range=1.0,
        betas=tuple(weight / sum(weights) for weight in weights),
        normalize="relu",  # a negative correlation counts as none
        reduction="none",
    )
    return values.reshape(-1).numpy()


def region_psnr(image: np.ndarray, reconstruction: np.ndarray, region: np.ndarray) -> float:
    """dB inside a bool mask (H, W) that is not empty; 100 where nothing differs."""
    error = np.square(image[region].astype(np.float64) - reconstruction[region]).mean()
    return float(-10 * np.log10(max(error, 1e-10)))


def line_contrast_kept(image: np.ndarray, reconstruction: np.ndarray, lines: np.ndarray) -> float | None:
    """How much of the contrast of thin lines is left: 1 is all, 0 is none, None where nothing is drawn.

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
    """(H, W) -> each pixel less the mean of the square around it."""
    reach = max(1, round(LINE_WINDOW * min(image.shape) / 2))
    pixels: Tensor = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
    padded = F.pad(pixels, (reach,) * 4, mode="replicate")
    return (pixels - F.avg_pool2d(padded, 2 * reach + 1, stride=1))[0, 0].numpy()
