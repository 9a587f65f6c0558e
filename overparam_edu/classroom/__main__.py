"""Keep generated text up to date: ``python -m overparam_edu.classroom notebooks docs/claims.md``.

Into each notebook of a folder go the cells of its questions and exercises, in place where they are
already. A Markdown file gets the table of claims, checked now, between its two marks.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from overparam_edu.classroom.checking import find
from overparam_edu.classroom.claims import claims
from overparam_edu.classroom.exercises import EXERCISES
from overparam_edu.classroom.questions import QUESTIONS

MARKS = ("<!-- claims -->\n", "<!-- /claims -->")
_HEADINGS = {
    "questions": "## Check yourself\n\nClick an answer, or use Tab, the arrow keys and Enter. "
    "Every answer is explained, the wrong ones too.",
    "exercises": "## Exercises\n\nReplace the dots, run the cell, then run the check below it. A "
    "check tests properties, so any right way is right; its hints get more explicit each time. A "
    "solution is in the folded cell below. What you do is kept by itself: `oe.progress()` shows "
    "it, and where.",
}
_OURS = {*_HEADINGS, "question", "exercise", "solution"}  # tags


def exercise_cells(name: str) -> list[NotebookNode]:
    """Return the four cells of an exercise: what is asked, a stub, the check, a solution.

    The solution is folded and tagged ``solution``. It defines another name than the stub does, so
    that running all cells gives nothing away.
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
    tags, folded = {"tags": ["exercise"]}, {"jupyter": {"source_hidden": True}}
    return [
        new_markdown_cell(prompt, id=f"ex-{name}-ask", metadata=tags),
        new_code_cell(stub, id=f"ex-{name}-try", metadata=tags),
        new_code_cell(check, id=f"ex-{name}-check", metadata=tags),
        new_code_cell(
            solution, id=f"ex-{name}-solution", metadata={"tags": ["solution"], **folded}
        ),
    ]


def refresh(notebook: NotebookNode, number: str) -> None:
    """Put the questions and exercises of lesson `number`, such as "05", into its notebook.

    Cells that are there keep their place, so that they can be moved to where they fit best; new
    ones come at the end, those no longer declared go.
    """
    tags = {"tags": ["question"]}
    questions = [
        [new_code_cell(f'oe.ask("{name}")', id=f"q-{name}", metadata=tags)]
        for name, question in QUESTIONS.items()
        if question.notebook == number
    ]
    exercises = [exercise_cells(e.name) for e in EXERCISES.values() if e.notebook == number]
    groups = []
    for (kind, text), made in zip(_HEADINGS.items(), (questions, exercises), strict=True):
        if made:
            heading = new_markdown_cell(text, id=f"heading-{kind}", metadata={"tags": [kind]})
            groups += [[heading], *made]
    wanted = {cell["id"] for group in groups for cell in group}
    cells = [
        cell
        for cell in notebook.cells
        if cell.get("id") in wanted or not _OURS & set(cell.get("metadata", {}).get("tags", []))
    ]
    last = len(cells)
    for group in groups:
        names = {cell["id"] for cell in group}
        places = [place for place, cell in enumerate(cells) if cell.get("id") in names]
        at = places[0] if places else last
        cells = [cell for cell in cells if cell.get("id") not in names]
        cells[at:at] = group
        last = at + len(group)
    notebook.cells = cells


def with_table(text: str, table: str) -> str:
    """Return Markdown with the table between its two marks replaced."""
    before, rest = text.split(MARKS[0])
    _, after = rest.split(MARKS[1])
    return f"{before}{MARKS[0]}\n{table}\n\n{MARKS[1]}{after}"


def main(words: Sequence[str]) -> int:
    """Refresh the notebooks in each folder and the table in each Markdown file; return 0."""
    parser = argparse.ArgumentParser(prog="python -m overparam_edu.classroom", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folder or .md file")
    for path in parser.parse_args(words).paths:
        for file in sorted(path.glob("[0-9][0-9]_*.ipynb")) if path.is_dir() else [path]:
            before = file.read_text(encoding="utf-8")
            if file.suffix == ".ipynb":
                notebook = nbformat.reads(before, as_version=4)
                refresh(notebook, file.name[:2])
                after = nbformat.writes(notebook) + "\n"
            else:
                after = with_table(before, claims().check().to_markdown())
            if after != before:
                file.write_text(after, encoding="utf-8")
            print(f"{file.name}: {'up to date' if after == before else 'refreshed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
