"""Turn chest radiographs into a grid of discrete codes, and back. Imports nothing from llmcxr.

>>> from vqgan import VQGAN, VQGANConfig
>>> tokenizer = VQGAN(VQGANConfig())
>>> codes = tokenizer.encode(images)         # (B, 1, 128, 128) float32 in [0, 1] -> (B, 16, 8) int64
>>> images = tokenizer.decode(codes)

Importing the package itself loads nothing heavy: torch comes with the first use of a name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqgan.config import VQGANConfig
    from vqgan.model import VQGAN, VQGANOutput

__all__ = ["VQGAN", "VQGANConfig", "VQGANOutput"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("vqgan.config" if name == "VQGANConfig" else "vqgan.model"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
