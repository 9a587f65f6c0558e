"""Lessons to hand out: without their solutions, and with what nbgrader needs to give points."""

from __future__ import annotations

import re

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from overparam_edu.classroom.exercises import EXERCISES

_SOLVED = " A solution is in the folded cell below."  # in the heading of the exercises
# Students see the first line only: nbgrader takes the hidden ones out, and puts them back to grade.
# They ask what the check asks, but of the answer alone: `oe.check` knows earlier answers too.
_GRADE = """\
# 1 point, if the check above says "right". The test is put here when your notebook is graded.
### BEGIN HIDDEN TESTS
from overparam_edu.classroom import checking as _checking

_found = _checking.examine(_checking.find("{name}"), {name})
assert _found.verdict == "right", _found
### END HIDDEN TESTS"""


def remove_solutions(notebook: NotebookNode) -> None:
    """Take out the solutions, what is said of them, and all outputs."""
    notebook.cells = [
        cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if cell.get("id") == "heading-exercises":
            cell.source = cell.source.replace(_SOLVED, "")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def add_points(notebook: NotebookNode) -> int:
    """Put a cell that nbgrader grades below the check of each exercise; return how many."""
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.get("id", "").startswith("ex-"):
            cell.metadata["deletable"] = False
        if check := re.fullmatch("ex-(.+)-check", cell.get("id", "")):
            name = check[1]
            if name not in EXERCISES:
                raise ValueError(f"{name} is no exercise of this edition")
            graded = {"grade": True, "grade_id": name, "locked": True, "points": 1}
            graded |= {"schema_version": 3, "solution": False, "task": False}
            source, metadata = _GRADE.format(name=name), {"nbgrader": graded}
            cells.append(new_code_cell(source, id=f"ex-{name}-grade", metadata=metadata))
    added = len(cells) - len(notebook.cells)
    notebook.cells = cells
    return added
