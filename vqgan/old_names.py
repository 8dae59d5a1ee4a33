"""Translate the settings of an image tokenizer as they were named before every choice had a group of its own.

Files of then are read by these names, and the fingerprint of a tokenizer is over them, so that it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OLD_NAMES = {
    "levels": "fsq.levels",
    "patch": "cxr.patch",
    "stem_channels": "cxr.stem_channels",
    "grid_channels": "cxr.grid_channels",
    "level_blocks": "cxr.level_blocks",
    "grid_blocks": "cxr.grid_blocks",
    "num_heads": "cxr.num_heads",
    "refine_channels": "cxr.refine_channels",
}


def from_old_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn settings under old or new names into those under new ones."""
    renamed: dict[str, Any] = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if name not in OLD_NAMES
    }
    for old in OLD_NAMES.keys() & values.keys():
        group, _, name = OLD_NAMES[old].partition(".")
        renamed.setdefault(group, {})[name] = values[old]
    return renamed


def to_old_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Invert `from_old_names`: the groups that have old names are opened."""
    renamed = dict(values)
    for old, new in OLD_NAMES.items():
        group, _, name = new.partition(".")
        if group in values:
            renamed.pop(group, None)
            renamed[old] = values[group][name]
    return renamed
