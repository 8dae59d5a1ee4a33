"""The test tree mirrors the code: `llmcxr/a/b.py` is tested by `tests/llmcxr/a/test_b.py`."""

from __future__ import annotations

import ast
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

# Modules without a test file of their own, and why.
EXEMPT = {
    "llmcxr/evaluation/demo/records.py": "holds dataclasses without a method",
}


def _has_code(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree.body)


def _modules() -> list[Path]:
    """List the modules with functions or classes; what a package's own file has is tested in its modules."""
    files = [path for package in ("llmcxr", "vqgan") for path in (REPOSITORY / package).rglob("*.py")]
    return [
        path.relative_to(REPOSITORY)
        for path in sorted(files)
        if path.name not in ("__init__.py", "__main__.py") and _has_code(path)
    ]


def _test_of(module: Path) -> Path:
    return REPOSITORY / "tests" / module.with_name(f"test_{module.name}")


def test_every_module_has_its_test_file():
    missing = [str(path) for path in _modules() if str(path) not in EXEMPT and not _test_of(path).is_file()]
    assert not missing, "\n".join(["expected tests/PATH/test_MODULE.py, found none for:", *missing])


def test_the_exempt_modules_exist_and_have_no_test_file():
    modules = set(map(str, _modules()))
    assert set(EXEMPT) <= modules
    assert not [path for path in EXEMPT if _test_of(Path(path)).is_file()]
