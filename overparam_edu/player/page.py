"""Pictures that leave the notebook: what a widget shows, as data for a page without a kernel.

A page can't compute. What a scene's own axes show needs no kernel; an `Explorer`'s controls do,
so a page offers the few settings of them that were computed in advance.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets as widgets
import plotly.graph_objects as go

from overparam_edu.checks import brief
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import describe, number_text
from overparam_edu.player.mathml import math_font
from overparam_edu.player.player import Player, _plotly_js
from overparam_edu.player.scene import Axis, Scene
from overparam_edu.player.wire import message

# What a notebook cell's output is called that holds pieces, beside the widget's own.
MIME = "application/vnd.overparam-edu.pieces+json"
# Settings of one explorer that a page holds.
_MOST = 12


class Choice(NamedTuple):
    """One control of an explorer, as a page offers it.

    Parameters
    ----------
    name : str
        Of the control.
    label : str
        What the reader sees.
    options : list of (str, object)
        Words and values.
    now : int
        The option the page opens with.
    """

    name: str
    label: str
    options: list[tuple[str, Any]]
    now: int


class Piece(NamedTuple):
    """One picture of a page, with what can be chosen in it.

    Parameters
    ----------
    scenes : list of Scene
        One a setting; the page opens with the first.
    position : dict of str to int
        Where its sliders stand.
    choices : sequence of Choice
        What can be chosen.
    settings : sequence of list of int
        For each scene the option of each choice.
    shown : sequence of list of bool
        For each scene, which choices matter.
    note : str
        What the page can't do, for its reader.
    """

    scenes: list[Scene]
    position: dict[str, int]
    choices: Sequence[Choice] = ()
    settings: Sequence[list[int]] = ()
    shown: Sequence[list[bool]] = ()
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the piece as the script in page.html takes it; buffers are in base64."""
        return {
            "scenes": [_frozen(scene) for scene in self.scenes],
            "settings": self.settings,
            "shown": self.shown,
            "choices": [
                {"label": choice.label, "options": [words for words, _ in choice.options]}
                for choice in self.choices
            ],
            "position": self.position,
            "note": self.note,
            "words": describe(self.scenes[0], self.position),
        }


def pieces(what: Any) -> list[Piece]:
    """Return the pictures in a widget, scene or figure.

    Parameters
    ----------
    what : ipywidgets.Widget, Scene or plotly.graph_objects.Figure
        A box of widgets gives the pictures in it, in order.

    Returns
    -------
    list of Piece

    Examples
    --------
    >>> [piece] = pieces(go.Figure(go.Scatter(y=[1, 2])))
    >>> piece.to_json()["words"]
    'Figure'
    """
    if isinstance(what, go.Figure):
        # A picture that stands still is a scene whose one axis has one stop; its slider is hidden.
        what = Scene(what, [Axis("still", "still", [0])], [])
    if isinstance(what, Scene):
        return [Piece([what], {})]
    if isinstance(what, Player):
        return [Piece([what.scene], dict(what.position))]
    if isinstance(what, Explorer):
        return [_explored(what)]
    return [piece for child in getattr(what, "children", ()) for piece in pieces(child)]


def _explored(explorer: Explorer) -> Piece:
    """Return an explorer's picture at the settings it is shown with, and at some others."""
    choices = [_choice(name, control) for name, control in explorer.controls.items()]
    visible = _visible(explorer, explorer.values)
    choices = _few([c for c in choices if len(c.options) > 1 and c.name in visible])
    now = [choice.now for choice in choices]
    scenes, settings, seen = [explorer.scene], [now], [visible]
    for setting in _settings(choices):
        chosen = {c.name: c.options[option][1] for c, option in zip(choices, setting, strict=True)}
        values = explorer.values | chosen
        if setting == now:
            continue
        try:
            scenes.append(explorer._build(**values))
        except ValueError:  # a setting that the explorer would refuse is not on offer
            continue
        settings.append(setting)
        seen.append(_visible(explorer, values))
    return Piece(
        scenes,
        dict(explorer.player.position),
        choices,
        settings,
        [[choice.name in names for choice in choices] for names in seen],
        _note(explorer, choices, len(scenes)),
    )


