"""Show the first of many in a message. Knows nothing of what they are."""

from __future__ import annotations

from collections.abc import Iterable


def list_first(items: Iterable[object], most: int) -> str:
    """Join the first `most` items by commas, with "..." for the others: "2, 5, 9, ..."."""
    items = list(map(str, items))
    return ", ".join(items[:most]) + (", ..." if len(items) > most else "")
