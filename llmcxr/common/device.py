"""Choose where a network runs, as the image tokenizer does, and how many images it is given at once."""

from __future__ import annotations

from vqgan.device import choose_device

__all__ = ["choose_device", "images_at_once"]

# Two images of 256 px: the widest layers of taming's encoder then hold 0.3 GB, and more would be no faster.
CPU_PIXELS = 2**17
GPU_PIXELS = 2**21


def images_at_once(side: int, device: str) -> int:
    """Return how many images of side x side pixels to give an image tokenizer at once: memory stays small."""
    pixels = CPU_PIXELS if device == "cpu" else GPU_PIXELS
    return max(1, pixels // side**2)
