"""The whole course as static pages that open from a disk, without Python and without a network.

Each notebook is run once. Prose, code and outputs become HTML; pictures stay alive through the same
player.js as in the notebook (export.py says how their data gets there).
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import nbformat
import plotly.graph_objects as go
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from overparam_edu.player.mathml import prose
from overparam_edu.player.page import (
    MIME,
    page,
    piece_html,
    pieces,
    player_script,
    plotly_script,
    styles,
)
from overparam_edu.publish import lesson_folder

# What a terminal takes for colours.
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def prose_html(markdown: str) -> str:
    """Return a Markdown cell; formulas and tables scroll by themselves where a screen is narrow.

    Parameters
    ----------
    markdown : str
        HTML in it is kept: it is the notebook's author's.

    Returns
    -------
    str
    """
    return _scrolling(prose(markdown, html=True))


def code_html(source: str) -> str:
    """Return Python in colour, to be folded.

    Parameters
    ----------
    source : str

    Returns
    -------
    str

    Examples
    --------
    >>> "<details" in code_html("x = 1")
    True
    """
    lines = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    pre = f'<pre tabindex="0"><code>{lines}</code></pre>'
    return f'<details class="code" open><summary>Code</summary>{pre}</details>'


def output_html(output: Mapping[str, Any]) -> str:
    """Return a code cell's output, other than a widget.

    Parameters
    ----------
    output : mapping
        As nbformat has it.

    Returns
    -------
    str
        Empty if there is nothing to be seen.

    Examples
    --------
    >>> output_html({"output_type": "stream", "text": "1 < 2"})
    '<pre class="said" tabindex="0">1 &lt; 2</pre>'
    """
    if output["output_type"] == "stream":
        return _said(output["text"])
    if output["output_type"] == "error":
        return _said("\n".join(output["traceback"]))
    data = output.get("data", {})
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return _scrolling(prose(data[kind]))
    if "text/html" in data:
        return _scrolling(str(data["text/html"]))
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            words = html.escape(data.get("text/plain", "Figure"))
            return f'<img src="data:{kind};base64,{data[kind].strip()}" alt="{words}">'
    return _said(data["text/plain"]) if "text/plain" in data else ""


def _scrolling(text: str) -> str:
    inner = r'(<math[^>]*display="block".*?</math>|<table>.*?</table>)'
    return re.sub(inner, r'<div class="scrolls" tabindex="0">\1</div>', text, flags=re.S)


def _said(text: str) -> str:
    return f'<pre class="said" tabindex="0">{html.escape(ANSI.sub("", text).rstrip())}</pre>'


_PRELUDE = "from overparam_edu.player.page import record_pieces\n\nrecord_pieces()"
_SCRIPTS = ("plotly.min.js", "player.js")
_SECONDS = 600  # for one cell
_FIGURE = "application/vnd.plotly.v1+json"


class Lesson(NamedTuple):
    """A notebook as a page.

    Parameters
    ----------
    name : str
        Of the notebook and the page, without its ending.
    title : str
        Plain text.
    goal : str
        One sentence of Markdown; empty if the notebook states none.
    minutes : str
        As the notebook says; empty if it does not.
    body : str
        HTML.
    scenes : dict of str to str
        Files beside the page by their name: scenes that are drawn when they are chosen.
    """

    name: str
    title: str
    goal: str
    minutes: str
    body: str
    scenes: dict[str, str]


class Pages(NamedTuple):
    """What `build_pages` wrote.

    Parameters
    ----------
    start : Path
        The page to open first.
    lessons : tuple of Path
        One page a notebook.
    size : int
        Bytes of all files.
    """

    start: Path
    lessons: tuple[Path, ...]
    size: int


def lesson_notebooks() -> list[Path]:
    """Return the course's notebooks: those of the checkout, or those that came with the package.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> lesson_notebooks()[0].name
    '00_start_here.ipynb'
    """
    return sorted(lesson_folder().glob("[0-9]*.ipynb"))


def build_pages(
    out: str | Path,
    *,
    notebooks: Sequence[str | Path] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Pages:
    """Write the course as static pages; ``index.html`` opens it from a disk or a server.

    Each notebook is run, so this takes minutes. An explorer's controls that need Python become a
    few choices that were computed in advance.

    Parameters
    ----------
    out : str or Path
        Folder to write to; made if it is missing. Files of the same names are replaced.
    notebooks : sequence of str or Path, optional
        By default the whole course.
    progress : callable, optional
        Told in a line what is being done.

    Returns
    -------
    Pages

    Raises
    ------
    ValueError
        If there is no notebook.
    RuntimeError
        If a cell fails; the message has the notebook and what went wrong.
    OSError
        If a notebook can't be read, or a file not written.
    """
    paths = lesson_notebooks() if notebooks is None else [Path(path) for path in notebooks]
    if not paths:
        raise ValueError("notebooks must be one or more; got none")
    tell = progress or (lambda _: None)
    folder = Path(out)
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    names = [path.stem for path in paths]
    lessons = []
    for number, path in enumerate(paths, start=1):
        tell(f"{number} of {len(paths)}: running {path.name}")
        lessons.append(lesson(executed(path), path.stem, linked=names))
    files = {"plotly.min.js": plotly_script(), "player.js": player_script(), "course.css": styles()}
    for number, one in enumerate(lessons):
        near = (lessons[number - 1] if number else None, *lessons[number + 1 : number + 2])
        files[f"{one.name}.html"] = _lesson_page(one, *near)
        files |= {f"scenes/{name}.js": text for name, text in one.scenes.items()}
    files["index.html"] = _index(lessons)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    tell(f"{len(files)} files in {folder}; open {folder / 'index.html'}")
    pages = tuple(folder / f"{name}.html" for name in names)
    return Pages(folder / "index.html", pages, sum(len(text.encode()) for text in files.values()))


def executed(path: Path) -> Any:
    """Return a notebook with the outputs of all its cells, and in them what pages need of widgets.

    Parameters
    ----------
    path : Path

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    RuntimeError
        If a cell fails.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = nbformat.read(path, as_version=4)
    prelude = nbformat.v4.new_code_cell(_PRELUDE)
    notebook.cells.insert(0, prelude)
    client = NotebookClient(
        notebook,
        timeout=_SECONDS,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    environment = os.environ | {"PLOTLY_RENDERER": "plotly_mimetype", "TQDM_DISABLE": "1"}
    try:
        client.execute(env=environment)
    except (CellExecutionError, CellTimeoutError) as problem:
        last = ANSI.sub("", str(problem)).strip().splitlines()[-1]
        raise RuntimeError(f"{path.name} does not run: {last}") from problem
    del notebook.cells[0]
    return notebook


def lesson(notebook: Any, name: str, *, linked: Sequence[str] = ()) -> Lesson:
    """Return a notebook as a page.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Run by `executed`, or untouched.
    name : str
        Of the page, without its ending.
    linked : sequence of str
        Names of the pages that links between notebooks may lead to.

    Returns
    -------
    Lesson

    Raises
    ------
    ValueError
        If a formula can't be read.
    """
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = re.search(r"^# +(.+)$", text, flags=re.M)
    goal = re.search(r"\*\*Goal\.\*\*\s*(.+?)\n\s*\n", text, flags=re.S)
    minutes = re.search(r"\*\*Time\*\*\s*(\d+)", text)
    scenes: dict[str, str] = {}
    cells = [_cell(cell, name, scenes) for cell in notebook.cells]
    return Lesson(
        name,
        title[1] if title else name,
        goal[1] if goal else "",
        minutes[1] if minutes else "",
        _numbered(_linked("\n".join(cells), linked)),
        scenes,
    )


def _cell(cell: Any, name: str, scenes: dict[str, str]) -> str:
    if cell.cell_type == "markdown":
        inside = prose_html(cell.source)
    elif cell.cell_type == "code":
        inside = code_html(cell.source) if cell.source.strip() else ""
        inside += "".join(_output(output, name, scenes) for output in cell.outputs)
    else:
        return ""
    if "solution" in cell.metadata.get("tags", ()):
        return f'<details class="solution"><summary>Solution</summary>{inside}</details>'
    return inside


def _output(output: Mapping[str, Any], name: str, scenes: dict[str, str]) -> str:
    data = output.get("data", {})
    if MIME in data:
        if not data[MIME]:
            return '<p class="note">What this cell shows needs Python: open the notebook.</p>'
        return "".join(_piece(piece, name, scenes) for piece in data[MIME])
    if _FIGURE in data:
        figure = go.Figure({"data": data[_FIGURE]["data"], "layout": data[_FIGURE]["layout"]})
        return "".join(_piece(piece.to_json(), name, scenes) for piece in pieces(figure))
    return output_html(output)


def _piece(piece: Mapping[str, Any], name: str, scenes: dict[str, str]) -> str:
    """Return a picture's place; all scenes but the first go to files that come when chosen."""
    here: list[Any] = []
    for number, scene in enumerate(piece["scenes"]):
        if number == 0:
            here.append(scene)
            continue
        key = f"{name}-{len(scenes) + 1}"
        text = json.dumps(scene, separators=(",", ":"), allow_nan=False)
        scenes[key] = f"overparamEduScene({json.dumps(key)}, {text});\n"
        here.append(key)
    return piece_html({**piece, "scenes": here})


def _linked(body: str, names: Sequence[str]) -> str:
    """Turn links to notebooks into links to pages, or into plain text where there is none."""

    def target(link: re.Match[str]) -> str:
        if link[1] in names:
            return f'<a href="{link[1]}.html{link[2]}">{link[3]}</a>'
        return link[3]

    return re.sub(
        r'<a href="([^":/]+)\.ipynb(#[^"]*)?">(.*?)</a>',
        lambda link: target(link).replace("None", ""),
        body,
        flags=re.S,
    )


def _numbered(body: str) -> str:
    """Give each section a name that links can lead to."""
    count = iter(range(1, body.count("<h2>") + 1))
    return re.sub(r"<h2>", lambda _: f'<h2 id="section-{next(count)}">', body)


_ABOUT = (
    '<p class="note">The lesson as it ran: pictures move here, code does not. To run and '
    "change it, open the notebook of the same name.</p>"
)
_SKIP = '<a class="skip" href="#lesson">Skip to the lesson</a>'


def _lesson_page(one: Lesson, before: Lesson | None, after: Lesson | None = None) -> str:
    header = (
        f'{_SKIP}<header><nav aria-label="Course"><a href="index.html">All lessons</a></nav>'
        '<button id="code-switch" type="button" aria-pressed="true">Show code</button></header>'
    )
    links = [
        f'<a href="{_address(other.name)}" rel="{way}">{arrow}</a>'
        for other, way, arrow in (
            (before, "prev", f"← {_plain(before.title)}" if before else ""),
            (after, "next", f"{_plain(after.title)} →" if after else ""),
        )
        if other
    ]
    near = f'<nav aria-label="Lessons before and after">{" ".join(links)}</nav>' if links else ""
    body = f'{header}<main id="lesson">{_ABOUT}{one.body}</main><footer>{near}</footer>'
    return page(one.title, body, scripts=_SCRIPTS)


def _index(lessons: Sequence[Lesson]) -> str:
    rows = "".join(
        f'<li><h2><a href="{_address(one.name)}">{_plain(one.title)}</a></h2>{prose(one.goal)}'
        + (f'<p class="note">{one.minutes} minutes</p>' if one.minutes else "")
        + "</li>"
        for one in lessons
    )
    body = (
        "<main><h1>Implicit acceleration by overparameterization</h1>"
        "<p>Interactive lessons on one surprising result: adding linear layers to a linear model "
        "changes nothing it can express, yet it changes how gradient descent moves, and can speed "
        "it up.</p><p>Every picture moves: drag its sliders, press its buttons, or focus them and "
        "use the arrow keys. These pages need neither Python nor a network; what has to be "
        "computed anew is in the notebooks.</p>"
        f'<ol class="lessons">{rows}</ol></main>'
    )
    return page("Implicit acceleration by overparameterization", body, scripts=())


def _address(name: str) -> str:
    return quote(f"{name}.html")  # a file's name may hold any sign


def _plain(title: str) -> str:
    return html.escape(title)
