"""Write numbers, intervals and tables as Markdown. Knows no score."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float | int | None, digits: int = 3) -> str:
    """Write 0.9312 as "0.931", 12 as "12", None as "-"."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table whose first column is left-aligned and whose others are right-aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def interval(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f" ({number(bounds[0])}-{number(bounds[1])})"
