"""Import the Python files that a user names, so that they add to our tables before a command runs.

A plug-in adds a quantizer, a dataset, a report metric or a command by a line such as
`from llmcxr.data.opening import KINDS; KINDS["toy"] = open_toy`. It runs whatever code is in it, with the
rights of the user. Knows none of the tables.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from llmcxr.common.errors import UserError

VARIABLE = "LLMCXR_PLUGINS"  # of the environment: files with os.pathsep between them


def load_plugins(named: Iterable[str | Path] = ()) -> None:
    """Import the files of the environment variable, then those `named`; each once, however often it is named.

    Raises UserError for a file that is not there or fails.
    """
    listed = filter(None, os.environ.get(VARIABLE, "").split(os.pathsep))
    for path in (*listed, *named):
        _load(Path(path).resolve())


def _load(path: Path) -> None:
    name = f"llmcxr plug-in {path}"
    if name in sys.modules:
        return
    if not path.is_file() or path.suffix != ".py":
        found = "another ending" if path.is_file() else "no such file"
        raise UserError(
            f"{path}: expected a plug-in, a .py file, by --plugin or {VARIABLE}, found {found}; correct it"
        )
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # there first, as dataclasses need it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(
            f"{path}: expected a plug-in that can be imported, found {type(error).__name__}: {error}; "
            "mend it or leave it out"
        ) from error
