"""Refuse, before any work, an output that would replace an input or a file of another kind. Knows no kind.

Each kind of output says how its files are recognised (`Kind`), beside the code that writes them. An empty
file is of every kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from llmcxr.common.errors import UserError
from llmcxr.common.files import check_writable
from llmcxr.common.specs import parse_spec
from llmcxr.common.terminal import STDOUT
from vqgan.files import is_device, remove_abandoned


@dataclass(frozen=True)
class Kind:
    """Names a kind of files that this program writes. `recognise` gets a path that holds something."""

    words: str
    recognise: Callable[[Path], bool]

    def has(self, path: Path) -> bool:
        """Tell whether a file of this kind may be written to `path` without loss."""
        if is_device(path) or not path.is_file() or not path.stat().st_size:
            return True
        try:
            return self.recognise(path)
        except Exception:  # what is no text, no JSON or no picture fails in any way
            return False


def begins_with(words: str) -> Callable[[Path], bool]:
    """Return what recognises the files of text that begin with these words."""

    def recognise(path: Path) -> bool:
        with path.open(encoding="utf-8") as file:
            return file.read(len(words)) == words

    return recognise


def check_outputs(inputs: Iterable[str | os.PathLike], *outputs: tuple[Path | None, Kind]) -> None:
    """Raise UserError where an output cannot be written, is one of the inputs, by whatever name or link, or
    replaces a file that is not of its kind, and where two outputs are one file.

    Inputs are paths or strings that open something (`csv:FILE,split=test`). None and STDOUT are no files.
    """
    files = _find_files(inputs)
    seen: dict[tuple[str, str], Path] = {}
    for path, kind in outputs:
        if path is None or path == STDOUT:
            continue
        if (name := files.get(_identify(path))) and not is_device(path):
            raise UserError(
                f"{path}: expected the name of a new file, found the input {name}; choose another"
            )
        same = seen.setdefault((os.path.realpath(path.parent), path.name.casefold()), path)
        if same is not path and not is_device(path):
            raise UserError(
                f"{path}: expected a file for each output, found {same} twice; choose another name"
            )
        if not kind.has(path):
            raise UserError(
                f"{path}: expected {kind.words}, or no file yet, found another file, which would be lost; "
                "choose another name"
            )
        check_writable(path)
    for folder in {path.parent for path in seen.values()}:
        remove_abandoned(folder)


def check_folder(inputs: Iterable[str | os.PathLike], folder: Path) -> None:
    """Raise UserError where a folder to be written is one of the inputs, or holds one."""
    for name in _find_files(inputs).values():
        place = Path(name).resolve()
        if folder.resolve() in (place, *place.parents):
            raise UserError(f"{folder}: expected a new folder, found the input {name} there; choose another")


def _find_files(inputs: Iterable[str | os.PathLike]) -> dict[tuple[int, int] | None, str]:
    """Find the files and folders that inputs name, by what they are on the disk."""
    found: dict[tuple[int, int] | None, str] = {}
    for text in map(os.fspath, inputs):
        spec = parse_spec(text)
        for name in (text, text.partition(":")[2], spec.place, *spec.settings.values()):
            if name and (identity := _identify(Path(name))):
                found[identity] = name
    found.pop(None, None)
    return found


def _identify(path: Path) -> tuple[int, int] | None:
    """Return what links and other spellings of a path have in common."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
