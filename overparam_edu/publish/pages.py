"""The whole course as static pages that open from a disk, without Python and without a network.

Each notebook is run once. Prose, code and outputs become HTML; pictures stay alive through the same
player.js as in the notebook (player/page.py says how their data gets there).
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import hashlib
import html
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from importlib import resources
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import quote

import ipywidgets as widgets
import plotly.graph_objects as go
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from overparam_edu.player.mathml import prose
from overparam_edu.player.page import (
    NO_SCRIPT,
    page,
    piece_html,
    pieces,
    player_script,
    plotly_script,
    styles,
)
from overparam_edu.player.pictures import DRAWN, Tab, in_browser
from overparam_edu.player.question import QuestionCard
from overparam_edu.publish import lesson_notebooks

TITLE = "Implicit acceleration by overparameterization"
# Kinds of output: the pictures of a widget, which stand beside the widget's own, and a figure.
_PIECES = "application/vnd.overparam-edu.pieces+json"
_FIGURE = "application/vnd.plotly.v1+json"
_PRELUDE = "from overparam_edu.publish.pages import keep_pieces\n\nkeep_pieces()"
_SECONDS = 600  # for one cell
_clients: set[Any] = set()  # of nbclient, whose notebooks run now
# What a terminal takes for colours.
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Lesson(NamedTuple):
    """A notebook as a page."""

    name: str  # of the notebook and the page, without its ending
    title: str  # plain text
    goal: str  # one sentence of Markdown; empty if the notebook states none
    minutes: str  # as the notebook says; empty if it does not
    body: str  # HTML
    scenes: dict[str, str]  # files beside the page: scenes that are drawn when they are chosen

    @property
    def address(self) -> str:
        """The name of the page's file, for a link; a notebook's name may hold any sign."""
        return quote(f"{self.name}.html")


class Pages(NamedTuple):
    """What `build_pages` wrote."""

    start: Path  # the page to open first
    lessons: tuple[Path, ...]  # one page a notebook
    size: int  # bytes of all files


def build_pages(
    out: str | Path,
    *,
    notebooks: Sequence[str | Path] | None = None,
    url: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Pages:
    """Write the course as static pages; ``index.html`` opens it from a disk or a server.

    Each notebook is run, as many at once as there are processors, so this takes minutes. An
    explorer's controls that need Python become a few choices computed in advance.
    Readers without JavaScript get stills and whole proofs if Chrome is installed here, else words.

    Parameters
    ----------
    out : str or Path
        Folder to write to, made if it is missing. Files of the same names are replaced. A page is
        named like its notebook; of several with one name, or called index, the others get a number.
    notebooks : sequence of str or Path, optional
        By default the whole course.
    url : str, optional
        Where the folder will be on the web, such as ``"https://example.org/course/"``; search
        engines and previews of links need it, and nothing else does.
    progress : callable, optional
        Called with a line about each notebook that has run, with an estimate of what is left.

    Returns
    -------
    Pages
        With ``start``, the page to open first; ``lessons``, one page a notebook; and ``size``, the
        bytes of all files.

    Raises
    ------
    ValueError
        If there is no notebook, or `url` is no address of the web.
    RuntimeError
        If a notebook is damaged, or a cell fails; the message names it and says what went wrong.
    OSError
        If a notebook can't be read, or a file not written.
    """
    paths = (
        lesson_notebooks() if notebooks is None else [Path(path).expanduser() for path in notebooks]
    )
    if not paths:
        raise ValueError("notebooks must be one or more; got none")
    if url is not None and not re.match(r"https?://[^/\s]+", url):
        raise ValueError(f"url must begin with https:// or http:// and a host; got {url!r}")
    tell = progress or (lambda _: None)
    folder = Path(out).expanduser()
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    names = _names(paths)
    ran = _each_executed(paths, tell)
    lessons = [lesson(one, name, linked=names) for one, name in zip(ran, names, strict=True)]
    files = {"plotly.min.js": plotly_script(), "player.js": player_script(), "course.css": styles()}
    for number, one in enumerate(lessons):
        near = (lessons[number - 1] if number else None, *lessons[number + 1 : number + 2])
        files[f"{one.name}.html"] = _lesson_page(one, *near, url=url)
        files |= {f"scenes/{name}.js": text for name, text in one.scenes.items()}
    files["index.html"] = _index(lessons, url)
    made = {name: text.encode() for name, text in files.items()}
    made["race.gif"] = resources.files(__package__).joinpath("race.gif").read_bytes()
    for name, data in made.items():
        (folder / name).write_bytes(data)
    try:
        pages = [f"{one.name}.html" for one in lessons if NO_SCRIPT in one.body]
        made |= _with_stills(folder, pages) if pages else {}
    except (ImportError, RuntimeError) as problem:
        tell(f"Without JavaScript these pages have words in place of pictures: {problem}")
    tell(f"{len(made)} files in {folder}; open {folder / 'index.html'}")
    written = tuple(folder / f"{name}.html" for name in names)
    return Pages(folder / "index.html", written, sum(map(len, made.values())))


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a page's name for each notebook: its own, or that with a number if it is taken."""
    taken = {"index"}
    names = []
    for path in paths:
        stems = (path.stem, *(f"{path.stem}-{number}" for number in range(2, len(paths) + 3)))
        names.append(next(stem for stem in stems if stem.casefold() not in taken))
        taken.add(names[-1].casefold())
    return names


