"""Write a lesson without solutions, and for nbgrader.

The folder gets the lesson to hand out and, below source/, the same lesson for nbgrader, with one
point for each exercise. Neither holds a solution. The folder is then a course as nbgrader knows it.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from pathlib import Path

from overparam_edu.cli.command import CommandError, need
from overparam_edu.cli.present import find_notebook


def run(options: argparse.Namespace) -> int:
    """Write both notebooks, and say what to do with them."""
    need("nbformat", "pages")
    import nbformat

    from overparam_edu.classroom.assignment import add_points, remove_solutions

    original = find_notebook(options.notebook)
    try:
        plain = nbformat.read(original, as_version=4)
        remove_solutions(plain)
    except Exception:  # nbformat raises whatever a damaged file leads to
        raise CommandError(f"{original} can't be read as a notebook") from None
    # nbgrader, not otter-grader: students need nothing but the course, and grading no container.
    graded = deepcopy(plain)
    try:
        points = add_points(graded)
    except ValueError as error:
        raise CommandError(f"{original}: {error}") from None
    if not points:
        raise CommandError(f"{original} has none of the course's exercises")
    folder, name = Path(options.out).expanduser(), original.stem
    made = {folder / original.name: plain, folder / "source" / name / original.name: graded}
    try:
        for path in made:
            if path.exists() and not options.force:
                raise CommandError(f"{path} is there already; --force replaces it")
        for path, notebook in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, path)
    except OSError as error:
        raise CommandError(f"cannot write to {folder}: {error.strerror or error}") from None
    without, with_points = made
    print(f"To hand out as it is: {without}")
    print(f"For nbgrader, {points} point{'s' * (points > 1)}: {with_points}")
    print(f"    next, in {folder}: nbgrader generate_assignment {name}")
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the lesson, the folder and whether to overwrite."""
    parser.add_argument(
        "notebook",
        metavar="NOTEBOOK",
        help="a lesson's number such as 02, or the path of a notebook",
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write to")
    parser.add_argument("--force", action="store_true", help="replace files of the same names")
