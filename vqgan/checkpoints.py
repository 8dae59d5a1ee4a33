"""Read the tensors of foreign checkpoints without running any code that they name.

A pickle may name any function to be called on loading, and Lightning's and torchxrayvision's files do name
classes of packages that need not be here. Every class that torch does not count as safe is replaced by an
inert one of ours: the tensors come through and nothing else does. Knows no network.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

# Streams before the one with the object in the format of torch < 1.6: magic number, version, machine.
LEGACY_HEADERS = 3


class _Inert:
    """Takes any arguments and any state, and does nothing with them but keep the state."""

    def __init__(self, *arguments: Any, **settings: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a file of torch.save: a state dict itself, a Lightning checkpoint that has one under
    `state_dict`, or a whole pickled module. In float32 where it holds floats.

    Raises ValueError naming the file where there is none.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: expected a checkpoint, found no such file")
    try:
        content = _read(path)
    except (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, ValueError) as error:
        raise ValueError(
            f"{path}: expected a checkpoint written by torch.save, found {str(error).splitlines()[0]}"
        ) from error
    if isinstance(content, _Inert):
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
        raise ValueError(f"{path}: expected tensors, alone or under `state_dict`, found {found}")
    return {
        name: value.detach().float() if value.is_floating_point() else value
        for name, value in tensors.items()
    }


def _read(path: Path) -> Any:
    stand_ins = [(type(name, (_Inert,), {}), name) for name in sorted(_unsafe_names(path))]
    with torch.serialization.safe_globals(stand_ins):
        return torch.load(path, map_location="cpu", weights_only=True)


def _unsafe_names(path: Path) -> set[str]:
    """`module.name` of each class or function that the file names and torch does not count as safe."""
    if zipfile.is_zipfile(path):
        return set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    with path.open("rb") as file:
        return set(_names_in(file))  # what torch counts as safe stays torch's own


def _names_in(file: IO[bytes]) -> Iterator[str]:
    for _ in range(LEGACY_HEADERS + 1):
        for operation, argument, _position in pickletools.genops(file):
            if operation.name == "GLOBAL":
                yield argument.replace(" ", ".")


def _tensors_of_module(module: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """What `state_dict` would give, from the attributes in which torch.nn.Module keeps it."""
    kept = vars(module)
    for tensors in (kept.get("_parameters", {}), kept.get("_buffers", {})):
        for name, tensor in tensors.items():
            if isinstance(tensor, Tensor):
                yield prefix + name, tensor
    for name, child in kept.get("_modules", {}).items():
        if child is not None:
            yield from _tensors_of_module(child, f"{prefix}{name}.")
