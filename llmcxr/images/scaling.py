"""Scale stored numbers to brightness in [0, 1], and refuse those that are none. Knows no file format.

The rule for integers, whatever holds them: their largest value tells their bits, the fewest of BITS that hold
it, and 2**bits - 1 is white. So a radiograph of 12 bits in a 16-bit file is as bright as one of 8 in an 8-bit
file, and the brightest pixel of any becomes no whiter than white. Files that declare fewer bits are scaled by
those. Values that are all multiples of 257 are an 8-bit picture spread over 16 bits, and stay as dark as it.
"""

from __future__ import annotations

import numpy as np

from llmcxr.common.errors import UserError

BITS = (8, 10, 12, 14, 16)  # that detectors and their files have
SPREAD = 257  # 65535 / 255: how 8 bits are spread over 16
LARGEST = 2.0**32  # beyond what any file of pixels means
TOLERANCE = 1e-3  # outside [0, 1], of rounding and resampling


def scale_integers(values: np.ndarray, bits: int | None = None) -> tuple[np.ndarray, list[str]]:
    """Scale integers (H, W) or in colour -> float32 in [0, 1] of the same shape, and warnings.

    `bits` is the depth that a file declares, None where that is only the depth of what holds the values.
    """
    lowest, largest = map(int, _find_range(values))
    scaled = values.astype(np.float32)
    if lowest < 0:
        return _scale_range(scaled, lowest, largest), ["negative values: scaled by their range"]
    if largest >= 2**16:
        scaled /= largest
        return scaled, ["32-bit values: scaled by the largest"]
    found = bits or find_bits(values, largest)
    scaled /= 2**found - 1
    is_found = bits is None and values.dtype.itemsize > 1 and found < 16
    warning = f"16-bit file with {found}-bit values: scaled by {2**found - 1}"
    return scaled, [warning] if is_found else []


def find_bits(values: np.ndarray, largest: int) -> int:
    """Find how many bits integers below 2**16 have, by the rule above."""
    if values.dtype.itemsize == 1:
        return 8
    bits = next(bits for bits in BITS if largest < 2**bits)
    is_spread = 8 < bits < 16 and not (values % SPREAD).any()
    return 16 if is_spread else bits


def scale_floats(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Scale floating-point numbers -> float32 in [0, 1], by their range where they lie outside, and warnings.

    Raises UserError where a value is not finite or too large to be a pixel's.
    """
    lowest, largest = _find_range(values)
    if not np.isfinite([lowest, largest]).all():
        raise UserError("expected finite pixels, found NaN or infinity; export it again")
    if max(-lowest, largest) > LARGEST:
        found = f"{lowest:g}..{largest:g}"
        raise UserError(f"expected pixels up to {LARGEST:.0e}, found {found}; export it again")
    if lowest >= -TOLERANCE and largest <= 1 + TOLERANCE:
        brightness = values.astype(np.float32)
        return np.clip(brightness, 0, 1, out=brightness), []
    warning = "floating-point values outside 0 to 1: scaled by their range"
    return _scale_range(values.astype(np.float32), lowest, largest), [warning]


def check_brightness(pixels: np.ndarray) -> None:
    """Raise UserError for pixels that are not finite, or outside [0, 1] by more than rounding."""
    lowest, largest = _find_range(pixels)
    if lowest >= -TOLERANCE and largest <= 1 + TOLERANCE:
        return
    is_finite = np.isfinite([lowest, largest]).all()
    found = f"{lowest:g}..{largest:g}" if is_finite else "NaN or infinity"
    raise UserError(f"pixels must be finite and must lie in [0, 1], found {found}")


def _find_range(values: np.ndarray) -> tuple[float, float]:
    """Find the smallest and the largest value: NaN where one is, 0 of no values."""
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _scale_range(values: np.ndarray, lowest: float, largest: float) -> np.ndarray:
    values -= np.float32(lowest)
    values /= np.float32(max(largest - lowest, 1e-12))
    return np.clip(values, 0, 1, out=values)