def _visible(explorer: Explorer, values: dict[str, Any]) -> set[str]:
    needed = explorer._shown_when
    return {name for name in explorer.controls if name not in needed or needed[name](values)}


def _note(explorer: Explorer, choices: Sequence[Choice], count: int) -> str:
    figure = explorer.scene.figure
    words = []
    if choices:
        how = "all their combinations" if _combined(choices) else "one change at a time"
        words.append(f"The choices above were computed in advance: {count} settings, {how}.")
    if len(choices) < len(explorer.controls):
        words.append("Other controls need Python.")
    if figure is not None and any(shape.editable for shape in figure.layout.shapes):
        words.append("So does dragging in the picture.")
    return " ".join([*words, "The notebook computes the rest."]) if words else ""


def _choice(name: str, control: widgets.Widget) -> Choice:
    """Return what a control offers, in words and values; what is open-ended offers what it has."""
    value = control.value
    options = [(_words(value), value)]
    if isinstance(value, bool):
        options = [("no", False), ("yes", True)]
    elif hasattr(control, "options"):
        entries = control.options.items() if isinstance(control.options, dict) else control.options
        options = [
            entry if isinstance(entry, tuple) else (_words(entry), entry) for entry in entries
        ]
    elif isinstance(value, tuple):  # both ends of a range
        options = [(" to ".join(map(number_text, value)), value)]
    elif hasattr(control, "min") and not isinstance(control, widgets.FloatLogSlider):
        options = [(number_text(stop), stop) for stop in sorted({control.min, value, control.max})]
    now = [entry for _, entry in options].index(value)
    return Choice(name, control.description or name, options, now)


def _words(value: Any) -> str:
    return number_text(value) if isinstance(value, (int, float)) else str(value)


def _combined(choices: Sequence[Choice]) -> bool:
    return prod(len(choice.options) for choice in choices) <= _MOST


