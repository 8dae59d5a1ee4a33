"""Open any dataset by one string, `KIND:PATH[,key=value...]`. Knows the kinds' names, not their formats."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable
from importlib import import_module

from llmcxr.common.errors import UserError
from llmcxr.data.dataset import Dataset
from llmcxr.records import SPLITS

# kind: (module, callable that opens it). A kind that reads files takes its path first; the other parameters
# are the keys it knows, and their annotations say what a value must be.
KINDS = {
    "phantom": ("llmcxr.data.phantom", "PhantomDataset"),
    "nih": ("llmcxr.data.nih", "open_nih"),
    "openi": ("llmcxr.data.openi", "open_openi"),
    "folder": ("llmcxr.data.csv", "open_folder"),
    "dicom": ("llmcxr.data.dicom_folder", "open_dicom_folder"),
}
COMPUTED = ("phantom",)  # no path
FORM = "KIND:PATH[,key=value...]"


def open_dataset(name: str) -> Dataset:
    """Open a dataset such as `phantom:n=4000,seed=0`, `nih:DIR,split=train` or `folder:FILE.csv`.

    Raises UserError naming an unknown kind or key, a value of the wrong type, or what the files lack.
    """
    kind, path, options = _parse(name)
    module, opener_name = KINDS[kind]
    opener = getattr(import_module(module), opener_name)
    keys = _list_keys(opener, has_path=kind not in COMPUTED)
    for key in options:
        if key not in keys:
            raise UserError(
                f"{name}: expected a key of {kind} ({', '.join(keys)}), found {key!r}; correct it"
            )
    values = {key: _convert(name, key, value, keys[key]) for key, value in options.items()}
    dataset = opener(**values) if kind in COMPUTED else opener(path, **values)
    dataset.name, dataset.kind = name, kind
    return dataset


def find_kind(name: str) -> str:
    """The kind that an opening string names, whether or not there is one of that name."""
    return name.partition(":")[0]


def _parse(name: str) -> tuple[str, str, dict[str, str]]:
    """`nih:DIR,split=train` -> ("nih", "DIR", {"split": "train"}). A path may hold commas."""
    kind, _, rest = name.partition(":")
    if kind not in KINDS:
        raise UserError(
            f"{name}: expected a dataset as {FORM} with KIND one of {', '.join(KINDS)}, "
            f"found {kind!r}; correct it"
        )
    parts = rest.split(",") if rest else []
    pairs = []
    while parts and re.match(r"\s*\w+=", parts[-1]):
        key, _, value = parts.pop().strip().partition("=")
        pairs.append((key, value))
    path = ",".join(parts).strip()
    if kind in COMPUTED and path:
        raise UserError(f"{name}: expected only key=value after {kind}:, found {path!r}; correct it")
    if kind not in COMPUTED and not path:
        raise UserError(f"{name}: expected {kind}:PATH, found no path; name the files' place")
    return kind, path, dict(reversed(pairs))


def _list_keys(opener: Callable, has_path: bool) -> dict[str, type]:
    """The keys that an opener knows and the type of each, from its signature."""
    hints = typing.get_type_hints(opener.__init__ if inspect.isclass(opener) else opener)
    names = list(inspect.signature(opener).parameters)[1 if has_path else 0 :]
    return {name: _pick_type(hints.get(name, str)) for name in names}


def _pick_type(hint: object) -> type:
    """`int | None` -> int: the type that a value given as text should become."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    return hint if hint in (int, float) else str


def _convert(name: str, key: str, value: str, wanted: type) -> int | float | str:
    if key == "split" and value not in SPLITS:
        raise UserError(f"{name}: expected split={'|'.join(SPLITS)}, found split={value}; correct it")
    try:
        return wanted(value)
    except ValueError as error:
        raise UserError(
            f"{name}: expected {key} to be {wanted.__name__}, found {value!r}; correct it"
        ) from error