def _each_executed(paths: Sequence[Path], tell: Callable[[str], None]) -> list[Any]:
    """Run notebooks, as many at once as there are processors."""
    began, workers = time.monotonic(), min(len(paths), os.cpu_count() or 1)
    tell(f"{len(paths)} to run, {workers} at a time")
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[Any], Path] = {}
        try:
            for path in paths:
                running[pool.submit(executed, path)] = path
            for done, future in enumerate(as_completed(running), start=1):
                future.result()
                minutes = (time.monotonic() - began) / 60 / done * (len(paths) - done)
                left = f"; about {max(1, round(minutes))} min left" if done < len(paths) else ""
                tell(f"{done} of {len(paths)}: {running[future].name} has run{left}")
        except BaseException:
            # An interrupt in `submit` leaves a notebook that runs and is not in `running`.
            stops = Thread(target=pool.shutdown, kwargs={"cancel_futures": True})
            stops.start()
            while stops.is_alive():
                _kill_kernels()  # of what still runs; one that was starting is there only now
                stops.join(0.1)
            raise
    return [future.result() for future in running]


def _kill_kernels() -> None:
    for client in list(_clients):
        provisioner = getattr(client.km, "provisioner", None)
        process = getattr(provisioner, "process", None)
        if process is not None:
            process.kill()


def executed(path: Path) -> Any:
    """Return a notebook with the outputs of all its cells, and in them the pictures of widgets."""
    import nbformat  # slowly, and in no kernel
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    try:
        notebook = nbformat.read(path, as_version=4)
    except OSError:
        raise
    except Exception as problem:  # nbformat raises whatever a damaged file leads to
        raise RuntimeError(f"{path.name} is damaged, or no notebook") from problem
    notebook.cells.insert(0, nbformat.v4.new_code_cell(_PRELUDE))
    client = NotebookClient(
        notebook,
        timeout=_SECONDS,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(path.parent)}},
    )
    environment = os.environ | {"PLOTLY_RENDERER": "plotly_mimetype", "TQDM_DISABLE": "1"}
    environment["OVERPARAM_EDU_PROGRESS"] = os.devnull  # nobody's answers belong on a page
    # What runs beside it has the other processors.
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    _clients.add(client)
    try:
        asyncio.run(client.async_execute(env=environment))  # which closes its loop
    except (CellExecutionError, CellTimeoutError, RuntimeError) as problem:
        last = _ANSI.sub("", str(problem)).strip().splitlines()[-1]
        raise RuntimeError(f"{path.name} does not run: {last}") from problem
    finally:
        _clients.discard(client)
        atexit.unregister(client._cleanup_kernel)  # which fails where a kernel died as it started
    del notebook.cells[0]
    return notebook


