"""Read the tensors of foreign checkpoints without running any code that they name.

A pickle may name any function to be called on loading, and Lightning's and torchxrayvision's files do name
classes of packages that need not be here. Every class that torch does not count as safe is replaced by an
inert one of ours: the tensors come through and nothing else does. Knows no network.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vqgan.errors import UserError
from vqgan.foreign import legacy_pickles
from vqgan.foreign.legacy_pickles import Inert

# What reading a file of another kind, or a damaged one, may raise.
UNREADABLE = (
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read the state dict in a file of torch.save: a state dict itself, a Lightning checkpoint that has one
    under `state_dict`, or a whole pickled module. In float32 where it holds floats.

    Raises UserError naming the file where there is none, and where torch blocks what it names.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: expected a checkpoint, found no such file")
    try:
        content = _read(path)
    except UNREADABLE as error:
        raise UserError(
            f"{path}: expected a checkpoint written by torch.save, found {_reason(error)}"
        ) from error
    if isinstance(content, Inert):
        content = dict(_tensors_of_module(content))
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    tensors = content if isinstance(content, Mapping) else {}
    tensors = {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not tensors:
        found = (
            f"keys {', '.join(map(str, list(content)[:5]))}"
            if isinstance(content, Mapping)
            else type(content)
        )
        raise UserError(f"{path}: expected tensors, alone or under `state_dict`, found {found}")
    return {
        name: value.detach().float() if value.is_floating_point() else value
        for name, value in tensors.items()
    }


def _reason(error: Exception) -> str:
    """Return one line of torch's message, without its advice to load the file with weights_only=False."""
    paragraphs = [part.strip() for part in str(error).split("\n\n") if part.strip()] or [type(error).__name__]
    is_torchs = paragraphs[0].startswith("Weights only load failed") and len(paragraphs) > 1
    return paragraphs[1 if is_torchs else 0].splitlines()[0]


def _read(path: Path) -> Any:
    if not zipfile.is_zipfile(path):
        return legacy_pickles.read(path)
    unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    stand_ins = [(type(name, (Inert,), {}), name) for name in sorted(unsafe)]
    with torch.serialization.safe_globals(stand_ins):
        return torch.load(path, map_location="cpu", weights_only=True)


def _tensors_of_module(module: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Collect what `state_dict` would give, from the attributes in which torch.nn.Module keeps it."""
    kept = vars(module)
    for tensors in (kept.get("_parameters", {}), kept.get("_buffers", {})):
        for name, tensor in tensors.items():
            if isinstance(tensor, Tensor):
                yield prefix + name, tensor
    for name, child in kept.get("_modules", {}).items():
        if child is not None:
            yield from _tensors_of_module(child, f"{prefix}{name}.")
