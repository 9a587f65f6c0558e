"""Notebook cells made from the exercises and questions, so that the two never disagree.

``python -m overparam_edu.classroom.cells notebooks/`` writes them into every notebook, in place
where they are already.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from overparam_edu.classroom.checking import find
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS

_QUESTIONS_HEADING = (
    "## Check yourself\n\nChoose an answer, with the mouse or with Tab and the arrow keys. Every "
    "answer is explained, the wrong ones too."
)
_EXERCISES_HEADING = (
    "## Exercises\n\nReplace the dots, run the cell, then run the check below it. A check tests "
    "properties, so any right way is right; its hints get more explicit each time. A solution is "
    "in the folded cell below. `oe.progress()` shows what you have done, "
    '`oe.progress().save("progress.json")` keeps it.'
)


def exercise_cells(name: str) -> list[NotebookNode]:
    """Return the four cells of an exercise: what is asked, a stub, the check, a solution.

    The solution is folded and tagged ``solution``. It defines another name than the stub does, so
    that running all cells gives nothing away.

    Parameters
    ----------
    name : str
        The exercise.

    Returns
    -------
    list of NotebookNode

    Raises
    ------
    ValueError
        If there is no such exercise.

    Examples
    --------
    >>> [cell.cell_type for cell in exercise_cells("matrix_rule")]
    ['markdown', 'code', 'code', 'code']
    """
    exercise = find(name)
    stub, check = exercise.stub, f'oe.check("{name}", {name})'
    if exercise.kind == "predict":
        stub += f'\noe.predict("{name}", {name})'
        check = f'oe.compare("{name}")'
    hidden = f"solution_of_{name}"
    solution = f'# A solution. To check it: oe.check("{name}", {hidden})\n'
    solution += re.sub(rf"\b{name}\b", hidden, exercise.solution)
    prompt = f"### {exercise.title}\n\n*{exercise.kind.capitalize()}.* {exercise.prompt}"
    cells = [
        new_markdown_cell(prompt, metadata={"tags": ["exercise"]}),
        new_code_cell(stub, metadata={"tags": ["exercise"]}),
        new_code_cell(check, metadata={"tags": ["exercise"]}),
        new_code_cell(
            solution, metadata={"tags": ["solution"], "jupyter": {"source_hidden": True}}
        ),
    ]
    for cell, part in zip(cells, ("ask", "try", "check", "solution"), strict=True):
        cell["id"] = f"ex-{name}-{part}"
    return cells


def question_cells(name: str) -> list[NotebookNode]:
    """Return the cell that shows a question.

    Parameters
    ----------
    name : str
        The question.

    Returns
    -------
    list of NotebookNode
    """
    return [new_code_cell(f'oe.ask("{name}")', id=f"q-{name}", metadata={"tags": ["question"]})]


def refresh(notebook: NotebookNode, number: str) -> None:
    """Put the questions and exercises of a notebook into it, or bring them up to date.

    Cells that are there keep their place, so that they can be moved to where they fit best; new
    ones come at the end, those no longer declared go.

    Parameters
    ----------
    notebook : NotebookNode
        Changed in place.
    number : str
        Such as ``"05"``.
    """
    questions = [q.name for q in QUESTIONS.values() if q.notebook == number]
    exercises = [e.name for e in EXERCISES.values() if e.notebook == number]
    groups = []
    if questions:
        groups += [[_heading("questions", _QUESTIONS_HEADING)], *map(question_cells, questions)]
    if exercises:
        groups += [[_heading("exercises", _EXERCISES_HEADING)], *map(exercise_cells, exercises)]
    wanted = {cell["id"] for group in groups for cell in group}
    cells = [c for c in notebook.cells if c.get("id") in wanted or not _ours(c)]
    last = len(cells)
    for group in groups:
        names = {cell["id"] for cell in group}
        places = [place for place, cell in enumerate(cells) if cell.get("id") in names]
        at = places[0] if places else last
        cells = [cell for cell in cells if cell.get("id") not in names]
        cells[at:at] = group
        last = at + len(group)
    notebook.cells = cells


def _heading(name: str, text: str) -> NotebookNode:
    cell: NotebookNode = new_markdown_cell(text, id=f"heading-{name}", metadata={"tags": [name]})
    return cell


def _ours(cell: NotebookNode) -> bool:
    tags = {"questions", "exercises", "question", "exercise", "solution"}
    return bool(tags & set(cell.get("metadata", {}).get("tags", [])))


def main(arguments: Sequence[str]) -> int:
    """Refresh every notebook in the folders given.

    Parameters
    ----------
    arguments : sequence of str
        Folders.

    Returns
    -------
    int
        The exit code.
    """
    for path in sorted(p for folder in arguments for p in Path(folder).glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        before = nbformat.writes(notebook)
        refresh(notebook, path.name[:2])
        changed = nbformat.writes(notebook) != before
        if changed:
            nbformat.write(notebook, path)
        print(f"{path.name}: {'refreshed' if changed else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
