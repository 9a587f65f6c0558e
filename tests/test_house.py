"""The house's rules, read from the source: arrows, sizes, docstrings, notebooks."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "overparam_edu"
MODULES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# room: the rooms it may import. Rooms that are not listed here may be imported by none.
ARROWS = {
    "dynamics": set(),
    "derivations": {"dynamics"},
    "experiments": {"dynamics"},
    "views": {"dynamics", "derivations", "experiments"},
    "classroom": {"dynamics", "derivations", "experiments", "views"},
    "cli": {"dynamics", "derivations", "experiments", "views", "classroom"},
}
PICTURES = {"anywidget", "IPython", "ipywidgets", "matplotlib", "plotly"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def each(paths: list[Path]) -> pytest.MarkDecorator:
    """Run a test for each path, under the path's name."""
    return pytest.mark.parametrize("path", paths, ids=_name)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _room(path: Path) -> str:
    """Return the room a module is in; "" for those shared by all."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return first if first in ARROWS else ""


def imported(tree: ast.Module, package: tuple[str, ...]) -> set[str]:
    """Return the dotted names of everything a module in `package` imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def rooms_used(tree: ast.Module, package: tuple[str, ...]) -> set[str]:
    """Return the rooms a module imports; the package's own top counts as the room "*"."""
    parts = [name.split(".") for name in imported(tree, package)]
    inside = [words[1] if len(words) > 1 else "*" for words in parts if words[0] == "overparam_edu"]
    return {word if word in ARROWS or word.startswith("_") else "*" for word in inside}


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("from overparam_edu.player.player import Player", {"views"}),
        ("from overparam_edu import views", {"views"}),
        ("from ..views import player", {"views"}),
        ("def f():\n    import overparam_edu.classroom.claims", {"classroom"}),
        ("from .losses import Loss", {"dynamics"}),
        ("from overparam_edu import descend", {"*"}),
        ("import overparam_edu as oe", {"*"}),
        ("from overparam_edu.checks import positive\nimport numpy", {"_validation"}),
    ],
)
def test_the_scan_sees_every_form_of_import(source, rooms):
    assert rooms_used(ast.parse(source), ("overparam_edu", "dynamics")) == rooms


@each([path for path in MODULES if path != PACKAGE / "__init__.py"])
def test_imports_follow_the_arrows(path):
    package = ("overparam_edu", *path.relative_to(PACKAGE).parts[:-1])
    used = {room for room in rooms_used(_tree(path), package) if not room.startswith("_")}
    allowed = ARROWS.get(_room(path), set()) | {_room(path)}
    assert used <= allowed, f"{_name(path)} may not import from {sorted(used - allowed)}"


@each([p for p in MODULES if _room(p) in {"dynamics", "derivations", "experiments"}])
def test_numbers_and_proofs_know_nothing_of_pictures(path):
    tops = {name.split(".")[0] for name in imported(_tree(path), ("overparam_edu",))}
    assert not tops & PICTURES


@pytest.mark.parametrize("module", ["overparam_edu", "overparam_edu.cli"])
def test_a_fresh_import_loads_numpy_and_nothing_else(module):
    script = (
        f"import sys, numpy; before = set(sys.modules); import {module}\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(answer.stdout.split()) <= {"numpy", "overparam_edu"}, "more than NumPy was loaded"


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    return node.body[0].end_lineno - node.body[0].lineno + 1


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


@each(MODULES)
def test_a_module_has_at_most_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_one_script_of_at_most_400_lines_of_code_moves_everything():
    [script] = PACKAGE.rglob("*.js")
    text = re.sub(r"^/\*.*?\*/", "", script.read_text(encoding="utf-8"), flags=re.M | re.S)
    lines = [line.strip() for line in text.splitlines()]
    assert len([line for line in lines if line and not line.startswith("//")]) <= 400


@each(MODULES)
def test_a_function_has_at_most_45_lines_without_its_docstring(path):
    too_long = {}
    for node in _functions(_tree(path)):
        length = node.end_lineno - node.lineno + 1 - _docstring_lines(node)
        if length > 45:
            too_long[node.name] = length
    assert too_long == {}


@each(MODULES)
def test_no_module_is_a_drawer_for_everything(path):
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}


# --- docstrings ---


