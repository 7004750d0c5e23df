# SPDX-License-Identifier: Apache-2.0
"""Imports run one way, and in no circle: from what people call down to the compiled kernels."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit

ROOMS = ("explicit", "watermark", "metadata", "provenance", "log")
LAYERS = [
    ("__main__", "cli", "service", "mcp", "integrations", "batch", "page"),
    ("labelkit", "propagation", "compliance", "isolation", "results", "many", "streaming", "aio", "trials",
     "resolve", "store", "playlist"),
    ("pipeline",),
    ("delivery", "request", "preconditions", "confirmation", "log_recorder", "arrays", "tensors", "texts"),
    ROOMS,
    ("codec", "container"),
    ("report", "verdict", "finding", "evidence", "payload", "label", "plan", "choices", "languages", "signpost", "key",
     "keyfiles", "kernels", "scratch", "threads", "unforeseen", "distribution", "report_schema", "jose", "time_stamps",
     "errors", "messages"),
    ("_native",)]
"""From the top: a folder or module imports from its own row and those below; `labelkit` is its __init__.py."""
FLOOR = {name: floor for floor, names in enumerate(LAYERS) for name in names}
PACKAGE = Path(labelkit.__file__).parent


def modules(folder: Path) -> dict[str, Path]:
    """The files of the package in a folder, by the name of the module."""
    found = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(folder: Path) -> Iterator[tuple[str, str, bool]]:
    """(module, module that it imports, whether for types alone), in every spelling and at any depth of a function."""
    known = {**modules(folder), f"{folder.name}._native": folder}
    for name, path in modules(folder).items():
        tree = ast.parse(path.read_text("utf-8"))
        typing = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.If)
                  and ast.unparse(node.test) == "TYPE_CHECKING" for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                inner = [f"{node.module}.{one.name}" for one in node.names]
                wanted = [one if one in known else str(node.module) for one in inner]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                wanted = [one.value for one in node.args if isinstance(one, ast.Constant)]
            else:
                continue
            yield from ((name, one, id(node) in typing) for one in wanted if one in known and one != name)


def unit(module: str) -> str:
    """The folder or module of the package that a module belongs to."""
    return (module.split(".") + [module])[1]


def upward(folder: Path) -> list[str]:
    """The imports that run up, or from one room to another; those for types alone may."""
    pairs = [(one, other) for one, other, typing in imports(folder) if not typing and unit(one) != unit(other)]
    return [f"{one} imports {other}" for one, other in pairs
            if FLOOR[unit(other)] < FLOOR[unit(one)] or unit(one) in ROOMS and unit(other) in ROOMS]


def circle(folder: Path, *, units: bool) -> list[str]:
    """A circle of modules, or of folders and modules of the package, if there is one; types count too."""
    graph: dict[str, set[str]] = {}
    for one, other, _ in imports(folder):
        if units:
            one, other = unit(one), unit(other)
        if one != other:
            graph.setdefault(one, set()).add(other)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_every_module_has_its_layer() -> None:
    assert {unit(module) for module in modules(PACKAGE)} <= set(FLOOR)


def test_imports_run_down() -> None:
    assert upward(PACKAGE) == []


@pytest.mark.parametrize("units", [True, False])
def test_there_is_no_circle(units) -> None:
    assert circle(PACKAGE, units=units) == []


@pytest.mark.parametrize("line", [
    "import labelkit.pipeline", "from labelkit import pipeline", "from labelkit.pipeline import embed",
    "def f():\n    from labelkit import pipeline", "importlib.import_module('labelkit.pipeline')",
    "import labelkit.metadata"])
def test_an_import_that_runs_up_or_across_is_found(line, tmp_path) -> None:
    folder = tmp_path / "labelkit"
    (folder / "log").mkdir(parents=True)
    for name in ("__init__", "pipeline", "metadata", "plan"):
        (folder / f"{name}.py").write_text("")
    (folder / "log" / "__init__.py").write_text("from labelkit.plan import Plan\n")
    assert upward(folder) == [] and circle(folder, units=True) == []
    (folder / "log" / "entry.py").write_text(line)
    assert len(upward(folder)) == 1 and upward(folder)[0].startswith("labelkit.log.entry imports labelkit.")


@pytest.mark.parametrize("line", ["import labelkit.log.entry", "from labelkit.log import entry",
                                  "from labelkit.log.entry import Entry",
                                  "if TYPE_CHECKING:\n    from labelkit.log import entry"])
def test_a_circle_is_found(line, tmp_path) -> None:
    folder = tmp_path / "labelkit"
    (folder / "log").mkdir(parents=True)
    (folder / "plan.py").write_text("")
    (folder / "log" / "entry.py").write_text("def f():\n    from labelkit.plan import Plan\n")
    assert circle(folder, units=True) == []
    (folder / "plan.py").write_text(line)
    assert set(circle(folder, units=True)) == {"log", "plan"}
    assert set(circle(folder, units=False)) == {"labelkit.log.entry", "labelkit.plan"}
