"""Who imports whom: rooms call rooms below them, packages are declared, `import llmcxr` is light."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# A room may import the rooms of a lower number, and itself; rooms of one number are strangers. This table is
# the one place that says who may call whom. Imports inside functions and for types alone count like others.
ROOMS = {
    "train": 15,
    "generate": 15,
    "llmcxr.__main__": 15,
    "llmcxr.cli": 14,
    "llmcxr.evaluation": 12,
    "llmcxr.systems": 11,
    "llmcxr.training": 10,
    "llmcxr.metrics": 9,
    "llmcxr.decoding": 8,
    "llmcxr.codes": 7,
    "llmcxr.labeler": 7,
    "llmcxr.measure": 7,
    "llmcxr.model": 6,
    "llmcxr.data": 5,
    "llmcxr.prompts": 5,
    "llmcxr.pages": 6,
    "llmcxr.outputs": 5,
    "llmcxr.images": 4,
    "llmcxr.reports": 4,
    "shared words": 3,  # llmcxr/records.py, predictor.py, findings.py
    "llmcxr.common": 2,
    "llmcxr": 1,  # the package itself: a version and a lazy door
    "vqgan": 0,
}
SHARED_WORDS = ("llmcxr.records", "llmcxr.predictor", "llmcxr.findings")


@dataclass(frozen=True)
class Arrow:
    importer: str  # module
    imported: str  # module of this repository, or top-level name of another package
    line: int
    is_lazy: bool  # inside a function: not run by importing the module
    is_for_types: bool  # under TYPE_CHECKING: never run


def _modules() -> dict[str, Path]:
    files = [path for package in ("llmcxr", "vqgan") for path in (REPOSITORY / package).rglob("*.py")]
    files += [REPOSITORY / "train.py", REPOSITORY / "generate.py"]
    return {_module_name(path): path for path in sorted(files)}


def _module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = _modules()


def _arrows_of(module: str, tree: ast.AST) -> Iterator[Arrow]:
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]

    def visit(node: ast.AST, is_lazy: bool, is_for_types: bool) -> Iterator[Arrow]:
        for name in _imported_names(node, package):
            yield Arrow(module, name, getattr(node, "lineno", 0), is_lazy, is_for_types)
        is_lazy = is_lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_for_types = is_for_types or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        )
        for child in ast.iter_child_nodes(node):
            # a module named in a string is imported by that name some time
            is_name = isinstance(child, ast.Constant) and isinstance(child.value, str) and "." in child.value
            if is_name and child.value in MODULES:
                yield Arrow(module, child.value, child.lineno, True, is_for_types)
            yield from visit(child, is_lazy, is_for_types)

    yield from visit(tree, False, False)


def _imported_names(node: ast.AST, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [_resolve(alias.name) for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *([node.module] if node.module else [])])
    if base == "__future__":
        return []
    return [_resolve(f"{base}.{alias.name}") for alias in node.names]


def _resolve(name: str) -> str:
    """The module that gives a dotted name: its longest part that is one, else a package's top-level name."""
    if name == "llmcxr.CXR":
        return "llmcxr.decoding.predict"
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if (known := ".".join(parts[:length])) in MODULES:
            return known
    return parts[0]


def _room(module: str) -> str:
    """The room of a module of this repository."""
    if module.split(".")[0] == "vqgan":
        return "vqgan"
    if module in SHARED_WORDS:
        return "shared words"
    inside = ".".join(module.split(".")[:2])
    assert inside in ROOMS, f"{module} stands in no room: give it one, or a line of ROOMS"
    return inside


TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
ARROWS = [arrow for name, tree in TREES.items() for arrow in _arrows_of(name, tree)]


def test_rooms_import_only_rooms_below_them():
    wrong = []
    for arrow in ARROWS:
        if arrow.imported not in MODULES or arrow.importer == "llmcxr":  # its door leads up, lazily
            continue
        above, below = _room(arrow.importer), _room(arrow.imported)
        if above != below and ROOMS[above] <= ROOMS[below]:
            wrong.append(f"{arrow.importer}:{arrow.line} ({above}) imports {arrow.imported} ({below})")
    assert not wrong, "\n".join(["arrows may only point down:", *wrong])


