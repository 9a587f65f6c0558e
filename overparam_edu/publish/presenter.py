"""A lesson for the projector, through Voila: how its cells look, and what a bookmark holds.

The page itself, ``voila/templates/overparam_edu/index.html.j2``, lays the cells out as screens. Its
address says which screen is shown, where the sliders stand and how the explorers' controls are set,
which only Python knows: a `Bookmark` tells it. Screens and pictures are named by the ids of their
cells, which are the same in each run. What a lecture leaves out is tagged (CONTRIBUTING.md).
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import anywidget
import ipywidgets as widgets
import nbformat
import plotly.graph_objects as go
import traitlets

from overparam_edu.player.explorer import Explorer
from overparam_edu.player.page import styles
from overparam_edu.player.player import Player
from overparam_edu.player.scene import still
from overparam_edu.publish import lesson_notebooks
from overparam_edu.publish.pages import code_html, kernel_display, output_html, prose_html, title_of
from overparam_edu.publish.plans import HOMEWORK, UNSEEN, deck, plans

# The folder that Voila looks for templates in, and the template's name.
TEMPLATES, TEMPLATE = Path(__file__).parent, "overparam_edu"

_WIDGET = "application/vnd.jupyter.widget-view+json"
_PRELUDE = "from overparam_edu.publish.presenter import present_figures\n\npresent_figures()"
_BOOKMARK = (
    "from overparam_edu.publish.presenter import Bookmark, shown_explorers\n\n"
    "Bookmark(shown_explorers)"
)
# What a lesson needs of JupyterLab's extensions; Voila drops one of its own two.
_EXTENSIONS = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager7",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
]
shown_explorers: list[Explorer] = []  # by this kernel, in the order of the page


# --- in the server ---


def settings(pages: str = "") -> dict[str, Any]:
    """Return the settings of Voila with which it presents lessons, by the names of its classes.

    `pages` is the address at which a class finds the course's pages.
    """
    filters = {"cell_html": cell_html, "own": _file, "told": told, "pages": lambda _: _qr(pages)}
    return {
        "VoilaConfiguration": {
            "template": TEMPLATE,
            "prelaunch_hook": prepared,
            "show_tracebacks": True,
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "extension_allowlist": _EXTENSIONS,
        },
        "VoilaExporter": {"filters": filters},
        # A kernel that has died is missed within a second.
        "KernelRestarter": {"time_to_dead": 0.5},
    }


def prepared(request: Any, notebook: Any, cwd: str) -> Any:
    """Return a notebook as it is presented: without what a class does by itself (Voila's hook).

    An address with ``?plan=50`` asks for the deck of that plan instead.
    """
    # Asking for it sets the cookie with which a page that is closed may stop its kernel.
    _ = request.xsrf_token
    asked = request.get_query_argument("plan", "")
    if asked in plans():
        own, notebook = notebook, deck(asked)
        notebook.metadata |= {"plan": asked, "kernelspec": own.metadata.get("kernelspec", {})}
    notebook.metadata |= {"next": _next(request.request.path, cwd)}
    cells = [cell for cell in notebook.cells if HOMEWORK.isdisjoint(cell.metadata.get("tags", ()))]
    first, last = (nbformat.v4.new_code_cell(code) for code in (_PRELUDE, _BOOKMARK))
    notebook.cells = [first, *cells, last]
    return notebook


def _next(path: str, cwd: str) -> list[str]:
    """Return the names of the lessons before and after this one in its folder, empty if none."""
    lessons = ["", *(found.name for found in lesson_notebooks(Path(cwd))), ""]
    name = unquote(path).rsplit("/", 1)[-1]
    here = lessons.index(name) if name in lessons[1:-1] else 0
    return [lessons[here - 1], lessons[here + 1]] if here else ["", ""]


def told(notebook: Any) -> str:
    """Return what the page's script is told of the whole lecture, as JSON for a script element."""
    title = notebook.metadata.get("title") or title_of(notebook, default="Lesson")
    about = {"title": title, "next": notebook.metadata["next"], "parts": []}
    if "plan" in notebook.metadata:
        plan = plans()[notebook.metadata["plan"]]
        about["parts"] = [
            {"start": start, "minutes": part.minutes, "say": part.say}
            for start, part in zip(plan.starts(), plan.parts, strict=False)
        ]
    return json.dumps(about).replace("<", "\\u003c")


def _qr(pages: str) -> str:
    """Return an address as a QR code and in letters."""
    if not pages:
        return "<p>Say where the pages are: <code>present --pages ADDRESS</code></p>"
    import segno

    code = segno.make(pages, micro=False).svg_inline(border=2, dark="#000", omitsize=True)
    return f"{code}<p>{html.escape(pages)}</p>"


def cell_html(cell: Any) -> str:
    """Return an executed cell as the blocks that screens are made of, under its name."""
    if cell.source in (_PRELUDE, _BOOKMARK):
        return "".join(f'<div id="bookmark">{_place(output)}</div>' for output in cell.outputs)
    tags = cell.metadata.get("tags", ())
    if cell.cell_type not in ("markdown", "code") or UNSEEN in tags:
        return ""
    if cell.cell_type == "markdown":
        inside = prose_html(cell.source)
    else:
        outputs = "".join(_outputs(cell.outputs))
        inside = f'<div class="source">{code_html(cell.source)}</div>{outputs}'
    known = {"cell": cell.get("id", ""), "lesson": cell.metadata.get("lesson", "")}
    known["part"] = str(cell.metadata.get("part", ""))
    data = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in known.items())
    looks = " ".join(["cell", *(["prose"] if cell.cell_type == "markdown" else []), *tags])
    return f'<div class="{html.escape(looks)}" {data}>{inside}</div>'


