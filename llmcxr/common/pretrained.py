"""Load what transformers loads from a directory, but no code: no Python file there is ever run, and nobody is
asked to allow it. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmcxr.common.errors import UserError
from vqgan.json_text import from_json

CODE_KEY = "auto_map"  # by which a Hugging Face configuration names classes in Python files beside it


def load_pretrained(loader: Any, directory: str | Path, **settings: Any) -> Any:
    """Call the `from_pretrained` of a class of transformers. Raises UserError where the directory names code,
    and whatever transformers raises.
    """
    refuse_code(directory)
    with hide_bars():
        return loader.from_pretrained(directory, trust_remote_code=False, **settings)


@contextmanager
def hide_bars() -> Iterator[None]:
    """Keep the progress bars of transformers off the screen: ours is the only one."""
    from transformers.utils import logging

    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_shown:
            logging.enable_progress_bar()


def refuse_code(directory: str | Path) -> None:
    """Raise UserError where a configuration in the directory names code of its own."""
    for path in sorted(Path(directory).glob("*config.json")):
        if _names_code(_read(path)):
            raise UserError(
                f"{path}: expected settings alone, found {CODE_KEY}, which names code of the model's own; "
                f"such code is never run. Take {CODE_KEY} out if transformers knows the model without it"
            )


def _read(path: Path) -> Any:
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return None  # damaged: the loader says so


def _names_code(settings: Any) -> bool:
    """Tell whether it or anything in it has CODE_KEY."""
    waiting = [settings]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) and one.get(CODE_KEY):
            return True
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return False
