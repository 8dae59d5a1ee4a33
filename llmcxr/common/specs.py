"""Parse strings that open something, `KIND:PLACE[,key=value...]`, and keep tables of openers by KIND. Knows
no kinds but those that were renamed.

Datasets, systems, metrics and feature networks each have a table KINDS. An entry is all that a new kind
needs, also one that a plug-in adds at run time: its opener's signature says whether it takes a place, and
which keys.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any

from llmcxr.common.errors import UserError

Opener = Callable[..., Any]
# What opens a kind, or the module and the name under which it is found there
Entry = Opener | tuple[str, str]
# Old names of datasets, in configurations, command lines, models and code stores written before
OLD_KINDS = {"folder": "csv"}
YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True)
class Spec:
    """Holds the parts of `nih:DIR,split=train`. `place` is "" and `settings` {} where there are none."""

    text: str
    kind: str
    place: str
    settings: dict[str, str]


def parse_spec(text: str, has_keys: bool = True) -> Spec:
    """Take a string apart. What stands as key=value at its end are settings; a place may hold commas.

    `has_keys=False` leaves all after the colon to the place, for kinds that take no key.
    """
    kind, _, rest = text.partition(":")
    parts = rest.split(",")
    settings: dict[str, str] = {}
    while has_keys and parts and (pair := re.fullmatch(r"\s*(\w+)=(.*)", parts[-1], re.DOTALL)):
        parts.pop()
        settings = {pair[1]: pair[2].rstrip(), **settings}
    return Spec(text, kind, ",".join(parts).strip(), settings)


def name_as_today(name: str) -> str:
    """Return an opening string with its kind as it is called today, to compare with one that was stored."""
    kind, colon, rest = name.partition(":")
    return f"{OLD_KINDS.get(kind, kind)}{colon}{rest}"


def find_opener(entry: Entry) -> Opener:
    """Find the callable of an entry; a module is imported only here, when its kind is asked for."""
    if callable(entry):
        return entry
    module, name = entry
    return attrgetter(name)(import_module(module))


def takes_place(opener: Opener) -> bool:
    """Return whether an opener's first parameter is a place: it is one where it has no default."""
    first = next(iter(inspect.signature(opener).parameters.values()), None)
    return first is not None and first.default is first.empty


def list_keys(opener: Opener) -> dict[str, inspect.Parameter]:
    """List the keys of an opener: its parameters besides the place and `device`, which the caller knows.

    `annotation` of each is bool, int, float or str: what a value given as text should become.
    """
    parameters = list(inspect.signature(opener).parameters.values())[takes_place(opener) :]
    return {
        parameter.name: parameter.replace(annotation=_pick_type(parameter.annotation))
        for parameter in parameters
        if parameter.name != "device" and parameter.kind is not parameter.VAR_KEYWORD
    }


def call_opener(opener: Opener, spec: Spec, find_device: Callable[[], str] | None = None) -> Any:
    """Open what a string names, whose keys are all known, with its settings as the types that the keys have.

    `find_device` gives the value of an opener's parameter `device`, where it has one.
    """
    keys = list_keys(opener)
    values: dict[str, object] = {
        key: _convert(spec.text, keys[key], value) for key, value in spec.settings.items()
    }
    if "device" in inspect.signature(opener).parameters:
        values["device"] = find_device()
    return opener(spec.place, **values) if takes_place(opener) else opener(**values)


def _convert(text: str, key: inspect.Parameter, value: str) -> bool | int | float | str:
    try:
        return _parse_bool(value) if key.annotation is bool else key.annotation(value)
    except ValueError as error:
        raise UserError(
            f"{text}: expected {key.name} to be {_tell_type(key.annotation)}, found {value!r}; correct it"
        ) from error


def _tell_type(annotation: type) -> str:
    return "yes or no" if annotation is bool else annotation.__name__


def _parse_bool(value: str) -> bool:
    if value.lower() not in YES_NO:
        raise ValueError
    return YES_NO[value.lower()]


def list_needed(opener: Opener) -> list[str]:
    """List the keys that have no default."""
    return [name for name, key in list_keys(opener).items() if key.default is key.empty]


def _pick_type(annotation: object) -> type:
    """Find int in `int | None`, which may be text: annotations are where they are not evaluated."""
    words = re.findall(r"\w+", annotation if isinstance(annotation, str) else str(annotation))
    return next((each for each in (bool, int, float) if each.__name__ in words), str)