def keep_pieces() -> None:
    """Make this kernel keep in each cell's output what a page needs of the widget it shows."""
    import tqdm.auto

    tqdm.auto.tqdm = tqdm.tqdm  # a progress bar that can be switched off, as the notebook's can't

    def bundle(widget: widgets.Widget) -> dict[str, Any]:
        if isinstance(widget, QuestionCard):  # which needs no script to be read
            return {"text/html": widget.html}
        return {_PIECES: [piece.to_json() for piece in pieces(widget)]}

    kernel_display().mimebundle_formatter.for_type(widgets.Widget, bundle)


def kernel_display() -> Any:
    """Return what decides how this kernel shows things."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        raise RuntimeError("this must run in a notebook's kernel")
    return shell.display_formatter


# --- a lesson ---


def lesson(notebook: Any, name: str, *, linked: Sequence[str] = ()) -> Lesson:
    """Return a notebook, run by `executed` or untouched, as the page of this name.

    Links between notebooks become links to the pages that are `linked`, and otherwise plain text.
    """

    def link(found: re.Match[str]) -> str:
        if found[1] in linked:
            return f'<a href="{found[1]}.html{found[2] or ""}">{found[3]}</a>'
        return found[3]

    text = _markdown_of(notebook)
    goal = re.search(r"\*\*Goal\.\*\*\s*(.+?)\n\s*\n", text, flags=re.S)
    minutes = re.search(r"\*\*Time\*\*\s*(\d+)", text)
    scenes: dict[str, str] = {}
    body = "\n".join(_cell(cell, scenes) for cell in notebook.cells)
    body = re.sub(r'<a href="([^":/]+)\.ipynb(#[^"]*)?">(.*?)</a>', link, body, flags=re.S)
    count = iter(range(1, body.count("<h2>") + 1))  # each section has a name to link to
    return Lesson(
        name,
        title_of(notebook, default=name),
        goal[1] if goal else "",
        minutes[1] if minutes else "",
        re.sub(r"<h2>", lambda _: f'<h2 id="section-{next(count)}">', body),
        scenes,
    )


# What a reader without JavaScript sees of each piece: its place on the page, or a proof's lines.
_STILL = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const all = [...document.querySelectorAll(".piece")];
  const end = ({ name, stops }) => [name, stops.length - 1];
  while (!document.documentElement.dataset.ready) await frame();
  await document.fonts.ready;
  dispatchEvent(new Event("beforeprint"));
  const drawn = DRAWN;
  for (const { player } of all) {
    await drawn(player, 600); // and only then is a guess asked for
    if (player.sketch.drawing) player.sketch.end();
    player.move(Object.fromEntries(player.spec.axes.filter((axis) => axis.play).map(end)));
    await drawn(player, 600);
  }
  return all.map((piece) => {
    const { x, y, width, height } = piece.player.picture.getBoundingClientRect();
    if (piece.player.spec.figure) return { x: x + scrollX, y: y + scrollY, width, height };
    return (piece.querySelector(".printed") ?? piece.player.board).innerHTML;
  });
}""".replace("DRAWN", DRAWN)


