"""Read and draw chest radiographs with one autoregressive model.

`from llmcxr import CXR` is the library's front door. Importing the package itself loads nothing heavy: torch
and transformers come with the first use of `CXR`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmcxr.decoding.predict import CXR

__version__ = "0.1.0"
__all__ = ["CXR", "__version__"]


def __getattr__(name: str):
    if name == "CXR":
        from llmcxr.decoding.predict import CXR

        return CXR
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "CXR"])
