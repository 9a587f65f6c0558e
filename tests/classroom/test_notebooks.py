"""The cells made of exercises and questions; and Run All, untouched and with the solutions, in one.

Behind each exercise's untouched stub and check, its solution and check run as well: the first must
say "not attempted", the second "right". Everything else in the notebook runs between. The lessons
run one after the other in one kernel, which forgets every name before each but imports only once;
each in a kernel of its own, as people run them, is thorough.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from overparam_edu.classroom.__main__ import exercise_cells, main, refresh
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def _part(cell: Any) -> tuple[str, str]:
    """Return an exercise cell's exercise and part, such as ("fold", "try"); else blanks."""
    if not cell["id"].startswith("ex-"):
        return "", ""
    name, part = cell["id"].removeprefix("ex-").rsplit("-", 1)
    return name, part


def with_solutions(notebook: Any) -> Any:
    """Return the notebook with each exercise done behind the untouched one."""
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        name, part = _part(cell)
        if part != "check":
            continue
        _, stub, check, _ = exercise_cells(name)
        solved = EXERCISES[name].solution
        if EXERCISES[name].kind == "predict":
            solved += f'\noe.predict("{name}", {name})'
        stub["id"], stub["source"] = f"ex-{name}-done", solved
        check["id"] = f"ex-{name}-right"
        cells += [stub, check]
    notebook.cells = cells
    return notebook


@contextmanager
def kernel(directory: Path) -> Iterator[NotebookClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(directory))
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # this interpreter's kernel
        options = {"timeout": 120, "kernel_name": "python3", "shutdown_kernel": "immediate"}
        client = NotebookClient(new_notebook(), resources={}, **options)
        with client.setup_kernel():
            yield client


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with kernel(tmp_path_factory.mktemp("ipython")) as client:
        yield client


@pytest.mark.slow
@EACH
def test_run_all_untouched_and_with_the_solutions(path, shared):
    run_all(path, shared)


@pytest.mark.slow
@EACH
def test_run_all_in_a_kernel_of_its_own(path, tmp_path):
    with kernel(tmp_path) as client:
        run_all(path, client)


def run_all(path, client):
    notebook = client.nb = with_solutions(nbformat.read(path, as_version=4))
    notebook.cells.insert(0, new_code_cell("%reset -f", id="forget"))
    client.execute(cleanup_kc=False)
    said = {"check": {}, "right": {}}
    for cell in notebook.cells:
        name, part = _part(cell)
        if part in said:
            [output] = [o for o in cell["outputs"] if "data" in o]
            said[part][name] = output["data"]["text/plain"]
    wanted = {e.name for e in EXERCISES.values() if e.notebook == path.name[:2]}
    assert set(said["check"]) == set(said["right"]) == wanted
    for name in wanted:
        assert said["check"][name].startswith("… not attempted"), said["check"][name]
        assert said["right"][name].startswith("✓ "), said["right"][name]


@EACH
def test_the_notebook_has_its_questions_and_exercises_up_to_date(path):
    notebook = nbformat.read(path, as_version=4)
    before = nbformat.writes(notebook)
    refresh(notebook, path.name[:2])
    assert nbformat.writes(notebook) == before, "run: python -m overparam_edu.classroom notebooks/"


def test_every_notebook_asks_three_questions_or_more():
    counts = Counter(question.notebook for question in QUESTIONS.values())
    assert all(3 <= counts[path.name[:2]] <= 6 for path in NOTEBOOKS), counts


def ids(notebook):
    return [cell["id"] for cell in notebook.cells]


def test_cells_go_to_the_end_and_then_stay_where_they_are_put():
    notebook = new_notebook(cells=[new_markdown_cell("# Title", id="a")])
    refresh(notebook, "07")
    assert ids(notebook)[:2] == ["a", "heading-questions"]
    assert ids(notebook)[-1] == "ex-cure_of_the_stall-solution"
    question = next(c for c in notebook.cells if c["id"].startswith("q-"))
    notebook.cells.remove(question)
    notebook.cells.insert(0, question)
    moved = ids(notebook)
    refresh(notebook, "07")
    assert ids(notebook) == moved


def test_the_lesson_stays_and_what_is_generated_is_brought_up_to_date():
    old = new_code_cell("oe.ask('old')", id="q-old", metadata={"tags": ["question"]})
    notebook = new_notebook(cells=[new_code_cell("1 + 1", id="mine"), old])
    refresh(notebook, "00")
    assert "q-old" not in ids(notebook)
    assert notebook.cells[0]["source"] == "1 + 1"
    notebook.cells[-3]["source"] = "out of date"
    refresh(notebook, "00")
    assert notebook.cells[-3]["source"] == EXERCISES["product_of_layers"].stub


@pytest.mark.parametrize("name", EXERCISES)
def test_a_solution_is_folded_tagged_and_gives_the_stub_nothing_away(name):
    _, stub, check, solution = exercise_cells(name)
    assert solution["metadata"] == {"tags": ["solution"], "jupyter": {"source_hidden": True}}
    assert f"solution_of_{name}" in solution["source"]
    assert not re.search(rf"(?<!_of_)(?<!\")\b{name}\b", solution["source"])
    assert "..." in stub["source"]
    assert name in check["source"]


def test_the_command_writes_only_what_changed(tmp_path, capsys):
    path = tmp_path / "00_start.ipynb"
    nbformat.write(new_notebook(), path)
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "00_start.ipynb: refreshed\n00_start.ipynb: up to date\n"
