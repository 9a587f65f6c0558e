"""The player: a widget that shows a scene and moves it in the browser, without the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from overparam_edu.checks import brief
from overparam_edu.player.frames import describe, frame, stops_at
from overparam_edu.player.mathml import math_font
from overparam_edu.player.saving import Saves
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.wire import message

__all__ = ["Axis", "Board", "Player", "Reading", "Scene", "Track", "describe", "frame"]

_HERE = Path(__file__).parent


@cache
def _plotly_js() -> bytes:
    """Return the plotly.js that comes with the plotly package (4.8 MB)."""
    return resources.files("plotly").joinpath("package_data/plotly.min.js").read_bytes()


class Player(Saves, anywidget.AnyWidget):
    """A scene with its sliders, moved in the browser.

    All numbers of the scene are sent once. Sliders, keys and Play then redraw without a message to
    the kernel; Python learns the position when the focus leaves the controls, which is before the
    next cell runs. plotly.js, and a font for formulas, are sent by the first
    player of a page that needs them.

    Parameters
    ----------
    scene : Scene

    Raises
    ------
    TypeError
        If `scene` is not a Scene.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> depth = Axis("depth", "depth N", [1, 2, 4])
    >>> track = Track("loss", "y", [[1.0, 0.9], [1.0, 0.8], [1.0, 0.6]], ["depth"])
    >>> player = Player(Scene(go.Figure(go.Scatter(uid="loss")), [depth], [track]))
    >>> player.move(depth=2)
    >>> player.position
    {'depth': 2}
    """

    _esm = _HERE / "player.js"
    _css = _HERE / "player.css"
    _scene = traitlets.Dict().tag(sync=True)
    position = traitlets.Dict(help="The stop of each axis, by its name.").tag(sync=True)
    edited = traitlets.Dict(help="What was dragged, as Plotly names it.").tag(sync=True)

    def __init__(self, scene: Scene, **options: Any) -> None:
        _check_scene(scene)
        self.scene = scene
        super().__init__(_scene=message(scene), position={}, **options)
        self.on_msg(self._answer)

    def show(self, scene: Scene) -> None:
        """Replace the scene in one message; sliders of the same name stay where they are.

        Parameters
        ----------
        scene : Scene

        Raises
        ------
        TypeError
            If `scene` is not a Scene.
        """
        _check_scene(scene)
        # Sent together, and the position only if the new scene changes it: the browser may know a
        # later one than Python does while a hand is on the sliders.
        with self.hold_sync():
            self.scene = scene
            self._scene = message(scene)
            self.position = _kept(scene, self.position)

    def move(self, **stops: int) -> None:
        """Move the sliders of the named axes to the given stops.

        Parameters
        ----------
        **stops : int
            The stop of each axis to be moved, counted from 0.

        Raises
        ------
        TypeError, ValueError
            If an axis is unknown or has no such stop.
        """
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
        known = _kept(self.scene, self._trait_values.get("position", {}))
        return known | {
            name: stop
            for name, stop in stops_at(self.scene, proposal["value"]).items()
            if name in proposal["value"]
        }

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        known = {"plotly.js": _plotly_js, "font": math_font}
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind in known:
            self.send({"kind": kind}, buffers=[known[kind]()])


def _check_scene(scene: Any) -> None:
    if not isinstance(scene, Scene):
        raise TypeError(f"scene must be a Scene; got {brief(scene)}")


def _kept(scene: Scene, position: Mapping[str, Any]) -> dict[str, int]:
    """Return as much of `position` as the scene's axes allow; what is beyond goes to the end."""
    kept = {}
    for axis in scene.axes:
        stop = position.get(axis.name)
        if not isinstance(stop, int) or isinstance(stop, bool):
            stop = axis.start
        kept[axis.name] = min(max(stop, 0), len(axis.stops) - 1)
    return kept
