"""Read arrays and torch tensors as radiographs. Knows no file; torch is never imported here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from llmcxr.common.errors import UserError
from llmcxr.images.header import to_luminance, warn_colour
from llmcxr.images.scaling import check_brightness, scale_integers

if TYPE_CHECKING:
    from torch import Tensor

SHAPES = "(H, W), (H, W, 1), or in colour (H, W, 3) or (3, H, W)"


def is_tensor(source: object) -> bool:
    """Return whether it is a tensor of torch, which is imported where there is one."""
    tensor = getattr(sys.modules.get("torch"), "Tensor", None)  # another thread may be importing it
    return tensor is not None and isinstance(source, tensor)


def is_colour(pixels: np.ndarray) -> bool:
    """Return whether an array is one picture in colour, (H, W, 3) or with transparency (H, W, 4)."""
    return pixels.ndim == 3 and pixels.shape[-1] in (3, 4)


def is_batch(source: object) -> bool:
    """Return whether it holds several pictures: an array (B, H, W), an array or a tensor (B, C, H, W)."""
    if is_tensor(source):
        return source.ndim == 4
    is_array = isinstance(source, np.ndarray) and source.ndim in (3, 4)
    return is_array and not is_colour(source) and not _is_grey(source)


def _is_grey(pixels: np.ndarray) -> bool:
    """Return whether an array is one picture of one channel, (H, W, 1)."""
    return pixels.ndim == 3 and pixels.shape[-1] == 1


def to_array(tensor: Tensor) -> np.ndarray:
    """Copy a tensor of any device to an array. Raises UserError for one that has no plain numbers."""
    try:
        plain = tensor.detach().cpu()
        return (plain.float() if plain.is_floating_point() else plain).numpy()  # numpy has no bfloat16
    except Exception as error:  # sparse, quantized and meta tensors answer with errors of many kinds
        found = f"{tensor.layout} of {tensor.dtype}"
        raise UserError(f"expected a tensor of plain numbers, found {found}") from error


def read_array(pixels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Read an array of one picture -> (H, W) float32 in [0, 1] and warnings.

    Floats are brightness in [0, 1] already; integers beyond 1 are scaled as a file's, see `scaling`. Raises
    UserError for another shape or type, and for floats that lie outside or are not finite.
    """
    if _is_grey(pixels):
        pixels = pixels[..., 0]
    if pixels.ndim == 3 and not is_colour(pixels) and pixels.shape[0] in (1, 3):
        pixels = pixels[0] if pixels.shape[0] == 1 else np.moveaxis(pixels, 0, -1)
    if not (is_colour(pixels) or pixels.ndim == 2) or pixels.dtype.kind not in "biuf":
        raise UserError(f"an image array must be {SHAPES}, of numbers, got {pixels.dtype} {pixels.shape}")
    if pixels.dtype.kind in "iu" and pixels.max(initial=0) > 1:
        values, warnings = scale_integers(pixels)
    else:
        check_brightness(pixels)
        values, warnings = np.clip(pixels.astype(np.float32), 0, 1), []
    if values.ndim == 2:
        return values, warnings
    is_transparent = values.shape[-1] == 4
    colours = values[..., :3] * values[..., 3:] if is_transparent else values  # on black, as a file's
    kind = "transparent" if is_transparent else "colour"
    return to_luminance(colours), [*warnings, *warn_colour(colours[::4, ::4], kind)]