def documented_parameters(docstring: str) -> set[str]:
    """Return the names that a numpydoc docstring's "Parameters" sections describe."""
    lines = inspect.cleandoc(docstring).splitlines()
    names: set[str] = set()
    inside = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if following.startswith("---") and line and not line.startswith(" "):
            inside = line in {"Parameters", "Other Parameters", "Attributes"}
        elif inside and line and not line.startswith((" ", "-")):
            names.update(word.strip().lstrip("*") for word in line.split(" :")[0].split(","))
    return names


def test_the_reader_of_docstrings_reads_numpydoc():
    text = """Summary.

    Parameters
    ----------
    w, gradient : ndarray, shape (..., d)
        A point: not a name.
    **kwargs
        Passed on.

    Returns
    -------
    result : ndarray
    """
    assert documented_parameters(text) == {"w", "gradient", "kwargs"}
    assert documented_parameters("Only a summary of w.") == set()


def undocumented(thing: Any, inherited: str = "") -> set[str]:
    """Return the parameters of a function or class that its docstrings leave out."""
    try:
        names = set(inspect.signature(thing).parameters)
    except ValueError:  # no signature to be had, as for some built-in bases
        return set()
    # A widget takes every trait as a keyword; *args and **kwargs need no entry.
    left_out = names - documented_parameters(inspect.getdoc(thing) or "")
    left_out -= documented_parameters(inherited or "Nothing.")
    return left_out - {"self", "args", "kwargs"}


def _public_things(module: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a module's `__all__` names, its classes' public methods, and its submodules'."""
    for name in getattr(module, "__all__", []):
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            yield from ((f"{name}.{inner}", part) for inner, part in _public_things(thing))
        elif callable(thing):
            yield name, thing
            methods = vars(thing).items() if inspect.isclass(thing) else ()
            for method, function in methods:
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", getattr(thing, method)


def _is_protocol(name: str) -> bool:
    owner = getattr(importlib.import_module("overparam_edu"), name.split(".")[0])
    return getattr(owner, "_is_protocol", False)


def _said_by_bases(name: str) -> str:
    """Return what the base classes say of a method that a class overrides."""
    *path, method = name.split(".")
    owner: Any = importlib.import_module("overparam_edu")
    for part in path:
        owner = getattr(owner, part)
    bases = owner.__mro__[1:] if inspect.isclass(owner) else ()
    docs = [inspect.getdoc(vars(base)[method]) for base in bases if method in vars(base)]
    return docs[0] or "" if docs else ""


PUBLIC = dict(_public_things(importlib.import_module("overparam_edu")))


@pytest.mark.parametrize("name", [name for name in sorted(PUBLIC) if not _is_protocol(name)])
def test_public_docstrings_name_every_parameter(name):
    assert inspect.getdoc(PUBLIC[name]), f"{name} has no docstring"
    assert undocumented(PUBLIC[name], _said_by_bases(name)) == set()


def test_the_package_says_what_is_public():
    assert PUBLIC, "overparam_edu.__all__ is missing or empty"


# --- notebooks ---


def _cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@each(NOTEBOOKS)
def test_notebooks_are_stripped(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert "widgets" not in notebook["metadata"]
    for number, cell in enumerate(notebook["cells"]):
        assert not cell.get("outputs"), f"cell {number} has outputs: run nbstripout"
        assert cell.get("execution_count") is None, f"cell {number} was run: run nbstripout"


@each(NOTEBOOKS)
def test_code_cells_have_at_most_15_lines(path):
    sources = ["".join(c["source"]) for c in _cells(path) if c["cell_type"] == "code"]
    assert [source for source in sources if len(source.strip().splitlines()) > 15] == []


@each(NOTEBOOKS)
def test_notebooks_import_in_one_cell(path):
    sources = ["".join(c["source"]) for c in _cells(path) if c["cell_type"] == "code"]
    importing = [s for s in sources if any(_is_import(line) for line in s.splitlines())]
    assert len(importing) <= 1


def _is_import(line: str) -> bool:
    return line.startswith("import ") or (line.startswith("from ") and " import " in line)


def test_there_is_a_notebook_to_start_with():
    assert ROOT / "notebooks" / "00_start_here.ipynb" in NOTEBOOKS
