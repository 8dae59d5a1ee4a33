"""Choose where a network runs. Imports torch when asked, so that looking at help stays quick."""

from __future__ import annotations

from llmcxr.common.errors import UserError

# Two images of 256 px: the widest layers of taming's encoder then hold 0.3 GB, and more would be no faster.
CPU_PIXELS = 2**17
GPU_PIXELS = 2**21


def choose_device(name: str) -> str:
    """Return the device: `auto` is cuda where there is a usable GPU, else cpu; other names are checked.
    Raises UserError.
    """
    import torch

    has_cuda = torch.cuda.is_available()
    if name not in ("auto", "cpu") and not (name.startswith("cuda") and has_cuda):
        usable = "auto, cpu or cuda" if has_cuda else "auto or cpu, as there is no usable GPU here"
        raise UserError(f"device must be {usable}; got {name!r}")
    return ("cuda" if has_cuda else "cpu") if name == "auto" else name


def images_at_once(side: int, device: str) -> int:
    """Return how many images of side x side pixels to give an image tokenizer at once: memory stays small."""
    pixels = CPU_PIXELS if device == "cpu" else GPU_PIXELS
    return max(1, pixels // side**2)
