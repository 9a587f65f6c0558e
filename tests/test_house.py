"""The house's rules: which room may use which, documented public names, tidy notebooks."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import overparam_edu as oe

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_imports_follow_the_arrows_and_run_in_no_circle(monkeypatch):
    # The contracts stand in pyproject.toml.
    monkeypatch.chdir(ROOT)
    from importlinter import cli

    assert cli.lint_imports(cache_dir=None) == 0


def _loads(statement):
    """Return the modules that a statement loads in a fresh interpreter that has NumPy."""
    script = (
        f"import sys, numpy; before = set(sys.modules); {statement}\n"
        "print(*set(sys.modules) - before)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize("module", ["overparam_edu", "overparam_edu.cli"])
def test_a_fresh_import_loads_numpy_at_most(module):
    new = {name.split(".")[0] for name in _loads(f"import {module}")}
    assert new - set(sys.stdlib_module_names) <= {"lazy_loader", "overparam_edu"}


def test_the_first_name_costs_little_beside_numpy():
    ours = ["", ".checks", ".dynamics"]
    ours += [
        f".dynamics.{name}" for name in ("losses", "networks", "optimizers", "rule", "training")
    ]
    new = _loads("import overparam_edu as oe; oe.descend")
    numpys = {name for name in new if name.startswith("numpy.")}
    assert numpys <= {"numpy.typing", "numpy._typing._add_docstring"}
    expected = {f"overparam_edu{name}" for name in ours} | {"lazy_loader"}
    assert new - numpys <= expected | {"__future__", "copy", "dataclasses"}


@pytest.mark.slow
def test_questions_checks_and_progress_load_neither_scipy_nor_sympy():
    calls = "oe.ask('same_functions'); oe.check('product_of_layers', len); oe.progress()"
    assert not _loads(f"import overparam_edu as oe; {calls}") & {"scipy", "sympy", "mpmath"}


# What opening an explorer takes; all others open without either.
NEEDS = {
    "explore_derivation": {"sympy"},
    "explore_own_loss": {"scipy", "sympy"},
    "explore_random_start": {"scipy"},
    "explore_singular_values": {"scipy"},
    "explore_unbalanced": {"scipy"},
}
NEVER = {"joblib", "matplotlib", "pandas", "plotly.express", "torch", "jupyterlab", "nbformat"}


@pytest.mark.slow
@pytest.mark.parametrize("needed", [(), ("scipy",), ("sympy",)], ids=["neither", "SciPy", "SymPy"])
def test_an_explorer_loads_scipy_and_sympy_only_if_it_needs_them(needed):
    names = [name for name in oe.__all__ if name.startswith("explore_")]
    calls = [
        f"oe.{name}({'oe.derivations.warm_up()' * (name == 'explore_derivation')})"
        for name in names
        if NEEDS.get(name, set()) == set(needed)
    ]
    assert calls
    new = _loads(f"import overparam_edu as oe; {'; '.join(calls)}")
    assert new & (NEVER | {"scipy", "sympy"}) == set(needed)


# --- public names ---


def _public():
    """Yield the dotted name of everything public that can be called, with its own methods.

    A method that a base class documents may go without a docstring: `help` shows the base's.
    """
    for prefix, module in (("overparam_edu", oe), ("overparam_edu.derivations", oe.derivations)):
        for name in module.__all__:
            thing = getattr(module, name)
            if callable(thing) and not getattr(thing, "_is_protocol", False):
                yield f"{prefix}.{name}"
            for method, function in vars(thing).items() if inspect.isclass(thing) else ():
                inherited = not getattr(function, "__doc__", "") and inspect.getdoc(function)
                if inspect.isfunction(function) and not (method.startswith("_") or inherited):
                    yield f"{prefix}.{name}.{method}"


PUBLIC = sorted(_public())
# What numpydoc asks beyond what a reader of ours needs: see-also and extended summaries, an
# example each, words for a return type that says it all.
UNASKED = {"EX01", "ES01", "RT03", "SA01"}


def test_the_stub_names_what_there_is():
    assert len(PUBLIC) > 100
    for name in oe.__all__:
        assert getattr(oe, name) is not None


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented_for_every_parameter(name):
    found = validate(name)
    faults = {code: words for code, words in found["errors"] if code not in UNASKED}
    text = found["docstring"] or ""
    if re.search(r"^ *Attributes$", text, re.M):
        faults.pop("PR01", None)  # a result describes its fields as attributes
    # Four words or more in place of a type can say it all: "loss : Loss of a vector (d,)".
    types = re.sub(r", shapes? \(.*?\)|, optional", "", text)
    said = ", ".join(re.findall(r"^ *([\w, ]+) : \S+ \S+ \S+ \S", types, re.M)).split(", ")
    bare = {words for code, words in found["errors"] if code == "PR07"}
    if bare <= {f'Parameter "{parameter}" has no description' for parameter in said}:
        faults.pop("PR07", None)
    assert faults == {}


# --- notebooks ---


def each_notebook(test):
    return pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)(test)


def _notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _code(path):
    return ["".join(c["source"]) for c in _notebook(path)["cells"] if c["cell_type"] == "code"]


@each_notebook
def test_notebooks_are_stripped(path):
    assert "widgets" not in _notebook(path)["metadata"]
    for number, cell in enumerate(_notebook(path)["cells"]):
        assert not cell.get("outputs"), f"cell {number} has outputs: run nbstripout"
        assert cell.get("execution_count") is None, f"cell {number} was run: run nbstripout"


@each_notebook
def test_code_cells_have_at_most_15_lines(path):
    assert [source for source in _code(path) if len(source.strip().splitlines()) > 15] == []


@each_notebook
def test_notebooks_import_in_one_cell_and_nothing_deep(path):
    cells = []
    for source in _code(path):
        lines = [line for line in source.splitlines() if not line.startswith(("%", "!"))]
        nodes = ast.walk(ast.parse("\n".join(lines)))
        imports = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
        cells += [imports] if imports else []
    assert len(cells) <= 1
    for node in cells[0] if cells else []:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        assert not [name for name in names if name.startswith("overparam_edu.")]


def test_there_is_a_notebook_to_start_with():
    assert ROOT / "notebooks" / "00_start_here.ipynb" in NOTEBOOKS
