"""Scenes: a figure, named slider axes, and the arrays that the sliders slice.

A scene holds every number that its sliders can show, so that moving them needs no computation:
`overparam_edu.player.player.Player` plays it in a notebook, and the same script plays it in an
exported page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from overparam_edu.checks import brief, finite_array, one_of, whole_number


@dataclass(frozen=True)
class Axis:
    """A direction in which a scene can be moved, with the stops on it.

    Parameters
    ----------
    name : str
        A Python identifier; tracks and readings refer to the axis by it.
    label : str
        What the control is called, for example ``"depth N"``.
    stops : sequence of float or of str
        What the positions 0, 1, ... stand for. Numbers make a slider, words make a choice.
    start : int, optional
        The stop at which the scene opens.
    play : bool, optional
        Whether the slider has a Play button.
    buttons : bool, optional
        Whether it has buttons that go back and on by one stop.

    Raises
    ------
    TypeError, ValueError
        If the name is no identifier, the stops are empty or mix numbers and words, `start` is not
        one of them, or a choice is to play or have buttons.

    Examples
    --------
    >>> Axis("depth", "depth N", [1, 2, 4]).stops
    (1.0, 2.0, 4.0)
    """

    name: str
    label: str
    stops: Sequence[float] | Sequence[str] | NDArray[Any]
    start: int = 0
    play: bool = False
    buttons: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name must be an identifier; got {brief(self.name)}")
        if not isinstance(self.label, str) or not self.label:
            raise ValueError(f"label must be a text that is not empty; got {brief(self.label)}")
        stops = list(self.stops) if not isinstance(self.stops, str) else [self.stops]
        words = [isinstance(stop, str) for stop in stops]
        if any(words) and not all(words):
            raise TypeError(f"stops must be all numbers or all words; got {brief(stops)}")
        for option in ("play", "buttons"):
            if any(words) and getattr(self, option):
                raise ValueError(f"{option} must be False with words; got {brief(stops)}")
        plain: tuple[Any, ...] = tuple(stops)
        if not any(words):
            plain = tuple(finite_array("stops", np.asarray(stops)).tolist())
        if whole_number("start", self.start, lower=0) >= len(plain):
            raise ValueError(f"start must be below {len(plain)}; got {self.start}")
        object.__setattr__(self, "stops", plain)


@dataclass(frozen=True, eq=False)
class Track:
    """One attribute of a figure that follows the sliders.

    Parameters
    ----------
    trace : str or None
        Name of the trace (its ``uid`` in the figure), or None for an attribute of the layout.
    attribute : str
        Plotly's name of the attribute, for example ``"x"``, ``"marker.color"``, ``"title.text"``.
    values : array_like of float, str or bool, shape (stops of axes[0], stops of axes[1], ..., ...)
        One leading dimension per entry of `axes`; what remains is drawn: a number, a line, a
        matrix. Numbers travel as float32; what is not finite in float32 is never drawn.
    axes : sequence of str
        Names of the scene's axes that the leading dimensions of `values` follow.
    trail : {None, "step"}
        With ``"step"``, the last of `axes` is the course of a line: all values up to and including
        the current stop are drawn, up to the first that is not finite.

    Raises
    ------
    TypeError, ValueError
        If the dimensions do not fit `axes` and `trail`, or the attribute is no name.

    Notes
    -----
    Tracks of ``x`` and ``y`` of scatter traces are the fast ones: they move without anything else
    being redrawn. Draw arrows as such traces too (``marker.angleref="previous"``), not as
    annotations.

    Examples
    --------
    >>> losses = [[1.0, 2.0], [3.0, float("nan")]]  # depth by step; the second run diverges
    >>> Track("loss", "y", losses, ["depth", "step"], trail="step").values.shape
    (2, 2)
    """

    trace: str | int | None
    attribute: str
    values: ArrayLike
    axes: Sequence[str]
    trail: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.trace, str) and self.trace is not None:
            whole_number("trace", self.trace, lower=0)
        if not isinstance(self.attribute, str) or not self.attribute:
            raise ValueError(f"attribute must be a name; got {brief(self.attribute)}")
        values, axes = _sliced("values", self.values, self.axes)
        if self.trail is not None:
            one_of("trail", self.trail, ("step",))
            if values.ndim != len(axes):
                raise ValueError(
                    f"values of a trail must have one dimension per axis, {len(axes)}; "
                    f"got shape {values.shape}"
                )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "axes", axes)


@dataclass(frozen=True, eq=False)
class Reading:
    """A sentence under the picture that follows the sliders.

    Parameters
    ----------
    template : str
        Text with ``{name}`` for a field or an axis, for example ``"depth {depth}: loss {loss}"``.
        ``{milliseconds}`` is the time the browser took for the last drawing.
    fields : mapping of str to (array_like, sequence of str)
        For each name its values, numbers or words, and the axes their dimensions follow.

    Raises
    ------
    TypeError, ValueError
        If the dimensions of a field do not fit its axes.

    Examples
    --------
    >>> Reading("loss {loss}", {"loss": ([0.5, 0.25], ["step"])}).fields["loss"][1]
    ('step',)
    """

    template: str
    fields: Mapping[str, tuple[ArrayLike, Sequence[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.template, str):
            raise TypeError(f"template must be a text; got {brief(self.template)}")
        fields = {name: _sliced(f"fields[{name!r}]", *pair) for name, pair in self.fields.items()}
        for name, (values, axes) in fields.items():
            if values.ndim != len(axes):
                raise ValueError(
                    f"fields[{name!r}] must have one dimension per axis, {len(axes)}; "
                    f"got shape {values.shape}"
                )
        object.__setattr__(self, "fields", fields)

    @property
    def names(self) -> list[str]:
        """The names between braces in the template, in order."""
        return re.findall(r"\{(\w+)\}", self.template)


@dataclass(frozen=True, eq=False)
class Board:
    """A piece of HTML that follows the sliders: a table, or a line of mathematics.

    Parameters
    ----------
    values : array_like of str, shape (stops of axes[0], stops of axes[1], ...)
        HTML. It is shown as it is, so whoever makes it escapes what users typed.
    axes : sequence of str
        Names of the scene's axes that the dimensions of `values` follow.

    Raises
    ------
    TypeError, ValueError
        If the values are not texts, or their dimensions do not fit `axes`.

    Examples
    --------
    >>> Board(["<p>one</p>", "<p>two</p>"], ["step"]).axes
    ('step',)
    """

    values: ArrayLike
    axes: Sequence[str]

    def __post_init__(self) -> None:
        values, axes = _sliced("values", self.values, self.axes)
        if values.dtype.kind != "U" or values.ndim != len(axes):
            raise ValueError(
                f"values must be texts with one dimension per axis, {len(axes)}; "
                f"got shape {values.shape} of {values.dtype}"
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "axes", axes)


@dataclass(frozen=True, eq=False)
class Scene:
    """A figure and all that the sliders can make of it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure or None
        With everything static in it. Its axes need fixed ranges, since playing doesn't rescale.
        If a shape has ``editable=True``, all shapes can be dragged (`Player.edited`). None for a
        board alone.
    axes : sequence of Axis
        The controls, from top to bottom.
    tracks : sequence of Track
        What follows them.
    reading : Reading, optional
        The sentence under the picture.
    alt : str, optional
        What the picture shows, for those who can't see it; by default the figure's title.
    narrow : mapping of str to object, optional
        Attributes of the layout that hold where the picture is narrower than 640 pixels, such as
        ``{"xaxis.domain": [0, 1], "height": 800}`` to stack two panels on a phone.
    board : Board, optional
        HTML under the picture.

    Raises
    ------
    TypeError, ValueError
        If a track or field names an unknown axis, has another number of entries than the axis has
        stops, points outside the figure, or repeats another.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> from overparam_edu.player.frames import describe, frame
    >>> step = Axis("step", "step", [0, 1, 2], play=True)
    >>> loss = [4.0, 2.0, 1.0]
    >>> scene = Scene(
    ...     go.Figure(go.Scatter(uid="loss")),
    ...     [step],
    ...     [
    ...         Track("loss", "x", step.stops, ["step"], trail="step"),
    ...         Track("loss", "y", loss, ["step"], trail="step"),
    ...     ],
    ...     Reading("step {step}: loss {loss}", {"loss": (loss, ["step"])}),
    ... )
    >>> frame(scene, {"step": 1})
    {('loss', 'x'): [0.0, 1.0], ('loss', 'y'): [4.0, 2.0]}
    >>> describe(scene, {"step": 1})
    'step 1: loss 2'
    """

    figure: go.Figure | None
    axes: Sequence[Axis]
    tracks: Sequence[Track]
    reading: Reading | None = None
    alt: str = ""
    narrow: Mapping[str, Any] = field(default_factory=dict)
    board: Board | None = None

    def __post_init__(self) -> None:
        if self.figure is None:
            if self.board is None or self.tracks or self.narrow:
                raise ValueError("figure must be given, but for a board without tracks; got None")
        elif not isinstance(self.figure, go.Figure):
            raise TypeError(f"figure must be a plotly Figure; got {brief(type(self.figure))}")
        for name, kind in (("axes", Axis), ("tracks", Track)):
            items = tuple(getattr(self, name))
            for item in items:
                if not isinstance(item, kind):
                    raise TypeError(f"{name} must hold {kind.__name__} only; got {brief(item)}")
            object.__setattr__(self, name, items)
        names = [axis.name for axis in self.axes]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"axes must have one or more different names; got {names}")
        if self.board is not None:
            self._check_axes("board.values", np.asarray(self.board.values), self.board.axes)
        if self.figure is not None:
            self._check_tracks(self.figure)
            for path in self.narrow:
                _check_attribute(self.figure.layout, path, "narrow")
            if not self.alt:
                object.__setattr__(self, "alt", self.figure.layout.title.text or "Figure")
        self._check_reading(names)

    def place(self, trace: str | int | None) -> int | None:
        """Return where in the figure the trace of this name stands; None for the layout."""
        if not isinstance(trace, str):
            return trace
        names = [one.uid for one in self.figure.data] if self.figure is not None else []
        if names.count(trace) != 1:
            known = [name for name in names if name is not None]
            raise ValueError(f"trace must be the name of one trace of {known}; got {trace!r}")
        return names.index(trace)

    def _check_tracks(self, figure: go.Figure) -> None:
        seen = set()
        for number, track in enumerate(self.tracks):
            where, place = f"tracks[{number}]", self.place(track.trace)
            if place is not None and place >= len(figure.data):
                raise ValueError(
                    f"{where}.trace must be below {len(figure.data)}, the number of traces; "
                    f"got {place}"
                )
            if (place, track.attribute) in seen:
                raise ValueError(f"{where} repeats ({track.trace!r}, {track.attribute!r})")
            seen.add((place, track.attribute))
            holder = figure.layout if place is None else figure.data[place]
            _check_attribute(holder, track.attribute, f"{where}.attribute")
            self._check_axes(f"{where}.values", np.asarray(track.values), track.axes)

    def _check_reading(self, names: list[str]) -> None:
        if self.reading is None:
            return
        for name, (values, axes) in self.reading.fields.items():
            self._check_axes(f"reading.fields[{name!r}]", np.asarray(values), axes)
        known = [*names, *self.reading.fields, "milliseconds"]
        for name in self.reading.names:
            if name not in known:
                raise ValueError(f"reading.template must use {known}; got {{{name}}}")

    def _check_axes(self, where: str, values: NDArray[Any], axes: Sequence[str]) -> None:
        stops = {axis.name: len(axis.stops) for axis in self.axes}
        for dimension, name in enumerate(axes):
            if name not in stops:
                raise ValueError(f"{where} must follow axes among {list(stops)}; got {name!r}")
            if values.shape[dimension] != stops[name]:
                raise ValueError(
                    f"{where} must have {stops[name]} entries along dimension {dimension}, "
                    f"the stops of {name!r}; got shape {values.shape}"
                )


def _sliced(
    name: str, value: ArrayLike, axes: Sequence[str]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return `value` as a read-only float32, str or bool array, and `axes` as a tuple."""
    if isinstance(axes, str) or not all(isinstance(axis, str) for axis in axes) or not axes:
        raise TypeError(f"axes must be one or more names; got {brief(axes)}")
    if len(set(axes)) < len(axes):
        raise ValueError(f"axes must be different; got {brief(axes)}")
    try:
        raw = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array; got {brief(value)}") from None
    if raw.dtype.kind not in "fiubU":
        raise TypeError(f"{name} must be real numbers, words or truth values; got {brief(value)}")
    if raw.ndim < len(axes) or not raw.size:
        raise ValueError(
            f"{name} must have a dimension for each of {list(axes)} and not be empty; "
            f"got shape {raw.shape}"
        )
    with np.errstate(over="ignore"):  # beyond float32 is not finite, and as such not drawn
        array = raw.copy() if raw.dtype.kind in "bU" else raw.astype(np.float32)
    array.setflags(write=False)
    return array, tuple(axes)


def _check_attribute(holder: Any, path: str, where: str) -> None:
    """Say so if plotly knows no attribute `path` of a trace or layout."""
    try:
        holder[path]
    except (KeyError, ValueError, IndexError, TypeError):
        raise ValueError(f"{where} must be an attribute that plotly knows; got {path!r}") from None