def _with_stills(folder: Path, pages: Sequence[str]) -> dict[str, bytes]:
    """Write what pages show without JavaScript, drawn by Chrome, and return what is written."""

    async def draw(tab: Tab) -> dict[str, bytes]:
        written = {}
        size = {"width": 1000, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        await tab.send("Emulation.setDeviceMetricsOverride", **size)
        await tab.send("Emulation.setScrollbarsHidden", hidden=True)
        for name in pages:
            await tab.show(folder / name)
            first, *rest = (folder / name).read_text(encoding="utf-8").split(NO_SCRIPT)
            for number, (found, text) in enumerate(
                zip(await tab.run(f"({_STILL})()"), rest, strict=True)
            ):
                still = f'<div class="printed">{found}</div>'
                if not isinstance(found, str):
                    image = f"scenes/{Path(name).stem}-{number}.webp"
                    options = {"format": "webp", "quality": 70, "captureBeyondViewport": True}
                    shot = await tab.send(
                        "Page.captureScreenshot", clip={**found, "scale": 1}, **options
                    )
                    written[image] = base64.b64decode(shot["data"])
                    still = f'<img src="{quote(image)}" alt="" loading="lazy">'
                first += still + text
            written[name] = first.encode()
        return written

    written = in_browser(draw)
    for name, data in written.items():
        (folder / name).write_bytes(data)
    return written


def title_of(notebook: Any, *, default: str) -> str:
    """Return a notebook's title as plain text."""
    title = re.search(r"^# +(.+)$", _markdown_of(notebook), flags=re.M)
    return title[1] if title else default


def _markdown_of(notebook: Any) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def _cell(cell: Any, scenes: dict[str, str]) -> str:
    if cell.cell_type == "markdown":
        inside = prose_html(cell.source)
    elif cell.cell_type == "code":
        inside = code_html(cell.source, cell.id) if cell.source.strip() else ""
        inside += "".join(_output(output, scenes) for output in cell.outputs)
    else:
        return ""
    if "solution" in cell.metadata.get("tags", ()):
        return f'<details class="solution"><summary>Solution</summary>{inside}</details>'
    return inside


def _output(output: Mapping[str, Any], scenes: dict[str, str]) -> str:
    """Return an output as HTML; all scenes of a picture but its first go to files of their own."""
    data = output.get("data", {})
    if _PIECES in data:
        found = data[_PIECES]
    elif _FIGURE in data:
        figure = go.Figure({"data": data[_FIGURE]["data"], "layout": data[_FIGURE]["layout"]})
        found = [piece.to_json() for piece in pieces(figure)]
    else:
        return output_html(output)
    if not found:
        return '<p class="note">What this cell shows needs Python: open the notebook.</p>'
    places = []
    for piece in found:
        here = list(piece["scenes"])
        for number in range(1, len(here)):
            text = json.dumps(here[number], separators=(",", ":"), allow_nan=False)
            key = hashlib.sha256(text.encode()).hexdigest()[:16]  # a scene shown twice is one file
            scenes[key] = f"overparamEduScene({text});\n"
            here[number] = key
        places.append(piece_html({**piece, "scenes": here}))
    return "".join(places)


def prose_html(markdown: str) -> str:
    """Return a Markdown cell, with the HTML that its author put in."""
    return _scrolling(prose(markdown, html=True))


def code_html(source: str, cell: str = "") -> str:
    """Return Python in colour, to be folded; `cell` names it to the live lesson."""
    lines = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    pre = f'<pre tabindex="0"><code>{lines}</code></pre>'
    named = f' data-cell="{html.escape(cell)}"' if cell else ""
    return f'<details class="code"{named} open><summary>Code</summary>{pre}</details>'


def output_html(output: Mapping[str, Any]) -> str:
    """Return a code cell's output other than a widget; empty if there is nothing to be seen."""
    if output["output_type"] == "stream":
        return _said(output["text"])
    if output["output_type"] == "error":
        return _said("\n".join(output["traceback"]))
    data = output.get("data", {})
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return _scrolling(prose(data[kind]))
    if "text/html" in data:
        inside = _scrolling(str(data["text/html"]))
        attempt = str(data.get("text/plain", "")).startswith("… ")  # at an exercise: none
        return f'<div class="attempt">{inside}</div>' if attempt else inside
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            alt = html.escape(data.get("text/plain", "Figure"))
            return f'<img src="data:{kind};base64,{data[kind].strip()}" alt="{alt}">'
    return _said(data["text/plain"]) if "text/plain" in data else ""


def _scrolling(text: str) -> str:
    """Return HTML whose formulas and tables scroll by themselves where a screen is narrow."""
    inner = r'(<math[^>]*display="block".*?</math>|<table>.*?</table>)'
    return re.sub(inner, r'<div class="scrolls" tabindex="0">\1</div>', text, flags=re.S)


def _said(text: str) -> str:
    return f'<pre class="said" tabindex="0">{html.escape(_ANSI.sub("", text).rstrip())}</pre>'


# --- the pages ---

_ABOUT = (
    '<p class="note">The lesson as it ran: pictures move here, code does not. To run and '
    "change it, open the notebook of the same name.</p>"
    '<noscript><p class="note">With JavaScript switched off, nothing moves.</p></noscript>'
)
_HEADER = (
    '<a class="skip" href="#lesson">Skip to the lesson</a>'
    '<header><nav aria-label="Course"><a href="index.html">All lessons</a></nav>'
    '<button id="code-switch" type="button" hidden>Hide code</button></header>'
)
_PAPER = (
    '<a href="https://arxiv.org/abs/1802.06509"><cite>On the Optimization of Deep Networks: '
    "Implicit Acceleration by Overparameterization</cite></a>"
)
_LICENCE = (
    '<p class="note">Text and pictures: <a rel="license" '
    'href="https://creativecommons.org/licenses/by/4.0/">CC BY 4.0</a>. Code: MIT licence.</p>'
)


def _lesson_page(
    one: Lesson, before: Lesson | None, after: Lesson | None = None, *, url: str | None = None
) -> str:
    links = []
    if before:
        links.append(f'<a href="{before.address}" rel="prev">← {html.escape(before.title)}</a>')
    if after:
        links.append(f'<a href="{after.address}" rel="next">{html.escape(after.title)} →</a>')
    near = f'<nav aria-label="Lessons before and after">{" ".join(links)}</nav>' if links else ""
    body = f'{_HEADER}<main id="lesson">{_ABOUT}{one.body}</main><footer>{near}{_LICENCE}</footer>'
    scripts, goal = ("plotly.min.js", "player.js"), re.sub("<[^>]+>", "", prose(one.goal)).strip()
    return page(one.title, body, scripts=scripts, meta=_meta(goal or one.title, one.address, url))


def _meta(description: str, address: str, url: str | None) -> dict[str, str]:
    """Return what search engines and previews show of the page at an address."""
    known = {"description": description, "og:description": description, "og:type": "article"}
    if url is None:
        return known
    base = url.rstrip("/")
    page = f"{base}/{address}"
    return known | {"canonical": page, "og:url": page, "og:image": f"{base}/race.gif"}


def _index(lessons: Sequence[Lesson], url: str | None = None) -> str:
    rows = []
    for one in lessons:
        number = re.match(r"\d+", one.name)
        label = f'<span class="number">{number[0]}</span> ' if number else ""
        link = f'<a href="{one.address}">{html.escape(one.title)}</a>'
        minutes = f'<p class="note">{one.minutes} minutes</p>' if one.minutes else ""
        rows.append(f"<li><h2>{label}{link}</h2>{prose(one.goal)}{minutes}</li>")
    about = (
        "Interactive lessons on one surprising result: adding linear layers to a linear model "
        "changes nothing it can express, yet it changes how gradient descent moves, and can speed "
        "it up."
    )
    body = (
        f'<main><h1>{TITLE}</h1><p>{about}</p><img class="race" src="race.gif" width="960" alt="'
        "Gradient descent at depth 1 and at depth 3 on the same loss: two paths to one minimum"
        f'"><p>The result is from S. Arora, N. Cohen and E. Hazan, {_PAPER}, ICML 2018.</p>'
        "<p>Every picture moves: drag its sliders, press its buttons, or focus them and use the "
        "arrow keys. These pages need neither Python nor a network. To compute anew, run "
        "<code>overparam-edu lab</code>; to show a lesson as slides, "
        "<code>overparam-edu present 05</code>.</p>"
        f'<ol class="lessons">{"".join(rows)}</ol></main><footer>{_LICENCE}</footer>'
    )
    return page(TITLE, body, scripts=(), meta=_meta(about, "index.html", url))
