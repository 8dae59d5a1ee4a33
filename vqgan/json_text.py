"""Write JSON that every program can read, in which NaN and infinity are none; read what others wrote."""

from __future__ import annotations

import json
import math
from typing import Any


def to_json(value: Any, **settings: Any) -> str:
    """Write JSON, in which a number that is not finite, such as an undefined score, is null."""
    return json.dumps(_without_nan(value), allow_nan=False, **settings)


def from_json(text: str | bytes, **settings: Any) -> Any:
    """Read JSON. Raises ValueError for what is none, also where it is nested too deep to be read."""
    try:
        return json.loads(text, **settings)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return value