def _few(choices: Sequence[Choice]) -> list[Choice]:
    """Return choices whose settings, one change at a time, are few; ends and openings stay."""
    few = list(choices)
    while not _combined(few) and sum(len(c.options) - 1 for c in few) >= _MOST:
        longest = max(range(len(few)), key=lambda which: len(few[which].options))
        _, _, options, now = few[longest]
        inner = [n for n in range(1, len(options) - 1) if n != now]
        if not inner:
            break
        dropped = inner[len(inner) // 2]
        few[longest] = few[longest]._replace(
            options=options[:dropped] + options[dropped + 1 :], now=now - (dropped < now)
        )
    return few


def _settings(choices: Sequence[Choice]) -> list[list[int]]:
    if _combined(choices):
        return [list(both) for both in product(*(range(len(c.options)) for c in choices))]
    now = [choice.now for choice in choices]
    return [
        [*now[:which], option, *now[which + 1 :]]
        for which, choice in enumerate(choices)
        for option in range(len(choice.options))
        if option != choice.now
    ]


def _frozen(scene: Scene) -> dict[str, Any]:
    """Return a scene for a page: its buffer as text, and shapes that nobody would hear of fixed."""
    sent = message(scene)
    for shape in (sent["spec"]["figure"] or {"layout": {}})["layout"].get("shapes", []):
        shape.pop("editable", None)
    return {"spec": sent["spec"], "buffer": base64.b64encode(sent["buffer"]).decode("ascii")}


def record_pieces() -> None:
    """Make this kernel's widgets say in each cell's output what a page needs of them.

    A notebook runs it before its first cell while its page is made.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        raise RuntimeError("record_pieces must run in a notebook's kernel")

    def bundle(widget: widgets.Widget) -> dict[str, Any]:
        return {MIME: [piece.to_json() for piece in pieces(widget)]}

    shell.display_formatter.mimebundle_formatter.for_type(widgets.Widget, bundle)


# --- a page ---


@cache
def _resource(name: str) -> str:
    return resources.files("overparam_edu.player").joinpath(name).read_text(encoding="utf-8")


@cache
def player_script() -> str:
    """Return player.js as a plain script: modules don't load from a ``file://`` address."""
    source = re.sub(r"^export default .*\n", "", _resource("player.js"), flags=re.M)
    source, count = re.subn(r"^export (?=function mount\b)", "", source, flags=re.M)
    if count != 1 or re.search(r"^(export|import)\b", source, flags=re.M):
        raise RuntimeError("player.js must export `mount` and a default, and import nothing")
    return f"(() => {{\n{source}\nwindow.overparamEduMount = mount;\n}})();\n"


def plotly_script() -> str:
    """Return the plotly.js that comes with the plotly package."""
    return _plotly_js().decode("utf-8")


@cache
def styles() -> str:
    """Return the style sheet of a page and its players, with a font for formulas in it.

    A browser on a disk may refuse a font in a file of its own.
    """
    data = base64.b64encode(math_font()).decode("ascii")
    face = (
        f'font-family: "STIX Two Math";\n  src: url(data:font/woff;base64,{data}) format("woff");'
    )
    return f"@font-face {{\n  {face}\n}}\n" + _resource("player.css") + _resource("page.css")


def piece_html(piece: Mapping[str, Any]) -> str:
    """Return the place of one picture, with its data; without a script it shows the sentence.

    Parameters
    ----------
    piece : mapping
        From `Piece.to_json`.

    Returns
    -------
    str
    """
    # "<" could end the script element, or begin a comment in it.
    data = json.dumps(piece, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (
        f'<div class="piece"><script type="application/json">{data}</script>'
        f'<p class="waiting">{html.escape(piece["words"])}</p></div>'
    )


def page(title: str, body: str, *, scripts: Iterable[str] | None = None) -> str:
    """Return a page as HTML that may run its own scripts only, and may ask nobody for anything.

    Parameters
    ----------
    title : str
        Plain text.
    body : str
        HTML.
    scripts : iterable of str, optional
        Files beside the page with plotly.js and the player; without them, the page holds both.

    Returns
    -------
    str
    """
    skeleton = _resource("page.html")
    own = re.search(r"<script>(.*?)</script>", skeleton, flags=re.S)
    if own is None:
        raise RuntimeError("page.html must hold one script")
    inside = [] if scripts is not None else [plotly_script(), player_script()]
    hashes = " ".join(_hash(text) for text in [own[1], *inside])
    files = "".join(f'<script src="{html.escape(name)}" defer></script>' for name in scripts or ())
    # A page opened from a disk has no origin that 'self' could stand for.
    folder = "'self' file: " if scripts is not None else ""
    policy = f"default-src 'none'; script-src {folder}{hashes}; style-src {folder}'unsafe-inline'; "
    policy += f"img-src {folder}data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    sheet = f"<style>{styles()}</style>"
    if folder:
        sheet = '<link rel="stylesheet" href="course.css">'
    holes = {
        "title": html.escape(title),
        "policy": policy,
        "styles": sheet,
        "body": body,
        "scripts": files + "".join(f"<script>{text}</script>" for text in inside),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda hole: holes[hole[1]], skeleton)


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def save_html(what: Any, path: str | Path, *, title: str | None = None) -> Path:
    """Save a picture as one file that moves in any browser, without Python and without a network.

    Parameters
    ----------
    what : ipywidgets.Widget, Scene or plotly.graph_objects.Figure
        An explorer brings along some settings of its controls, computed now.
    path : str or Path
        Where to; a file that is there is replaced.
    title : str, optional
        Of the page; by default what the picture shows.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If there is no picture in `what`.
    OSError
        If the file can't be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = save_html(go.Figure(go.Scatter(y=[1, 2])), f"{folder}/line.html", title="A line")
    ...     "<title>A line</title>" in file.read_text(encoding="utf-8")
    True
    """
    found = pieces(what)
    if not found:
        raise TypeError(f"what must be a widget, scene or figure to show; got {brief(type(what))}")
    text = re.sub("<[^>]+>", "", found[0].scenes[0].alt) if title is None else title
    body = "".join(piece_html(piece.to_json()) for piece in found)
    heading = f"<h1>{html.escape(text)}</h1>" if title is not None else ""
    target = Path(path)
    target.write_text(page(text, f"<main>{heading}{body}</main>"), encoding="utf-8")
    return target
