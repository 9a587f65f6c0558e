"""The public names as pages, from their docstrings: `make docs`.

pdoc makes the pages; formulas become MathML here, so that they need neither a script nor a network.
"""

from __future__ import annotations

import html
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pdoc
import pdoc.doc
import pdoc.docstrings
import pdoc.render
from numpy.typing import ArrayLike

from overparam_edu.checks import Array
from overparam_edu.player.mathml import mathml

# :math:`LATEX`, or a line `.. math:: LATEX` that may go on in lines that are indented further.
FORMULA = re.compile(
    r"^(?P<indent> *)\.\. math::\s*(?P<display>\S.*(?:\n(?P=indent) +\S.*)*)"
    r"|:math:`(?P<inline>[^`]+)`",
    flags=re.M,
)
# What stands for a formula while Markdown, which knows nothing of formulas, is read.
PLACE = re.compile(r"xformula(\d+)x")


spelled_out = inspect.formatannotation


def short(annotation: Any, *_: Any, **__: Any) -> str:
    """Return a type as its author wrote it: ArrayLike alone stands for a line of types."""
    parts, array = get_args(annotation), get_args(ArrayLike)
    if all(part in parts for part in array):  # not as sets: a Callable's arguments are a list
        others = [spelled_out(part) for part in parts if part not in array]
        return " | ".join(["ArrayLike", *others]).replace("NoneType", "None")
    return spelled_out(annotation).replace(spelled_out(Array), "ndarray")


def build(folder: Path) -> None:
    """Write the pages; ``index.html`` opens them.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Raises
    ------
    ValueError
        If a formula can't be read.
    """
    formulas: list[tuple[str, bool]] = []
    read = pdoc.docstrings.convert

    def put_aside(found: re.Match[str]) -> str:
        display = found["display"]
        formulas.append((display or found["inline"], bool(display)))
        return f"{found['indent'] or ''}xformula{len(formulas) - 1}x"

    def convert(docstring: str, docformat: str, source_file: Path | None) -> str:
        return read(FORMULA.sub(put_aside, docstring), docformat, source_file)

    pdoc.docstrings.convert = convert
    pdoc.doc.formatannotation = inspect.formatannotation = short
    pdoc.render.configure(docformat="numpy", show_source=False)
    try:
        pdoc.pdoc("overparam_edu", output_directory=folder)
    finally:
        pdoc.docstrings.convert = read
        pdoc.doc.formatannotation = inspect.formatannotation = spelled_out

    def formula(place: re.Match[str]) -> str:
        latex, display = formulas[int(place[1])]
        return mathml(latex, display=display)

    def words(place: re.Match[str]) -> str:  # for the search index, which is JSON
        return json.dumps(html.escape(formulas[int(place[1])][0]))[1:-1]

    for path in folder.rglob("*"):
        if path.suffix in (".html", ".js"):
            text = path.read_text(encoding="utf-8")
            made = PLACE.sub(formula if path.suffix == ".html" else words, text)
            path.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
