"""Refuse numbers among settings that no computation could use: NaN, infinity, what overflows or vanishes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from vqgan.errors import UserError

LARGEST_COUNT = 10**9
LARGEST_SEED = 2**63 - 1
SMALLEST, LARGEST = 1e-15, 1e15  # of a float that is not 0: sums and squares of it stay in float32


def check_numbers(settings: Any, group: str = "") -> None:
    """Raise UserError for the first number in a dataclass, or in what it holds, that is out of range."""
    for name, value in _list_numbers(settings, group):
        if name.rpartition(".")[2] == "seed":
            if not 0 <= value <= LARGEST_SEED:
                raise UserError(f"{name} must be between 0 and {LARGEST_SEED}, got {value}")
        elif isinstance(value, int):
            if abs(value) > LARGEST_COUNT:
                raise UserError(f"{name} must be at most {LARGEST_COUNT}, got {value}")
        elif value and not SMALLEST <= abs(value) <= LARGEST:
            raise UserError(f"{name} must be 0 or between {SMALLEST:g} and {LARGEST:g}, got {value}")


def check_between(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Raise UserError where a finite number is not between `least` and `most`; NaN never is."""
    if not (least <= value <= most and math.isfinite(value)):
        upto = "" if math.isinf(most) else f" and at most {most:g}"
        raise UserError(f"{name} must be at least {least:g}{upto}, got {value}")


def _list_numbers(value: Any, name: str) -> Iterator[tuple[str, int | float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, value
    elif dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from _list_numbers(getattr(value, one.name), f"{name}.{one.name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from _list_numbers(one, f"{name}[{place}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _list_numbers(one, f"{name}.{key}".lstrip("."))
