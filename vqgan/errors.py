"""Define the one exception for a user's mistake: the doors print its message without a traceback and exit
with code 2. A mistake in the code that calls is a plain ValueError.
"""

from __future__ import annotations

from collections.abc import Iterable


class UserError(ValueError):
    """Names the file or setting, what was expected, what was found and what to do; holds no patient
    identifier.
    """


def check_counts(settings: object, names: Iterable[str], group: str = "") -> None:
    """Raise UserError for the first of these settings that is below 1; `group` stands before its name."""
    for name in names:
        if getattr(settings, name) < 1:
            raise UserError(f"{group}{name} must be at least 1, got {getattr(settings, name)}")
