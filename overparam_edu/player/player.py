"""The player: a widget that shows a scene and moves it in the browser, without the kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import anywidget
import traitlets

from overparam_edu.checks import instance
from overparam_edu.player import page, pictures
from overparam_edu.player.frames import carried, describe, stop_for, stops_at
from overparam_edu.player.mathml import math_font
from overparam_edu.player.page import Piece, pieces
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import PLOTLY_JS, message

_HERE = Path(__file__).parent
_MOVES = "(A picture that moves where Jupyter shows widgets.)"

# A kernel may hear a hand in another thread than the one that runs cells (ipykernel 7, with front
# ends that ask for a subshell). One lock for all pictures, as linked explorers change each other.
_LOCK = threading.RLock()
_Change = TypeVar("_Change", bound=Callable[..., Any])


def alone(change: _Change) -> _Change:
    """Let one thread at a time change pictures: this waits until another has done."""

    @wraps(change)
    def waiting(*values: Any, **named: Any) -> Any:
        with _LOCK:
            return change(*values, **named)

    return waiting  # type: ignore[return-value]


class Saves:
    """What every widget with pictures in it can do: save them, and say in words what they show."""

    save = pictures.save

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return what Jupyter shows: the widget, or words where it can't show widgets."""
        bundle = super()._repr_mimebundle_(**options)  # type: ignore[misc]
        now = pieces(self)[0]
        words = [describe(now.scene, now.position), now.scene.alt, _MOVES]
        # The widget library gives its data alone, or with metadata.
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/plain"] = "\n".join(dict.fromkeys(words))
        return bundle


class Player(Saves, anywidget.AnyWidget):
    """A scene with its sliders, moved in the browser.

    All numbers of the scene are sent once. Sliders, keys and Play then redraw without a message to
    the kernel; Python learns the position when the focus leaves the controls, which is before the
    next cell runs. The first player of a page that needs plotly.js, or a font for formulas, asks
    for it.

    The hand owns the position. Pages send their moves, of which Reset is one, as messages; Python
    takes them in the order in which they come, and tells all pages where the sliders are, whose
    move that was and which. A page with moves that Python has not told back keeps them. Only
    `move` overrules a hand: it gives a new order, and moves made before a page has heard of the
    order count no longer.
    """

    _esm = page.player_module()
    _css = page.player_styles()
    _scene = traitlets.Dict().tag(sync=True)
    # The position as pages hear it, with the order's number and the author and number of the move.
    _place = traitlets.Dict().tag(sync=True)
    # What an `Explorer` asks of its page: the models of its controls with what they said first, ...
    _controls: traitlets.List[Any] = traitlets.List().tag(sync=True)
    # ... and which settings of theirs are drawn, which have no picture and why, and the last edit.
    _drawn = traitlets.Dict().tag(sync=True)
    # What was drawn before, by the name of its `Sketch`, as `sketch.js` keeps it.
    _guesses = traitlets.Dict().tag(sync=True)
    position = traitlets.Dict(help="The stop of each axis, by its name.")

    def __init__(self, scene: Scene, **options: Any) -> None:
        instance("scene", scene, Scene)
        self.scene = scene
        self._keep_guess: Callable[[str, Any], None] | None = None
        self.on_edit: Callable[[dict[str, Any]], None] | None = None  # a handle was dragged
        self.on_reset: Callable[[], None] | None = None  # Reset was pressed
        place = {"position": stops_at(scene, {}), "order": 0, "author": "", "number": 0}
        super().__init__(_scene=message(scene), _place=place, position={}, **options)
        self.on_msg(self._answer)

    def keep_guesses(self, known: Mapping[str, Any], keep: Callable[[str, Any], None]) -> None:
        """Show what was drawn before, by the name of its `Sketch`; `keep` hears of what is new."""
        self._guesses, self._keep_guess = dict(known), keep

    def pieces(self) -> list[Piece]:
        """Return what of this can leave the notebook."""
        return [Piece(self.scene, dict(self.position))]

    @alone
    def show(self, scene: Scene, drawn: Mapping[str, Any] | None = None) -> None:
        """Replace the scene in one message; a slider of the same name keeps its value (`carried`).

        Pages move their sliders by the same rule. `drawn` is for an `Explorer`.
        """
        instance("scene", scene, Scene)
        position = carried(self.scene, self.position, scene)
        with self.hold_sync():
            self.scene = scene
            self._scene = message(scene)
            self._place = self._place | {"position": position}
            self._drawn = self._drawn if drawn is None else dict(drawn)
        self.position = position

    @alone
    def move(self, **stops: int) -> None:
        """Move the sliders of the named axes to the given stops, counted from 0."""
        before = self._place
        self.position = stops
        if self._place is before:  # nothing new to Python, but a hand may be elsewhere by now
            self._order()

    @traitlets.validate("position")
    def _complete(self, proposal: Mapping[str, Any]) -> dict[str, int]:
        whole = stops_at(self.scene, proposal["value"])  # refuses what the scene does not have
        known = self._trait_values.get("position", {})
        return {
            name: proposal["value"].get(name, known.get(name, stop)) for name, stop in whole.items()
        }

    @traitlets.observe("position")
    @alone
    def _follow(self, _: Any) -> None:
        if self.position != self._place["position"]:  # set by code, not by a hand or a scene
            self._order()

    def _order(self) -> None:
        order = self._place["order"] + 1
        self._place = self._place | {"position": dict(self.position), "order": order}

    @alone
    def _answer(self, _: Any, content: Any, __: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "plotly.js":
            self.send({"kind": kind}, buffers=[PLOTLY_JS.read_bytes()])
        if kind == "font":
            self.send({"kind": kind}, buffers=[math_font()])
        if kind == "moved" and content["order"] == self._place["order"]:
            self._take(content, self._moved(content["moved"]))
        if kind == "reset" and self.on_reset is not None and not self._taken(content):
            try:
                self.on_reset()
            finally:  # a callback of a reader's own may raise
                self._take(content, {axis.name: axis.start for axis in self.scene.axes})
        if kind == "guessed" and self._keep_guess is not None:
            self._guesses = self._guesses | {content["name"]: content["guess"]}
            self._keep_guess(content["name"], content["guess"])
        if kind == "edited" and self.on_edit is not None:
            self.on_edit(content)

    def _moved(self, stood: Mapping[str, Any]) -> dict[str, int]:
        """Return where a hand moved sliders: by value, as the page may not have the last scene."""
        axes = {axis.name: axis for axis in self.scene.axes}
        return {name: stop_for(axes[name], at) for name, at in stood.items() if name in axes}

    def _taken(self, hand: Mapping[str, Any]) -> bool:
        """Return whether this move came before: a page sends a Reset again after a cut line."""
        last = self._place
        return bool(last["author"] == hand["author"] and last["number"] >= hand["number"])

    def _take(self, hand: Mapping[str, Any], moved: dict[str, int]) -> None:
        """Take a hand's move."""
        by = {"author": hand["author"], "number": hand["number"]}
        self._place = self._place | {"position": self.position | moved} | by
        self.position = self.position | moved
