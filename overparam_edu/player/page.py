"""A picture as a page that moves in any browser, without Python and without a network.

A widget hands out the `Piece`s that it is made of, and the script in page.html shows them. A page
can't compute, so what needs Python in the notebook becomes a few choices computed in advance.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import quote

import plotly.graph_objects as go

from overparam_edu.checks import brief
from overparam_edu.player.frames import describe
from overparam_edu.player.mathml import math_font
from overparam_edu.player.question import question_module
from overparam_edu.player.scene import Scene, still
from overparam_edu.player.wire import PLOTLY_JS, message

# Two ways to one minimum, as small as a tab.
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" stroke-width="2">'
    '<path d="M2 13H9L13 6" stroke="#6e6e6e"/><path d="M2 13Q6 1 13 6" stroke="#d55e00"/></svg>'
)


NO_SCRIPT = "<p>The picture needs JavaScript, which is switched off.</p>"


class Choice(NamedTuple):
    """A control as a page offers it."""

    name: str
    label: str  # what the reader sees
    options: list[tuple[str, Any]]  # texts and values
    now: int  # the option that the page opens with


class Settings(NamedTuple):
    """Scenes computed in advance, one for each combination of options that a page has."""

    scenes: list[Scene]  # the page opens with the first
    choices: Sequence[Choice] = ()
    options: Sequence[list[int]] = ()  # for each scene, the option of each choice
    shown: Sequence[list[bool]] = ()  # for each scene, which choices matter
    note: str = ""  # tells the reader what the page can't do


class Piece(NamedTuple):
    """One picture that can leave the notebook."""

    scene: Scene
    position: Mapping[str, int]  # of its sliders
    # More scenes for a page to choose from; only a page needs them, and they take a while.
    settings: Callable[[], Settings] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the piece as the script in page.html takes it; buffers are in base64."""
        offered = self.settings() if self.settings else Settings([self.scene])
        return {
            "scenes": [_frozen(scene) for scene in offered.scenes],
            "settings": offered.options,
            "shown": offered.shown,
            "places": [
                {one.trace: scene.place_of(one) for one in scene.handles}
                for scene in offered.scenes
            ],
            "choices": [
                {"label": choice.label, "options": [text for text, _ in choice.options]}
                for choice in offered.choices
            ],
            "position": self.position,
            "note": offered.note,
            "sentence": describe(self.scene, {**self.position, **_ends(self.scene)}),
            "alt": re.sub("<[^>]+>", "", self.scene.alt),
        }


def _ends(scene: Scene) -> dict[str, int]:
    """Return where the sliders with Play end: a picture that can't move shows the whole course."""
    return {axis.name: len(axis.stops) - 1 for axis in scene.axes if axis.play}


def pieces(what: Any) -> list[Piece]:
    """Return the pictures in a scene, a figure, a widget that tells them, or a box of widgets."""
    if isinstance(what, go.Figure):
        what = still(what)
    if isinstance(what, Scene):
        return [Piece(what, {})]
    if hasattr(what, "pieces"):
        return list(what.pieces())
    return [piece for child in getattr(what, "children", ()) for piece in pieces(child)]


def needed_pieces(what: Any) -> list[Piece]:
    """Return the pictures in `what`, or raise a TypeError if there is none."""
    if found := pieces(what):
        return found
    raise TypeError(f"what must be a widget, scene or figure to show; got {brief(type(what))}")


def _frozen(scene: Scene) -> dict[str, Any]:
    """Return a scene for a page: its buffer as text."""
    sent = message(scene)
    return {"spec": sent["spec"], "buffer": base64.b64encode(sent["buffer"]).decode("ascii")}


@cache
def _resource(name: str) -> str:
    return resources.files("overparam_edu.player").joinpath(name).read_text(encoding="utf-8")


@cache
def player_script() -> str:
    """Return what brings players and questions to life as one plain script."""
    player = _plain("player.js", player_module(), "overparamEduMount")
    question = _plain("question.js", question_module(), "overparamEduQuestion")
    return f"{player}{question}(() => {{\n{_resource('share.js')}}})();\n"


def player_module() -> str:
    """Return what a notebook loads for each player: one module, of five files."""
    return "".join(map(_resource, ("fonts.js", "sketch.js", "strip.js", "light.js", "player.js")))


def player_styles() -> str:
    """Return the style sheet of a player."""
    return _resource("player.css") + _resource("sketch.css")


def _plain(name: str, module: str, mount: str) -> str:
    """Return a module as a script: modules don't load from a ``file://`` address."""
    source = re.sub(r"^export default .*\n", "", module, flags=re.M)
    source, count = re.subn(r"^export (?=function mount\b)", "", source, flags=re.M)
    if count != 1 or re.search(r"^(export|import)\b", source, flags=re.M):
        raise RuntimeError(f"{name} must export `mount` and a default, and import nothing")
    return f"(() => {{\n{source}\nwindow.{mount} = mount;\n}})();\n"


