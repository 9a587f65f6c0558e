"""The frame round every explorer: controls that need new numbers, above a player.

An explorer is a page of declarations: some ipywidgets, and a function from their values to a
`Scene`. What the scene's own axes can show needs no kernel; only these controls ask Python.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets

from overparam_edu.checks import brief
from overparam_edu.player.player import Player
from overparam_edu.player.saving import Saves
from overparam_edu.player.scene import Scene

Build = Callable[..., Scene]

_WORKING = "Computing …"


class Explorer(Saves, widgets.VBox):  # type: ignore[misc]
    """Controls above a player, with a Reset button and one line for what goes wrong.

    Parameters
    ----------
    build : callable
        From the controls' values, as keyword arguments, to a `Scene`. A ``ValueError`` it raises
        is shown in plain words, and the picture stays.
    controls : mapping of str to ipywidgets.Widget
        By the name of the argument they set.
    shown_when : mapping of str to callable, optional
        For a control that only some settings need: a function from all values to whether it shows.
    on_edit : callable, optional
        For a figure with shapes to drag: from what was dragged, as Plotly names it (such as
        ``{"shapes[0].xanchor": 0.5}``), to new values of controls, by name.

    Attributes
    ----------
    player : Player
    scene : Scene
        What is shown now.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> from overparam_edu.player.scene import Axis
    >>> def build(slope):
    ...     return Scene(go.Figure(go.Scatter(y=[0, slope])), [Axis("step", "step", [0, 1])], [])
    >>> explorer = Explorer(build, {"slope": widgets.FloatText(1.0, description="slope")})
    >>> explorer.set(slope=3.0)
    >>> explorer.scene.figure.data[0].y
    (0, 3.0)
    """

    def __init__(
        self,
        build: Build,
        controls: Mapping[str, widgets.Widget],
        *,
        shown_when: Mapping[str, Callable[[dict[str, Any]], bool]] | None = None,
        on_edit: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    ) -> None:
        self._build, self.controls = build, dict(controls)
        self._shown_when = dict(shown_when or {})
        self._first = self.values
        self._quiet = False
        self._message = widgets.HTML().add_class("overparam-message")
        reset = widgets.Button(description="Reset", tooltip="Back to the first settings")
        reset.layout.width = "auto"
        reset.on_click(lambda _: self.reset())
        self.scene = build(**self.values)
        self.player = Player(self.scene)
        for control in self.controls.values():
            _fit(control)
            control.observe(self._changed, "value")
        if on_edit is not None:
            self.player.observe(lambda change: self.set(**on_edit(change.new)), "edited")
        self._show_controls()
        row = widgets.HBox([*self.controls.values(), reset]).add_class("overparam-controls")
        row.layout = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 20px")
        super().__init__([row, self._message, self.player])

    @property
    def values(self) -> dict[str, Any]:
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    def set(self, **values: Any) -> None:
        """Set several controls at once, with one computation.

        Parameters
        ----------
        **values
            New values by the controls' names.

        Raises
        ------
        ValueError
            If there is no such control, or it does not offer the value.
        """
        for name in values:
            if name not in self.controls:
                raise ValueError(f"{name} must be one of {list(self.controls)}; got {name!r}")
        before = self.values
        self._quiet = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
                if self.controls[name].value != value:
                    raise ValueError(f"{name} must be on offer; got {brief(value)}")
        except Exception as problem:
            for control, old in before.items():
                self.controls[control].value = old
            raise ValueError(
                f"{name} must be a value its control offers; got {brief(value)}"
            ) from problem
        finally:
            self._quiet = False
        self._refresh()

    def reset(self) -> None:
        """Go back to the settings and the position the explorer opened with."""
        self.set(**self._first)
        self.player.move(**{axis.name: axis.start for axis in self.scene.axes})

    def _changed(self, _: Any) -> None:
        if not self._quiet:
            self._refresh()

    def _show_controls(self) -> None:
        for name, needed in self._shown_when.items():
            self.controls[name].layout.display = None if needed(self.values) else "none"

    def _refresh(self) -> None:
        self._show_controls()
        self._say(_WORKING)
        words = ""
        try:
            self.scene = self._build(**self.values)
            self.player.show(self.scene)
        except ValueError as problem:
            words = f"{problem}. The picture is still the one before."
        finally:
            self._say(words)

    def _say(self, text: str) -> None:
        self._message.value = f'<span role="status">{html.escape(text)}</span>' if text else ""


def _fit(control: widgets.Widget) -> None:
    """Give a control and its label as much room as their words take."""
    if hasattr(control, "style") and hasattr(control.style, "description_width"):
        control.style.description_width = "initial"
    if isinstance(control, widgets.ToggleButtons):
        control.style.button_width = control.layout.width = "auto"