def test_the_tokenizer_stands_alone():
    up = [arrow for arrow in ARROWS if _room(arrow.importer) == "vqgan" and "llmcxr" in arrow.imported]
    assert not up


def test_the_tokenizer_is_imported_and_used_without_llmcxr():
    code = "import sys; from vqgan import VQGAN, VQGANConfig; VQGAN(VQGANConfig()); import vqgan.training; "
    code += "import vqgan.foreign.convert; "
    code += "print(sorted(name for name in sys.modules if name.split('.')[0] == 'llmcxr'))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_own_modules_that_are_imported_exist():
    missing = [
        f"{name}:{node.lineno} imports from {node.module}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
        if node.module.split(".")[0] in ("llmcxr", "vqgan") and node.module not in MODULES
    ]
    assert not missing, "\n".join(missing)


def test_no_import_circles():
    """No module reaches itself, by whatever kind of import."""
    below = defaultdict(set)
    for arrow in ARROWS:
        # the package's own door leads up, lazily; a package and its own modules import each other by nature
        is_own = arrow.importer.startswith(f"{arrow.imported}.") or arrow.imported == arrow.importer
        if arrow.imported in MODULES and arrow.importer != "llmcxr" and not is_own:
            below[arrow.importer].add(arrow.imported)
    finished: set[str] = set()

    def follow(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in finished:
            return
        for next_module in sorted(below[module]):
            follow(next_module, (*path, module))
        finished.add(module)

    for module in MODULES:
        follow(module, ())


def test_the_graph_sees_what_it_should():
    """That the tests above look at something: arrows known to be there."""
    seen = {(arrow.importer, arrow.imported) for arrow in ARROWS}
    assert ("train", "llmcxr.cli.app") in seen
    assert ("llmcxr.cli.options", "llmcxr.decoding.predict") in seen  # `from llmcxr import CXR`, lazily
    assert ("llmcxr.cli.train", "llmcxr.training.lm") in seen  # a name in a table
    assert ("llmcxr.data.phantom.wording", "llmcxr.data.phantom.case") in seen
    assert _resolve("llmcxr.common.config.load") == "llmcxr.common.config"
    assert _room("llmcxr.images.checks") == _room("llmcxr.images.dicom.reading") == "llmcxr.images"


def _requirements() -> tuple[set[str], set[str]]:
    """Names of the distributions that are always installed, and of those that some extra brings."""
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    names = lambda text: {re.split(r"[<>=\[ ]", line)[0].lower() for line in text.split("\n") if line.strip()}  # noqa: E731
    extras = [names(text) for extra, text in parser["options.extras_require"].items() if extra != "dev"]
    return names(parser["options"]["install_requires"]), set().union(*extras)


def test_other_packages_are_declared():
    always, by_extra = _requirements()
    distributions = packages_distributions()
    missing = []
    for arrow in ARROWS:
        if arrow.imported in MODULES or arrow.imported in sys.stdlib_module_names:
            continue
        known = {name.lower() for name in distributions.get(arrow.imported, [arrow.imported])}
        allowed = always | by_extra if arrow.is_lazy or arrow.is_for_types else always
        if not known & allowed:
            missing.append(f"{arrow.importer}:{arrow.line} imports {arrow.imported}")
    assert not missing, "\n".join(["not in setup.cfg (at module level, not in install_requires):", *missing])


@pytest.mark.parametrize("module", ["llmcxr", "llmcxr.cli.app", "llmcxr.common.config"])
def test_import_is_light(module):
    heavy = "{'torch', 'transformers', 'numpy', 'pandas', 'pydicom', 'PIL'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["llmcxr", "vqgan", "tests"])
def test_every_folder_of_modules_is_a_package(package):
    folders = {path.parent for path in (REPOSITORY / package).rglob("*.py")}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_no_machine_paths():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    machine_path = re.compile(r"(?<![\w./:\-])/(?:" + "work|tmp|home|root|Users|mnt" + r")/\w+")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = REPOSITORY / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), 1):
                found += [f"{name}:{number}: {match}" for match in machine_path.findall(line)]
    assert not found, "\n".join(found)
