"""The player: a widget that shows a scene and moves it in the browser, without the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from overparam_edu.checks import instance
from overparam_edu.player import page, pictures
from overparam_edu.player.frames import describe, stops_at
from overparam_edu.player.mathml import math_font
from overparam_edu.player.page import Piece, pieces
from overparam_edu.player.scene import Scene
from overparam_edu.player.wire import PLOTLY_JS, message

_HERE = Path(__file__).parent
_MOVES = "(A picture that moves where Jupyter shows widgets.)"


class Saves:
    """What every widget with pictures in it can do: save them, and say in words what they show."""

    save_html, save_png, save_gif = page.save_html, pictures.save_png, pictures.save_gif

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
    """

    _esm = _HERE / "player.js"
    _css = _HERE / "player.css"
    _scene = traitlets.Dict().tag(sync=True)
    position = traitlets.Dict(help="The stop of each axis, by its name.").tag(sync=True)
    edited = traitlets.Dict(help="What was dragged, as Plotly names it.").tag(sync=True)

    def __init__(self, scene: Scene, **options: Any) -> None:
        instance("scene", scene, Scene)
        self.scene = scene
        super().__init__(_scene=message(scene), position={}, **options)
        self.on_msg(self._answer)

    def pieces(self) -> list[Piece]:
        """Return what of this can leave the notebook."""
        return [Piece(self.scene, dict(self.position))]

    def show(self, scene: Scene) -> None:
        """Replace the scene in one message; sliders of the same name stay where they are."""
        instance("scene", scene, Scene)
        # Sent together, and the position only if the new scene changes it: the browser may know a
        # later one than Python does while a hand is on the sliders.
        with self.hold_sync():
            self.scene = scene
            self._scene = message(scene)
            self.position = _kept(scene, self.position)

    def move(self, **stops: int) -> None:
        """Move the sliders of the named axes to the given stops, counted from 0."""
        before = self.position
        self.position = stops
        if self.position == before:  # to Python; a hand on the sliders may be elsewhere by now
            self.send_state("position")

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a browser sends; what fits no longer, since the scene changed, is dropped."""
        if "position" in sync_data:
            sync_data = sync_data | {"position": _kept(self.scene, sync_data["position"])}
        super().set_state(sync_data)

    @traitlets.validate("position")
    def _complete(self, proposal: Mapping[str, Any]) -> dict[str, int]:
        stops_at(self.scene, proposal["value"])  # refuses what the scene does not have
        known = _kept(self.scene, self._trait_values.get("position", {}))
        return known | {name: int(stop) for name, stop in proposal["value"].items()}

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "plotly.js":
            self.send({"kind": kind}, buffers=[PLOTLY_JS.read_bytes()])
        if kind == "font":
            self.send({"kind": kind}, buffers=[math_font()])


def _kept(scene: Scene, position: Mapping[str, Any]) -> dict[str, int]:
    """Return as much of `position` as the scene's axes allow; what is beyond goes to the end."""
    kept = {}
    for axis in scene.axes:
        stop = position.get(axis.name)
        if not isinstance(stop, int) or isinstance(stop, bool):
            stop = axis.start
        kept[axis.name] = min(max(stop, 0), len(axis.stops) - 1)
    return kept
