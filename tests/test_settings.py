"""Every setting of a run stands in a configuration of its kind, if only in a comment, to be found there."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from importlib import import_module

import pytest

from llmcxr.cli.train import RUN_KINDS


def _list_settings(schema: type, prefix: str = "") -> Iterator[str]:
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        kinds = typing.get_args(hints[field.name]) if _is_union(hints[field.name]) else (hints[field.name],)
        group = next(filter(dataclasses.is_dataclass, kinds), None)
        if group is None:
            yield prefix + field.name
        else:
            yield from _list_settings(group, f"{prefix}{field.name}.")


def _is_union(hint: object) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


@pytest.mark.parametrize("kind", RUN_KINDS)
def test_every_setting_stands_in_a_configuration(kind, repository):
    shown = "\n".join(path.read_text() for path in (repository / "configs" / kind).glob("*.yaml"))
    module, name = RUN_KINDS[kind]
    settings = list(_list_settings(getattr(import_module(module), name)))
    assert len(settings) > 20
    hidden = [name for name in settings if not re.search(rf"\b{name.rpartition('.')[2]}\b ?[:=]", shown)]
    assert not hidden
