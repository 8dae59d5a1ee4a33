"""Read files that torch.save wrote before torch 1.6, also whole modules, without running what they name.

torch itself reads whole modules of that age by running their pickle alone. Here a name in the pickle gives
one of the functions below, or an inert class. Four pickles stand in such a file (a magic number, a version,
the machine, the object), then one of the storages' keys, then the storages' bytes in the order of the keys.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
DTYPES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}


class Inert:
    """Takes any arguments and any state, and does nothing with them but keep the state."""

    def __init__(self, *arguments: Any, **settings: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


def _tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_ignored: Any) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _parameter(tensor: Tensor, *_ignored: Any) -> Tensor:
    return tensor


NAMES = {
    "collections.OrderedDict": OrderedDict,
    "__builtin__.set": set,
    "builtins.set": set,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    **{f"torch.{name}Storage": dtype for name, dtype in DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], storages: dict[str, Tensor]) -> None:
        super().__init__(file)
        self._storages = storages  # by key, flat; their bytes come later in the file

    def find_class(self, module: str, name: str) -> Any:
        return NAMES.get(f"{module}.{name}") or type(name, (Inert,), {})

    def persistent_load(self, saved_id: tuple) -> Any:
        kind, *rest = saved_id
        if kind == "module":  # a class and its source, which is not looked at
            return rest[0]
        dtype, key, _device, count, view = rest
        if key not in self._storages:
            self._storages[key] = torch.empty(count, dtype=dtype)
        if view is None:
            return self._storages[key]
        _key, offset, length = view
        return self._storages[key][offset : offset + length]


def read(path: Path) -> Any:
    """Read the object in the file, tensors in place of parameters. Raises pickle.UnpicklingError for another
    format.
    """
    storages: dict[str, Tensor] = {}
    with path.open("rb") as file:
        if _Unpickler(file, {}).load() != MAGIC_NUMBER:
            raise pickle.UnpicklingError("another file's first bytes")
        for _ in ("version", "machine"):
            _Unpickler(file, {}).load()
        content = _Unpickler(file, storages).load()
        for key in _Unpickler(file, {}).load():
            _fill(storages[key], file)
    return content


def _fill(storage: Tensor, file: IO[bytes]) -> None:
    count = int.from_bytes(file.read(8), "little")
    data = file.read(count * storage.element_size())
    if count != storage.numel() or len(data) != count * storage.element_size():
        raise pickle.UnpicklingError(f"a storage cut off: expected {storage.numel()} numbers")
    if count:
        storage.copy_(torch.frombuffer(bytearray(data), dtype=storage.dtype))
