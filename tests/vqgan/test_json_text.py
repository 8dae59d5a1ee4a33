"""JSON without NaN, wherever it is written."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from vqgan.json_text import from_json, to_json

REPOSITORY = Path(__file__).resolve().parents[2]

IN_MEMORY = ("json_lines.py", "vocabulary.py")  # never written: a check of what was read, and a tokenizer


def refuse(word):
    pytest.fail(f"{word} is no JSON")


def test_what_is_not_finite_is_null():
    values = {
        "a": [1.5, float("nan"), (np.float64("inf"), None)],
        "b": {"c": -float("inf"), "d": "NaN"},
        "e": 2,
    }
    read = json.loads(to_json(values, indent=2), parse_constant=refuse)
    assert read == {"a": [1.5, None, [None, None]], "b": {"c": None, "d": "NaN"}, "e": 2}


def test_every_json_of_the_packages_is_written_without_nan():
    for path in (
        one for package in ("llmcxr", "vqgan", "benchmarks") for one in (REPOSITORY / package).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dumps", "json.dump")):
                continue
            if path.name in IN_MEMORY:
                continue
            told = {one.arg: ast.unparse(one.value) for one in node.keywords}
            assert told.get("allow_nan") == "False", f"{path}:{node.lineno}"


def test_json_that_is_nested_too_deep_is_none():
    with pytest.raises(ValueError, match="nested too deep"):
        from_json("[" * 100_000)
    assert from_json('{"a": [1]}') == {"a": [1]}