def plotly_script() -> str:
    """Return the plotly.js that comes with the plotly package."""
    return PLOTLY_JS.read_text(encoding="utf-8")


@cache
def styles() -> str:
    """Return the style sheet of a page and its players, with a font for formulas in it."""
    # From a disk, a browser may refuse a font in a file of its own.
    data = base64.b64encode(math_font()).decode("ascii")
    face = (
        f'font-family: "STIX Two Math";\n  src: url(data:font/woff;base64,{data}) format("woff");'
    )
    sheets = player_styles() + _resource("question.css") + _resource("page.css")
    return f"@font-face {{\n  {face}\n}}\n{sheets}"


def piece_html(piece: Mapping[str, Any]) -> str:
    """Return the place of a picture, with its data from `Piece.to_json`, as HTML."""
    # "<" could end the script element, or begin a comment in it.
    data = json.dumps(piece, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    tall, narrow = _room(piece)
    alt, sentence = (html.escape(piece.get(name) or "") for name in ("alt", "sentence"))
    more = f"<p>{sentence}</p>" if sentence != alt else ""
    return (
        f'<div class="piece" style="--tall: {tall}px; --narrow: {narrow}px">'
        f'<script type="application/json">{data}</script>'
        f'<div class="waiting"><p>{alt}</p><noscript>{more}{NO_SCRIPT}</noscript></div></div>'
    )


def _room(piece: Mapping[str, Any]) -> tuple[int, int]:
    """Return about how many pixels a picture and its controls are tall: widely, on a phone."""
    spec, choices = piece["scenes"][0]["spec"], len(piece["choices"])
    rows = sum(not axis["expert"] for axis in spec["axes"])
    tall = spec["figure"]["layout"].get("height", 480) if spec["figure"] else 270
    wide = tall + 52 * ((rows + 1) // 2) + 40 * choices + 180
    return round(wide), round(spec["narrow"].get("height", tall) + 70 * (rows + choices) + 240)


def page(
    title: str,
    body: str,
    *,
    scripts: Iterable[str] | None = None,
    meta: Mapping[str, str] | None = None,
    kind: str = "",
) -> str:
    """Return a page as HTML that may run its own scripts only, and may ask nobody for anything.

    `scripts` are files beside the page that hold plotly.js and the player; without them, the page
    itself holds both. `meta` are properties such as "description" or "og:title", or "canonical".
    `kind` is "alone" for a page that is nothing but one picture.
    """
    skeleton = _resource("page.html")
    own = re.search(r"<script>(.*?)</script>", skeleton, flags=re.S)
    if own is None:
        raise RuntimeError("page.html must hold one script")
    inside = [] if scripts is not None else [plotly_script(), player_script()]
    digests = [hashlib.sha256(text.encode("utf-8")).digest() for text in (own[1], *inside)]
    hashes = " ".join(f"'sha256-{base64.b64encode(d).decode('ascii')}'" for d in digests)
    files = "".join(f'<script src="{html.escape(name)}" defer></script>' for name in scripts or ())
    # A page opened from a disk has no origin that 'self' could stand for.
    folder = "'self' file: " if scripts is not None else ""
    policy = f"default-src 'none'; script-src {folder}{hashes}; style-src {folder}'unsafe-inline'; "
    policy += f"img-src {folder}data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    sheet = '<link rel="stylesheet" href="course.css">'
    holes = {
        "title": html.escape(title),
        "policy": policy,
        "meta": _meta({"og:title": title, **(meta or {})}),
        "kind": kind,
        "styles": sheet if folder else f"<style>{styles()}</style>",
        "body": body,
        "scripts": files + "".join(f"<script>{text}</script>" for text in inside),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda hole: holes[hole[1]], skeleton)


def _meta(known: Mapping[str, str]) -> str:
    """Return what search engines, previews of links and tabs show of a page."""
    lines = [f'<link rel="icon" href="data:image/svg+xml,{quote(_ICON)}">']
    for name, value in known.items():
        text = html.escape(value)
        if name == "canonical":
            lines.append(f'<link rel="canonical" href="{text}">')
        else:
            kind = "property" if ":" in name else "name"
            lines.append(f'<meta {kind}="{name}" content="{text}">')
    return "\n".join(lines)


def moving_page(found: Sequence[Piece], title: str | None = None) -> str:
    """Return pictures as one page that needs nothing else."""
    text = re.sub("<[^>]+>", "", found[0].scene.alt) if title is None else title
    body = "".join(piece_html(piece.to_json()) for piece in found)
    heading = f"<h1>{html.escape(text)}</h1>" if title is not None else ""
    kind = "alone" if len(found) == 1 and not heading else ""
    return page(text, f"<main>{heading}{body}</main>", meta={"description": text}, kind=kind)