def _outputs(outputs: list[Any]) -> Iterator[str]:
    """Yield what a cell shows; what it prints is one block, in however many pieces it arrives."""
    # What goes to stderr is how far a loop has come, which is long over.
    kept = [output for output in outputs if output.get("name") != "stderr"]
    for printed, group in groupby(kept, lambda output: output["output_type"] == "stream"):
        together = list(group)
        if printed:
            text = "".join(output["text"] for output in together)
            together = [{"output_type": "stream", "name": "stdout", "text": text}]
        for output in together:
            if _WIDGET in output.get("data", {}):
                yield f'<div class="live">{_place(output)}</div>'
            elif text := output_html(output):
                yield f'<div class="result">{text}</div>'


def _place(output: Mapping[str, Any]) -> str:
    """Return where Voila puts a widget."""
    data = {_WIDGET: output["data"][_WIDGET]}
    known = {"output_type": "display_data", "data": data, "metadata": {}, "trusted": True}
    text = json.dumps(known).replace("<", "\\u003c")
    return f'<script type="application/vnd.voila.cell-output+json">{text}</script>'


def _file(name: str) -> str:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return styles() + text if name.endswith(".css") else text


# --- in the kernel ---


def present_figures() -> None:
    """Make this kernel show figures as players, which grow with the screen, and note explorers."""
    from IPython.display import display

    def widget(what: widgets.Widget) -> Any:
        shown_explorers.extend(_explorers_in(what))
        return what._repr_mimebundle_()

    formatter = kernel_display()
    show = formatter.ipython_display_formatter
    show.for_type(go.Figure, lambda figure: display(Player(still(figure))))
    # A progress bar is gone once its loop has ended.
    show.for_type_by_name("tqdm.notebook", "TqdmHBox", lambda _: None)
    formatter.mimebundle_formatter.for_type(widgets.Widget, widget)


def _explorers_in(what: Any) -> list[Explorer]:
    if isinstance(what, Explorer):
        return [what]
    return [found for child in getattr(what, "children", ()) for found in _explorers_in(child)]


class Bookmark(anywidget.AnyWidget):
    """What the page's address holds of the explorers' controls, in both directions.

    `settings` has, for each explorer that is not as it opened, by its number on the page, its
    controls' values by name; of a control with options, the number of the option.
    """

    _esm = """
    export default { initialize: ({ model }) => window.overparamPresenter?.remember(model) };
    """
    settings = traitlets.Dict().tag(sync=True)

    def __init__(self, explorers: list[Explorer]) -> None:
        self._explorers = list(explorers)
        self._first = [_state(explorer) for explorer in explorers]
        super().__init__()
        for explorer in explorers:
            for control in explorer.controls.values():
                control.observe(self._note, "value")
        self.on_msg(self._answer)

    def _note(self, _: Any) -> None:
        now = {str(n): _state(explorer) for n, explorer in enumerate(self._explorers)}
        self.settings = {n: s for n, s in now.items() if s != self._first[int(n)]}

    def restore(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the explorers' controls; those that are not named go back to how they opened."""
        for number, explorer in enumerate(self._explorers):
            known = settings.get(str(number)) if isinstance(settings, Mapping) else None
            wanted = self._first[number] | (known if isinstance(known, dict) else {})
            if wanted != _state(explorer):
                with suppress(Exception):  # of an address typed wrongly
                    explorer.set(**_values(explorer, wanted))

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        try:
            self.restore(content["settings"])
        finally:  # an address that was typed wrongly brings back what it can
            self.send({"kind": "restored"})


def _state(explorer: Explorer) -> dict[str, Any]:
    """Return the controls as JSON: numbers and texts, or which option."""
    return dict(zip(explorer.controls, explorer.state, strict=True))


def _values(explorer: Explorer, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the controls' values for a state; what a control does not have is left out."""
    values = {}
    for name, control in explorer.controls.items():
        wanted = state[name]
        if not hasattr(control, "index"):
            values[name] = wanted
        elif isinstance(wanted, int) and 0 <= wanted < len(control._options_full):
            values[name] = control._options_full[wanted][1]
    return values
