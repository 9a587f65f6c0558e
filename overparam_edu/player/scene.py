"""Scenes: a figure, named slider axes, and the arrays that the sliders slice.

A scene holds every number that its sliders can show, so moving them computes nothing. A `Player`
plays it in a notebook, and the same script plays it on a page without Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from overparam_edu.checks import brief, finite_array, instance, one_of, whole_number


@dataclass(frozen=True)
class Axis:
    """A control with its stops: numbers make a slider, words make a choice."""

    name: str  # an identifier, by which tracks and readings refer to the axis
    label: str  # what the reader sees, for example "depth N"
    stops: Sequence[float] | Sequence[str] | NDArray[Any]  # what the positions 0, 1, ... stand for
    start: int = 0  # the position at which the scene opens
    play: bool = False  # with a Play button
    buttons: bool = False  # with buttons that go one stop back and forward
    expert: bool = False  # folded away below the sentence
    webgl: str = ""  # the word that shows a picture in space: not on offer without WebGL

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name must be an identifier; got {brief(self.name)}")
        if not isinstance(self.label, str) or not self.label:
            raise ValueError(f"label must be a text that is not empty; got {brief(self.label)}")
        stops: tuple[Any, ...] = tuple([self.stops] if isinstance(self.stops, str) else self.stops)
        words = [isinstance(stop, str) for stop in stops]
        if any(words) and not all(words):
            raise TypeError(f"stops must be all numbers or all words; got {brief(stops)}")
        if any(words) and (self.play or self.buttons):
            option = "play" if self.play else "buttons"
            raise ValueError(f"{option} must be False with words; got {brief(stops)}")
        if self.webgl:
            one_of("webgl", self.webgl, stops)
        if not any(words):
            stops = tuple(finite_array("stops", np.asarray(stops)).tolist())
        if whole_number("start", self.start, lower=0) >= len(stops):
            raise ValueError(f"start must be below {len(stops)}; got {self.start}")
        object.__setattr__(self, "stops", stops)


@dataclass(frozen=True, eq=False)
class Track:
    """One attribute of a figure that follows the sliders.

    Tracks of ``x`` and ``y`` of scatter traces are the fast ones: nothing else is redrawn. So draw
    an arrow as such a trace (`style.arrow`), not as an annotation.
    """

    trace: str | None  # the trace's name, which is its ``uid``; None for the layout
    attribute: str  # Plotly's name, for example "x", "marker.color", "title.text"
    # Numbers, texts or truth values, with one leading dimension for each of `axes`; what remains is
    # drawn. Numbers travel as float32, and what is not finite in float32 is never drawn.
    values: ArrayLike
    axes: Sequence[str]  # names of the scene's axes that the leading dimensions follow
    # With "step", the last of `axes` is the course of a line: it is drawn up to the current stop,
    # and ends before the first value that is not finite.
    trail: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.trace, str | None):
            raise TypeError(f"trace must be the name of a trace, or None; got {brief(self.trace)}")
        if not isinstance(self.attribute, str) or not self.attribute:
            raise ValueError(f"attribute must be a name; got {brief(self.attribute)}")
        if self.trail is not None:
            one_of("trail", self.trail, ("step",))
        name = "values of a trail" if self.trail else "values"
        values, axes = _sliced(name, self.values, self.axes, whole=self.trail is not None)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "axes", axes)


@dataclass(frozen=True, eq=False)
class Reading:
    """A sentence under the picture that follows the sliders."""

    # With {name} for an axis or a field, as in "depth {depth}: loss {loss}"; {milliseconds} is the
    # time that the browser took for the last drawing.
    template: str
    # For each name its values, numbers or words, and the axes that their dimensions follow.
    fields: Mapping[str, tuple[ArrayLike, Sequence[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.template, str):
            raise TypeError(f"template must be a text; got {brief(self.template)}")
        fields = {
            name: _sliced(f"fields[{name!r}]", *pair, whole=True)
            for name, pair in self.fields.items()
        }
        object.__setattr__(self, "fields", MappingProxyType(fields))


@dataclass(frozen=True, eq=False)
class Board:
    """HTML under the picture that follows the sliders: a table, or a line of mathematics.

    It is shown as it is, so whoever makes it escapes what users typed.
    """

    values: ArrayLike  # texts, with one dimension for each of `axes`
    axes: Sequence[str]
    folded: str = ""  # what the reader opens to see it; by default it is seen

    def __post_init__(self) -> None:
        values, axes = _sliced("values", self.values, self.axes, whole=True)
        if values.dtype.kind != "U":
            raise ValueError(f"values must be texts; got {brief(self.values)}")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "axes", axes)


@dataclass(frozen=True, eq=False)
class Handle:
    """A point that a hand puts elsewhere, by mouse, finger or arrow keys, for Python to take up.

    It is the first point of a trace that stands still, and sets two controls of an `Explorer`. A
    page without Python goes to the nearest place among the settings that it has.
    """

    trace: str  # the name of the trace that draws it
    label: str  # what it is, for those who can't see it, such as "start of the paths"
    controls: tuple[str, str]  # what the way across sets, and the way up
    within: tuple[tuple[float, float], tuple[float, float]]  # the lowest and highest, across and up
    step: tuple[float, float]  # places are multiples of it, and it is what an arrow key moves
    sets: Mapping[str, Any] = field(default_factory=dict)  # other controls, and their new values
    ghost: Sequence[str] = ()  # traces that stay, pale, as they were before the hand came

    def __post_init__(self) -> None:
        within, step = finite_array("within", self.within), finite_array("step", self.step)
        if within.shape != (2, 2) or not np.all(np.diff(within) > 0):
            raise ValueError(f"within must be two ranges; got {brief(self.within)}")
        if step.shape != (2,) or not np.all(step > 0):
            raise ValueError(f"step must be two numbers above 0; got {brief(self.step)}")
        object.__setattr__(self, "within", tuple(map(tuple, within.tolist())))
        object.__setattr__(self, "step", tuple(step.tolist()))
        object.__setattr__(self, "sets", dict(self.sets))
        object.__setattr__(self, "ghost", tuple(self.ghost))

    def values(self, place: Sequence[float]) -> dict[str, Any]:
        """Return the new values of the controls for a place, the nearest that is possible."""
        low, high = np.transpose(self.within)
        steps = np.rint(np.clip(finite_array("place", place), low, high) / self.step)
        across, up = (round(float(value), 10) for value in steps * self.step)
        return {**self.sets, self.controls[0]: across, self.controls[1]: up}


@dataclass(frozen=True, eq=False)
class Sketch:
    """What the reader draws before the run is seen, and what it is held against (`sketch.js`).

    The truth is a trace: a trail, of which the reader draws the whole curve, or points that stand
    still, of which the reader draws the heights. Its y axis is logarithmic. A page compares what is
    drawn with the truth by itself, and keeps the guess.
    """

    name: str  # under which the guess is kept
    trace: str  # the name of the trace that is the truth
    along: str  # the axis that is played when the reader wants to see the truth
    asks: str  # what to draw, with {name} for an axis, as in "Draw the loss of depth {depth}."
    of: str  # what is drawn, such as "loss"
    whole: Sequence[str] = ()  # traces that may be known: they are seen whole meanwhile
    hidden: Sequence[str] = ()  # traces that give the answer away: they are not seen meanwhile
    # The level at which a curve has arrived and the iteration from which it has, not finite if it
    # never does; and the axes that these follow.
    arrival: tuple[ArrayLike, ArrayLike, Sequence[str]] | None = None
    never: float | None = None  # points from this height on stand for "never"

    def __post_init__(self) -> None:
        for name in ("name", "trace", "along", "asks", "of"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ValueError(f"{name} must be a text; got {brief(getattr(self, name))}")
        if self.arrival is not None:
            level, steps, axes = self.arrival
            values = [_sliced("arrival", each, axes, whole=True)[0] for each in (level, steps)]
            object.__setattr__(self, "arrival", (*values, tuple(axes)))


@dataclass(frozen=True, eq=False)
class Strip:
    """Small copies of a panel, each with one path as it is at a stop of an axis (`strip.js`).

    They are played together, and a click on one goes to its stop.
    """

    trace: str  # the name of the path: a trace whose x and y are trails that follow the axis
    axis: str
    stops: Sequence[int]  # positions of the axis, from left to right

    def __post_init__(self) -> None:
        stops = tuple(whole_number("stops", stop, lower=0) for stop in self.stops)
        if not stops or len(set(stops)) < len(stops):
            raise ValueError(f"stops must be one or more different positions; got {stops}")
        object.__setattr__(self, "stops", stops)


@dataclass(frozen=True, eq=False)
class Scene:
    """A figure and all that the sliders can make of it.

    >>> from overparam_edu.player.frames import frame
    >>> step = Axis("step", "step", [0, 1, 2], play=True)
    >>> loss = Track("loss", "y", [4.0, 2.0, 1.0], ["step"], trail="step")
    >>> frame(Scene(go.Figure(go.Scatter(uid="loss")), [step], [loss]), {"step": 1})
    {('loss', 'y'): [4.0, 2.0]}
    """

    # With everything static in it, and fixed ranges of its axes, since playing does not rescale.
    # None for a board alone.
    figure: go.Figure | None
    axes: Sequence[Axis]  # the controls, from top to bottom
    tracks: Sequence[Track]
    reading: Reading | None = None
    alt: str = ""  # what the picture shows, for those who can't see it; by default its title
    # Attributes of the layout that hold where the picture is narrower than 640 pixels, such as
    # {"xaxis.domain": [0, 1], "height": 800}; see `style.stacked`.
    narrow: Mapping[str, Any] = field(default_factory=dict)
    board: Board | None = None
    handles: Sequence[Handle] = ()  # what a hand can move in the picture itself
    sketch: Sketch | None = None  # what the reader draws before the run is seen
    strip: Strip | None = None  # small pictures of other stops, above the picture

    def __post_init__(self) -> None:
        object.__setattr__(self, "narrow", MappingProxyType(dict(self.narrow)))
        if self.drawn is None:
            if self.board is None or self.tracks or self.narrow:
                raise ValueError("figure must be given, but for a board without tracks; got None")
        else:
            instance("figure", self.drawn, go.Figure)
        for name, kind in (("axes", Axis), ("tracks", Track), ("handles", Handle)):
            items = tuple(getattr(self, name))
            for item in items:
                if not isinstance(item, kind):
                    raise TypeError(f"{name} must hold {kind.__name__} only; got {brief(item)}")
            object.__setattr__(self, name, items)
        names = [axis.name for axis in self.axes]
        if len(set(names)) < len(names) or not names:
            raise ValueError(f"axes must have one or more different names; got {names}")
        if self.drawn is not None:
            self._check_attributes(self.drawn)
            if not self.alt:
                object.__setattr__(self, "alt", self.drawn.layout.title.text or "Figure")
        self._check_axes()
        for handle in self.handles:
            self.place_of(handle)
            for trace in handle.ghost:
                self.place(trace)

    @property
    def drawn(self) -> go.Figure | None:
        """The figure itself, for whoever only looks at it."""
        figure: go.Figure | None = vars(self)["figure"]
        return figure

    def place(self, trace: str | None) -> int | None:
        """Return where in the figure the trace of this name stands; None for the layout."""
        names = [one.uid for one in self.drawn.data] if self.drawn is not None else []
        if trace is None:
            return None
        if names.count(trace) != 1:
            known = [name for name in names if name is not None]
            raise ValueError(f"trace must be the name of one trace of {known}; got {trace!r}")
        return names.index(trace)

    def place_of(self, handle: Handle) -> tuple[float, float]:
        """Return where a handle is."""
        number = self.place(handle.trace)
        trace = self.drawn.data[number] if self.drawn is not None and number is not None else None
        if trace is None or trace.x is None or trace.y is None or not len(trace.x):
            raise ValueError(f"handles must have traces with a point; got {handle.trace!r}")
        return float(trace.x[0]), float(trace.y[0])

    def _check_attributes(self, figure: go.Figure) -> None:
        """Check that plotly knows what tracks and `narrow` change, and that no track repeats."""
        where: dict[tuple[int | None, str], str] = {}
        for number, track in enumerate(self.tracks):
            key = (self.place(track.trace), track.attribute)
            if key in where:
                raise ValueError(f"tracks[{number}] repeats ({track.trace!r}, {track.attribute!r})")
            where[key] = f"tracks[{number}].attribute"
        for (place, path), name in (
            {(None, path): "narrow" for path in self.narrow} | where
        ).items():
            try:
                (figure.layout if place is None else figure.data[place])[path]
            except (KeyError, ValueError, IndexError, TypeError):
                raise ValueError(
                    f"{name} must be an attribute that plotly knows; got {path!r}"
                ) from None

    def _check_sketch(self, sketch: Sketch) -> None:
        """Check that a sketch is of traces and axes of the scene."""
        names = tuple(axis.name for axis in self.axes)
        for trace in (sketch.trace, *sketch.whole, *sketch.hidden):
            self.place(trace)
        for name in (sketch.along, *re.findall(r"\{(\w+)\}", sketch.asks)):
            one_of("sketch", name, names)

    def _check_strip(self, strip: Strip) -> None:
        """Check that a strip is of a path that follows its axis, at stops that there are."""
        stops = {axis.name: len(axis.stops) for axis in self.axes}
        one_of("strip.axis", strip.axis, tuple(stops))
        if max(strip.stops) >= stops[strip.axis]:
            raise ValueError(f"strip.stops must be below {stops[strip.axis]}; got {strip.stops}")
        trails = [one for one in self.tracks if one.trace == strip.trace and one.trail]
        follow = {one.attribute for one in trails if strip.axis in one.axes}
        if not {"x", "y"} <= follow:
            raise ValueError(
                f"strip.trace must have trails of x and y that follow {strip.axis!r}; "
                f"got {strip.trace!r}"
            )

    def _check_axes(self) -> None:
        """Check that all follow axes of the scene, with an entry for each of their stops."""
        sliced = [
            (f"tracks[{n}].values", one.values, one.axes) for n, one in enumerate(self.tracks)
        ]
        if self.board is not None:
            sliced.append(("board.values", self.board.values, self.board.axes))
        if self.sketch is not None:
            self._check_sketch(self.sketch)
            *both, along = self.sketch.arrival or ((),)
            sliced += [("sketch.arrival", values, along) for values in both]
        if self.strip is not None:
            self._check_strip(self.strip)
        stops = {axis.name: len(axis.stops) for axis in self.axes}
        if self.reading is not None:
            for name, pair in self.reading.fields.items():
                sliced.append((f"reading.fields[{name!r}]", *pair))
        for where, values, axes in sliced:
            for dimension, (name, size) in enumerate(zip(axes, np.shape(values), strict=False)):
                if name not in stops:
                    raise ValueError(f"{where} must follow axes among {list(stops)}; got {name!r}")
                if size != stops[name]:
                    raise ValueError(
                        f"{where} must have {stops[name]} entries along dimension {dimension}, "
                        f"the stops of {name!r}; got shape {np.shape(values)}"
                    )
        if self.reading is not None:
            known = [*stops, *self.reading.fields, "milliseconds"]
            for name in re.findall(r"\{(\w+)\}", self.reading.template):
                if name not in known:
                    raise ValueError(f"reading.template must use {known}; got {{{name}}}")


def _copied(scene: Scene) -> go.Figure | None:
    return None if scene.drawn is None else go.Figure(scene.drawn)


def _put(scene: Scene, figure: go.Figure | None) -> None:
    vars(scene)["figure"] = figure


# Whoever asks for the figure gets a copy, since one scene is shown by many explorers.
Scene.figure = property(_copied, _put)


def still(figure: go.Figure) -> Scene:
    """Return a scene of a figure that stands still: its one axis has one stop, and is hidden."""
    return Scene(figure, [Axis("still", "still", [0])], [])


def _sliced(
    name: str, value: ArrayLike, axes: Sequence[str], *, whole: bool = False
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return a read-only array with a dimension for each axis, and more only if not `whole`."""
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
    if whole and raw.ndim > len(axes):
        raise ValueError(
            f"{name} must have one dimension per axis, {len(axes)}; got shape {raw.shape}"
        )
    with np.errstate(over="ignore"):  # what overflows float32 is not drawn
        array = raw.copy() if raw.dtype.kind in "bU" else raw.astype(np.float32)
    array.setflags(write=False)
    return array, tuple(axes)
