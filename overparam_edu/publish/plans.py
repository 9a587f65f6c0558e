"""Plans of a lecture over several lessons, and the one notebook, a deck, that each makes of them.

``plans.toml`` says for each plan which sections of which lessons are shown, in order, for how many
minutes, and what to say.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from overparam_edu.publish import lesson_folder

HOMEWORK = frozenset({"exercises", "exercise", "solution"})  # tags of what no class is shown
UNSEEN = "unseen"  # the tag of a cell that runs, and is not shown
RESULT = "result"  # the last part of each plan: all of it on one page


class Part(NamedTuple):
    """Sections of one lesson, shown one after the other."""

    lesson: str  # the beginning of its notebook's name, or RESULT
    sections: list[int]  # numbers of headings; 0 is what stands before the first
    minutes: int
    say: str  # to whoever speaks
    skip: Sequence[str] = ()  # ids of cells that this lecture has no time for
    questions: Sequence[str] = ()  # the class votes on these, last


class Plan(NamedTuple):
    """A lecture."""

    title: str
    parts: list[Part]

    def starts(self) -> list[int]:
        """Return after how many minutes each part begins, and the whole ends."""
        minutes = [part.minutes for part in self.parts]
        return [sum(minutes[:number]) for number in range(len(minutes) + 1)]


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def plans() -> dict[str, Plan]:
    """Return the plans by their minutes."""
    return {
        minutes: Plan(entry["title"], [Part(**part) for part in entry["part"]])
        for minutes, entry in tomllib.loads(_text("plans.toml")).items()
    }


def deck(minutes: str) -> Any:
    """Return the notebook of a plan: its screens in order, and the cells that these need."""
    import nbformat

    plan = plans()[minutes]
    notebook = nbformat.v4.new_notebook(metadata={"title": plan.title})
    rest: dict[str, list[Any]] = {}
    for number, part in enumerate(plan.parts):
        cells = rest.setdefault(part.lesson, list(_lesson_cells(part.lesson)))
        wanted = [cell for cell in cells if _shown(cell, part)]
        last = cells.index(wanted[-1]) + 1
        rest[part.lesson] = cells[last:]
        for cell in cells[:last]:
            if cell not in wanted:
                if cell.cell_type != "code" or _binds_nothing(cell.source):
                    continue
                cell.metadata["tags"] = [UNSEEN]
            cell.metadata["part"] = number
            notebook.cells.append(cell)
    return notebook


def _lesson_cells(lesson: str) -> Iterator[Any]:
    """Yield a lesson's cells, none of which begins another section further down."""
    import nbformat

    if lesson == RESULT:
        about = {"section": 0, "lesson": "", "tags": ["sheet"]}
        yield nbformat.v4.new_markdown_cell(_text("result.md"), id=RESULT, metadata=about)
        return
    [path] = lesson_folder().glob(f"{lesson}*.ipynb")
    section, title = 0, ""
    for cell in nbformat.read(path, as_version=4).cells:
        tags = set(cell.metadata.get("tags", ()))
        if tags & HOMEWORK:
            continue
        pieces = re.split(r"(?m)^(?=## )", cell.source) if cell.cell_type == "markdown" else [None]
        for number, source in enumerate(piece for piece in pieces if piece != ""):
            piece = cell.copy()
            piece.metadata = {**cell.metadata}
            if source is not None:
                piece.source = source
                piece.id = f"{cell.id}-{number}" if number else cell.id
                heading = re.match(r"(#+) +(?:(\d+) )?(.*)", source)
                title = heading[3] if heading and heading[1] == "#" else title
                if heading and heading[1] == "##":
                    section = int(heading[2] or -1)
            piece.metadata |= {"section": section, "lesson": f"{lesson} {title}"}
            yield piece


def _shown(cell: Any, part: Part) -> bool:
    if "question" in cell.metadata.get("tags", ()):
        return cell.id.removeprefix("q-") in part.questions
    return cell.metadata["section"] in part.sections and cell.id not in part.skip


def _binds_nothing(source: str) -> bool:
    """Return whether a cell only shows something, so that later ones can do without it."""
    return all(isinstance(statement, ast.Expr) for statement in ast.parse(source).body)
