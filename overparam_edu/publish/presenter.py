"""A lesson for the projector, through Voila: how its cells look, and what a bookmark holds.

The page itself is ``voila/templates/overparam_edu/index.html.j2``. It lays the cells out as
screens, and it keeps in its address which screen is shown, where the sliders stand (which it knows)
and how the explorers' controls are set (which Python knows, so a `Bookmark` tells it).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import nbformat
import plotly.graph_objects as go
import traitlets

from overparam_edu.player.explorer import Explorer
from overparam_edu.player.page import pieces, styles
from overparam_edu.player.player import Player
from overparam_edu.publish.pages import code_html, output_html, prose_html

# The folder that Voila looks for templates in, and the template's name.
TEMPLATES, TEMPLATE = Path(__file__).parent, "overparam_edu"

_WIDGET = "application/vnd.jupyter.widget-view+json"
_PRELUDE = "from overparam_edu.publish.presenter import present_figures\n\npresent_figures()"
_BOOKMARK = "from overparam_edu.publish.presenter import Bookmark\n\nBookmark.of_this_kernel()"
# What a lesson needs of all that is installed for JupyterLab; Voila drops one of its own two.
_EXTENSIONS = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager7",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
]
_shown: list[Explorer] = []


# --- in the server ---


def settings() -> dict[str, Any]:
    """Return the settings of Voila with which it presents lessons.

    Returns
    -------
    dict
        For ``voila.app.Voila``, by the names of its classes.
    """
    return {
        "VoilaConfiguration": {
            "template": TEMPLATE,
            "prelaunch_hook": prepared,
            "show_tracebacks": True,
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "extension_allowlist": _EXTENSIONS,
        },
        "VoilaExporter": {
            "filters": {"cell_html": cell_html, "heading": heading, "presenter_styles": _styles}
        },
    }


def prepared(request: Any, notebook: Any, cwd: str) -> Any:
    """Return a notebook as it is presented: without what a class does by itself.

    Parameters
    ----------
    request : tornado.web.RequestHandler
    notebook : nbformat.NotebookNode
    cwd : str
        Voila's; not used.

    Returns
    -------
    nbformat.NotebookNode
    """
    # Asking for it sets the cookie with which a page that is closed may stop its kernel.
    _ = request.xsrf_token
    cells = [cell for cell in notebook.cells if not _homework(cell)]
    first, last = (nbformat.v4.new_code_cell(code) for code in (_PRELUDE, _BOOKMARK))
    notebook.cells = [first, *cells, last]
    return notebook


def _homework(cell: Any) -> bool:
    tags = set(cell.metadata.get("tags", ()))
    return cell.cell_type == "code" and bool(tags & {"exercise", "solution"})


def heading(notebook: Any) -> str:
    """Return the lesson's title.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    str
        Escaped; "Lesson" if there is none.
    """
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = re.search(r"^# +(.+)$", text, flags=re.M)
    return html.escape(title[1]) if title else "Lesson"


def cell_html(cell: Any) -> str:
    """Return an executed cell as the blocks that the page makes screens of.

    Parameters
    ----------
    cell : nbformat.NotebookNode

    Returns
    -------
    str
        Widgets are places that Voila fills.
    """
    if cell.cell_type == "markdown":
        return f'<div class="prose">{prose_html(cell.source)}</div>'
    if cell.cell_type != "code":
        return ""
    if cell.source in (_PRELUDE, _BOOKMARK):
        return "".join(f'<div id="bookmark">{_place(output)}</div>' for output in cell.outputs)
    outputs = "".join(_output(output) for output in cell.outputs)
    return f'<div class="source">{code_html(cell.source)}</div>{outputs}'


def _output(output: Mapping[str, Any]) -> str:
    if _WIDGET in output.get("data", {}):
        return f'<div class="live">{_place(output)}</div>'
    if output.get("name") == "stderr":  # how far a loop has come, which is long over
        return ""
    text = output_html(output)
    return f'<div class="result">{text}</div>' if text else ""


def _place(output: Mapping[str, Any]) -> str:
    """Return where Voila puts a widget."""
    data = {_WIDGET: output["data"][_WIDGET]}
    known = {"output_type": "display_data", "data": data, "metadata": {}, "trusted": True}
    text = json.dumps(known).replace("<", "\\u003c")
    return f'<script type="application/vnd.voila.cell-output+json">{text}</script>'


def _styles(_: Any) -> str:
    own = resources.files(__package__).joinpath("presenter.css").read_text(encoding="utf-8")
    return styles() + own


# --- in the kernel ---


def present_figures() -> None:
    """Make this kernel show figures as players, which grow with the screen, and note explorers.

    Raises
    ------
    RuntimeError
        If it is not a notebook's kernel.
    """
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        raise RuntimeError("present_figures must run in a notebook's kernel")

    def figure(what: go.Figure) -> None:
        display(Player(pieces(what)[0].scenes[0]))

    def widget(what: widgets.Widget) -> Any:
        _shown.extend(_explorers(what))
        return what._repr_mimebundle_()

    show = shell.display_formatter.ipython_display_formatter
    show.for_type(go.Figure, figure)
    # A progress bar is gone once its loop has ended.
    show.for_type_by_name("tqdm.notebook", "TqdmHBox", lambda _: None)
    shell.display_formatter.mimebundle_formatter.for_type(widgets.Widget, widget)


def _explorers(what: Any) -> list[Explorer]:
    if isinstance(what, Explorer):
        return [what]
    return [found for child in getattr(what, "children", ()) for found in _explorers(child)]


class Bookmark(anywidget.AnyWidget):
    """What the page's address holds of the explorers' controls, in both directions.

    Parameters
    ----------
    explorers : sequence of Explorer
        In the order of the page.

    Attributes
    ----------
    settings : dict
        For each explorer that is not as it opened, by its number, its controls' values by name; of
        a control with options, the number of the option.

    Examples
    --------
    >>> from overparam_edu.player.scene import Axis, Scene
    >>> def build(power):
    ...     return Scene(go.Figure(), [Axis("step", "step", [0, 1])], [])
    >>> explorer = Explorer(build, {"power": widgets.ToggleButtons(options=[2, 4])})
    >>> bookmark = Bookmark([explorer])
    >>> explorer.set(power=4)
    >>> bookmark.settings
    {'0': {'power': 1}}
    >>> bookmark.restore({})
    >>> explorer.values
    {'power': 2}
    """

    _esm = """
    export default { initialize: ({ model }) => window.overparamPresenter?.remember(model) };
    """
    settings = traitlets.Dict().tag(sync=True)

    def __init__(self, explorers: list[Explorer]) -> None:
        self._explorers = explorers
        self._first = [_state(explorer) for explorer in explorers]
        super().__init__()
        for explorer in explorers:
            for control in explorer.controls.values():
                control.observe(self._note, "value")
        self.on_msg(self._answer)

    @classmethod
    def of_this_kernel(cls) -> Bookmark:
        """Return the bookmark of all explorers shown so far."""
        return cls(list(_shown))

    def _note(self, _: Any) -> None:
        now = {str(n): _state(explorer) for n, explorer in enumerate(self._explorers)}
        self.settings = {n: s for n, s in now.items() if s != self._first[int(n)]}

    def restore(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Set the explorers' controls; those that are not named go back to how they opened.

        Parameters
        ----------
        settings : mapping
            As in the attribute.
        """
        for number, explorer in enumerate(self._explorers):
            wanted = self._first[number] | dict(settings.get(str(number), {}))
            if wanted != _state(explorer):
                explorer.set(**_values(explorer, wanted))

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        try:
            self.restore(content["settings"])
        finally:  # an address that was typed wrongly brings back what it can
            self.send({"kind": "restored"})


def _state(explorer: Explorer) -> dict[str, Any]:
    """Return the controls as JSON: numbers and texts, or which option."""
    return {name: getattr(c, _trait(c)) for name, c in explorer.controls.items()}


def _trait(control: widgets.Widget) -> str:
    return "index" if hasattr(control, "index") else "value"


def _values(explorer: Explorer, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the controls' values for a state; what a control does not have is left out."""
    values = {}
    for name, control in explorer.controls.items():
        wanted = state[name]
        if _trait(control) == "value":
            values[name] = wanted
        elif isinstance(wanted, int) and 0 <= wanted < len(control._options_full):
            values[name] = control._options_full[wanted][1]
    return values
