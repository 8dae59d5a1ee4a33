"""Choose where a network runs. Imports torch when asked, so that looking at help stays quick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vqgan.errors import UserError

if TYPE_CHECKING:
    import torch


def choose_device(name: str | torch.device) -> str:
    """Return the device: `auto` is cuda where there is a usable GPU, else cpu; other names are tried.
    Raises UserError.
    """
    import torch

    has_cuda = torch.cuda.is_available()
    name = str(name)
    if name == "auto":
        return "cuda" if has_cuda else "cpu"
    try:
        is_usable = torch.empty(0, device=name).device.type != "meta"
    except (
        RuntimeError,
        AssertionError,
        NotImplementedError,
    ):  # no such name, no such GPU, a torch without it
        is_usable = False
    if not is_usable:
        usable = "auto, cpu or cuda" if has_cuda else "auto or cpu, as there is no usable GPU here"
        raise UserError(f"device must be {usable}; got {name!r}")
    return name
