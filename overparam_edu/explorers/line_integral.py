"""The talk's "Beyond regularization", set in motion: `explore_line_integral`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, number, one_of
from overparam_edu.dynamics.loops import LineIntegral, gamma, line_integral, polygon, walk, work
from overparam_edu.dynamics.losses import LinearLoss, QuadraticLoss, SeparableLp, SupportsGradient
from overparam_edu.dynamics.rule import split_direction
from overparam_edu.explorers.plots import (
    CURL_KEY,
    DEPTHS,
    arrow_ends,
    arrow_trace,
    curl_colours,
    curl_trace,
)
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.player.style import BLACK, BLUE, GREEN, GREY, TEMPLATE, VERMILLION, key

# A corner of one's own curve may be this far from 0, along e and across it.
WIDEST, HIGHEST = 1.4, 0.9
LETTERS = "ABCDE"
_NODES, _WEIGHTS = (array / 2 for array in np.polynomial.legendre.leggauss(60))


class Loop(NamedTuple):
    """A closed curve in the picture's plane, and the work on it at each of `DEPTHS`.

    Parameters
    ----------
    points : ndarray, shape (stops, 2)
        Along the curve; the last is the first again.
    way : ndarray, shape (stops,)
        How far one has come, in laps.
    work : ndarray, shape (depths, stops)
        The work done so far.
    integral : LineIntegral
        Of the whole curve.
    parts : ndarray, shape (2, depths, pieces + 1)
        The work of adaptive rate and projection on each piece, and in all.
    names : tuple of str
        Of the pieces.
    signs : list of (float, float, float, float)
        Where each piece's name stands: a point, and pixels to the right of it and above.
    corners : tuple of (float, float)
        What can be dragged.
    """

    points: Array
    way: Array
    work: Array
    integral: LineIntegral
    parts: Array
    names: tuple[str, ...]
    signs: list[tuple[float, float, float, float]]
    corners: tuple[tuple[float, float], ...] = ()

    @property
    def ends(self) -> Array:
        """Where each piece ends, in laps."""
        stops = (len(self.way) - 1) // len(self.names)
        return self.way[stops::stops]


def gamma_loop(
    loss: SupportsGradient, radii: tuple[float, float], *, control: bool, points: int
) -> Loop:
    """Return the curve of Theorem 2 in coordinates along and across e.

    Parameters
    ----------
    loss : Loss
        Of two parameters, with its gradient at 0 along the first.
    radii : tuple of float
        ``r`` and ``R``.
    control : bool
        Whether the gradient takes the field's place.
    points : int
        Stops on each piece.

    Returns
    -------
    Loop

    Raises
    ------
    TypeError, ValueError
        As `line_integral`.
    """
    r, R = radii
    integral = line_integral(loss, DEPTHS, r, R, control=control)
    once = walk(loss, DEPTHS, r, R, points=points, control=control)
    e, across = np.eye(2)
    pieces = [piece(_NODES + 0.5)[:2] for piece in gamma(e, across, np.array(r), np.array(R))]
    w, v = (np.stack(both) for both in zip(*pieces, strict=True))
    places = [(-(r + R) / 2, 0, 0, -16), (0, r, 0, 16), ((r + R) / 2, 0, 0, -16), (0, R, 0, -16)]
    return Loop(
        once.points,
        once.arclength / once.arclength[-1],
        _rounded(once.work),
        integral,
        _with_sum(_split(loss, w, v, control)),
        ("①", "②", "③", "④"),
        [tuple(map(float, place)) for place in places],  # type: ignore[misc]
    )


def polygon_loop(
    loss: SupportsGradient,
    corners: Sequence[tuple[float, float]],
    *,
    control: bool,
    points: int,
) -> Loop:
    """Return a polygon's loop.

    Parameters
    ----------
    loss : Loss
        Of two parameters.
    corners : sequence of (float, float)
        In the order of the walk; the last edge leads back to the first.
    control : bool
        Whether the gradient takes the field's place.
    points : int
        Stops on each edge.

    Returns
    -------
    Loop

    Raises
    ------
    ValueError
        If a corner is outside of the picture, or all are in one place.
    """
    for letter, (x, y) in zip(LETTERS, corners, strict=False):
        if not (abs(x) <= WIDEST and abs(y) <= HIGHEST):
            limits = f"in [-{WIDEST}, {WIDEST}] and [-{HIGHEST}, {HIGHEST}]"
            raise ValueError(f"corner {letter} must be {limits}; got ({x:g}, {y:g})")
    ends = np.array(corners, float)
    steps = np.roll(ends, -1, axis=0) - ends
    lengths = np.linalg.norm(steps, axis=1)
    if not lengths.any():
        raise ValueError(f"corners must not all be in one place; got {corners[0]}")
    count, parts = len(ends), np.arange(points) / points
    places = (ends[:, None] + parts[:, None] * steps[:, None]).reshape(-1, 2)
    gained = work(loss, DEPTHS, places, control=control).segments
    w, v, _ = polygon(ends, 2)[0](_NODES + 0.5)  # (edges, halves, nodes, 2)
    halves = _split(loss, w.reshape(2 * count, -1, 2), v.reshape(2 * count, -1, 2), control)
    names = [LETTERS[i] + LETTERS[(i + 1) % count] for i in range(count)]
    return Loop(
        np.concatenate([places, places[:1]]),
        np.concatenate([[0], np.repeat(lengths / points, points).cumsum()]) / lengths.sum(),
        _rounded(np.concatenate([np.zeros((len(DEPTHS), 1)), gained.cumsum(axis=1)], axis=1)),
        work(loss, DEPTHS, ends, control=control),
        _with_sum(halves.reshape(2, len(DEPTHS), count, 2).sum(axis=-1)),
        tuple(names),
        [],
        tuple((float(x), float(y)) for x, y in corners),
    )


def laps_of(loop: Loop, laps: int) -> Loop:
    """Return a walk of several laps; the integral and its parts stay those of one.

    Parameters
    ----------
    loop : Loop
    laps : int

    Returns
    -------
    Loop
    """
    gain = loop.work[:, -1:]
    ways = [loop.way[:1], *(loop.way[1:] + lap for lap in range(laps))]
    works = [loop.work[:, :1], *(loop.work[:, 1:] + lap * gain for lap in range(laps))]
    return loop._replace(
        points=np.concatenate([loop.points[:1], *([loop.points[1:]] * laps)]),
        way=np.concatenate(ways),
        work=np.concatenate(works, axis=1),
    )


def _split(loss: SupportsGradient, w: Array, v: Array, control: bool) -> Array:
    """Return the two parts' work on pieces given at the nodes (pieces, n, 2)."""
    N = np.ones_like(DEPTHS) if control else DEPTHS
    parts = split_direction(w, loss.gradient(w), N[:, None, None])
    return np.stack([(part * v).sum(axis=-1) @ _WEIGHTS for part in parts])


def _with_sum(parts: Array) -> Array:
    return np.concatenate([parts, parts.sum(axis=-1, keepdims=True)], axis=-1)


def _rounded(work: Array) -> Array:
    """Return the work with what is 0 to rounding as 0, on the screen too."""
    return np.where(np.abs(work) > 1e-12 * np.abs(work).max(), work, 0.0)


# The traces in the order they stand in the figure (2 is the curve).
CURL, FIELD = 0, 1
TRACE, HERE, LAP, WORK, NOW, ADAPTIVE, PROJECTION, SUM = range(3, 11)

ALT = (
    "Left: the field's arrows over its curl in colours, and the closed curve with a point that "
    "walks round it. Right: the work done so far along the way, and below it the work on each of "
    "the curve's pieces, split into adaptive rate and projection."
)
NARROW = {
    "height": 1000,
    "font.size": 14,
    "xaxis.domain": [0, 1],
    "yaxis.domain": [0.66, 1],
    "xaxis2.domain": [0, 1],
    "yaxis2.domain": [0.34, 0.56],
    "xaxis3.domain": [0, 1],
    "yaxis3.domain": [0.02, 0.24],
}
_STRIPES = {"shape": "/", "fillmode": "overlay", "fgcolor": "white", "solidity": 0.25}
_ABOVE = {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 16}}
# Half the size of a corner's handle, in pixels: large enough for a finger.
_HANDLE = 15


def line_integral_figure(
    grid: tuple[Array, Array], arrows: int, loop: Loop, laps: int
) -> go.Figure:
    """Return the figure with the curve, empty traces for what moves, and fixed axes.

    Parameters
    ----------
    grid : tuple of ndarray
        Where the curl's colours stand, from edge to edge of the plane's panel.
    arrows : int
        How many arrows the field has.
    loop : Loop
        One lap.
    laps : int
        How often it is walked.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure([curl_trace(*grid), arrow_trace(arrows), *_lines(loop, laps), *_bars(loop)])
    figure.update_traces(hoverinfo="skip")
    figure.update_layout(
        template=TEMPLATE,
        height=400,
        font_size=16,
        showlegend=False,
        margin={"l": 64, "t": 36, "b": 56, "r": 30},
        barmode="relative",
        bargap=0.35,
    )
    _add_axes(figure, grid, loop, laps)
    _add_words(figure, loop)
    if laps == 1:
        _add_names(figure, loop)
    for letter, (x, y) in zip(LETTERS, loop.corners, strict=False):
        figure.add_shape(**_handle(letter, x, y))
    return figure


def _lines(loop: Loop, laps: int) -> list[go.Scatter]:
    dashed = {"color": BLACK, "width": 3, "dash": "dash"}
    heavy = {"color": VERMILLION, "width": 5}
    dot = {"color": VERMILLION, "size": 17, "line": {"width": 2, "color": BLACK}}
    right = {"xaxis": "x2", "yaxis": "y2"}
    x, y = loop.points.T
    return [
        go.Scatter(x=x, y=y, mode="lines", line=dashed),
        go.Scatter(mode="lines", line=heavy),
        go.Scatter(mode="markers", marker=dot),
        go.Scatter(x=laps_of(loop, laps).way, mode="lines", line=dashed | {"width": 2}, **right),
        go.Scatter(mode="lines", line=heavy, **right),
        go.Scatter(mode="markers", marker=dot, cliponaxis=False, **right),
    ]


def _bars(loop: Loop) -> list[Any]:
    below = {"x": [*loop.names, "lap"], "xaxis": "x3", "yaxis": "y3"}
    return [
        go.Bar(marker={"color": BLUE}, **below),
        go.Bar(marker={"color": GREEN, "pattern": _STRIPES}, **below),
        go.Scatter(mode="text", textposition="top center", textfont={"size": 15}, **below),
    ]


def _add_axes(figure: go.Figure, grid: tuple[Array, Array], loop: Loop, laps: int) -> None:
    x, y = ([float(side[0]), float(side[-1])] for side in grid)
    # A dotted line where a piece ends, or a lap.
    dotted = {"showgrid": True, "gridcolor": GREY, "griddash": "dot", "ticklen": 0}
    ends = {"tickvals": loop.ends, "ticktext": [""] * (len(loop.names) - 1) + ["1 lap"]}
    if laps > 1:
        words = [*map(str, range(1, laps)), f"{laps} laps"]
        ends = {"tickvals": np.arange(1, laps + 1), "ticktext": words}
    done = "work so far" if laps == 1 else "height gained"
    figure.update_layout(
        xaxis={"domain": [0, 0.53], "range": x, "title": _title("along e")},
        yaxis={"range": y, "scaleanchor": "x", "constrain": "domain", "title": _title("across e")},
        xaxis2={"domain": [0.62, 1], "anchor": "y2", "range": [0, 1.001 * laps], **dotted, **ends},
        yaxis2={"domain": [0.58, 1], "anchor": "x2", "title": _title(done), "nticks": 5},
        xaxis3={"domain": [0.62, 1], "anchor": "y3"},
        yaxis3={"domain": [0, 0.38], "anchor": "x3", "title": _title("work"), "nticks": 5},
    )


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 8}


def _add_words(figure: go.Figure, loop: Loop) -> None:
    parts = key(("■", "adaptive rate", BLUE), ("▨", "projection", GREEN))
    for text, axis in ((CURL_KEY, ""), (parts, "3")):
        place = {"x": 0, "y": 1, "xref": f"x{axis} domain", "yref": f"y{axis} domain"}
        figure.add_annotation(text=text, **place, **_ABOVE)
    style = {"font": {"size": 20}, "showarrow": False, "bgcolor": "rgba(255,255,255,0.6)"}
    for name, (x, y, right, up) in zip(loop.names, loop.signs, strict=False):
        figure.add_annotation(text=f"<b>{name}</b>", x=x, y=y, xshift=right, yshift=up, **style)


def _add_names(figure: go.Figure, loop: Loop) -> None:
    style = _ABOVE | {"xanchor": "center", "font": {"size": 17}}
    ends = np.concatenate([[0.0], loop.ends])
    for name, x in zip(loop.names, (ends[:-1] + ends[1:]) / 2, strict=True):
        place = {"x": x, "xref": "x2", "y": 1, "yref": "y2 domain"}
        figure.add_annotation(text=f"<b>{name}</b>", **place, **style)


def _handle(letter: str, x: float, y: float) -> dict[str, Any]:
    """Return a corner as a disc that can be dragged."""
    ends = {"x0": -_HANDLE, "x1": _HANDLE, "y0": -_HANDLE, "y1": _HANDLE}
    place = {"xsizemode": "pixel", "ysizemode": "pixel", "xanchor": x, "yanchor": y}
    label = {"text": f"<b>{letter}</b>", "font": {"size": 16, "color": BLACK}}
    line = {"color": BLACK, "width": 2}
    colour = {"fillcolor": "rgba(255,255,255,0.6)", "line": line, "label": label}
    return {"type": "circle", "editable": True, **ends, **place, **colour}


# In three variables, so that there are planes to choose from; the plane at angle 0 is the talk's
# illustration in two. The depths are those at which the field is a gradient after all.
_MINIMUM = (1.0, 0.5, 0.0)
LOSSES: dict[str, tuple[SupportsGradient, tuple[float, ...]]] = {
    "linear": (LinearLoss([-0.8, -0.6, 0.0]), (1.0, 2.0)),
    "round": (SeparableLp(_MINIMUM, p=2), (1.0, 2.0)),
    "stretched": (QuadraticLoss(np.diag([1.0, 3.0, 2.0]), _MINIMUM), (1.0,)),
    "p4": (SeparableLp(_MINIMUM, p=4), (1.0,)),
    "p6": (SeparableLp(_MINIMUM, p=6), (1.0,)),
}
LOSS_NAMES = [
    ("linear", "linear"),
    ("quadratic, round (ℓ₂)", "round"),
    ("quadratic, stretched", "stretched"),
    ("ℓ₄", "p4"),
    ("ℓ₆", "p6"),
]
# Where one's own polygon begins; as many of its corners as are asked for.
CORNERS = ((0.3, -0.5), (1.1, -0.3), (1.0, 0.6), (0.1, 0.7), (-0.7, 0.2))


def explore_line_integral() -> Explorer:
    r"""Return the proof of "no regularizer" as a widget: work round a closed curve.

    On the left the rule's field :math:`F_N` over its curl, and the curve :math:`\Gamma_{r,R}`
    of Theorem 2, walked round by a point, in a plane of :math:`\mathbb{R}^3` that contains
    :math:`e = g(0)/\|g(0)\|`; or a polygon of one's own, whose corners can be dragged or typed.
    On the right the work done so far, and the work on each of the curve's pieces, split into
    adaptive rate (blue) and projection (green). A gradient's work would come back to 0; walked
    for several laps, the field's climbs like a perpetual motion machine. Below, quadrature beside
    the closed form (talk, "Beyond regularization"; paper, section 6 and proof of Theorem 2).

    Depth and the walk move in the browser. The loss, the curve, the plane, the control field and
    the number of laps ask Python.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_line_integral()
    >>> explorer.set(field="control")
    >>> explorer.set(curve="polygon", ax=0.2)
    """
    controls: dict[str, widgets.Widget] = {
        "loss": widgets.Dropdown(options=LOSS_NAMES, value="p4", description="loss"),
        "field": widgets.ToggleButtons(
            options=[("the rule F", "rule"), ("control: the gradient g", "control")],
            description="field",
        ),
        "curve": widgets.ToggleButtons(
            options=[("Γ of Theorem 2", "gamma"), ("your own, to drag", "polygon")],
            description="curve",
        ),
        "laps": widgets.ToggleButtons(
            options=[("one", 1), ("perpetual motion: 3", 3)], description="laps"
        ),
        "angle": widgets.IntSlider(0, 0, 180, 15, description="plane turned by °"),
        "radii": widgets.FloatRangeSlider(
            value=(0.2, 1.0), min=0.05, max=1.5, step=0.05, description="radii r, R"
        ),
        "corners": widgets.ToggleButtons(options=[3, 4, 5], value=4, description="corners"),
    }
    controls["loss"].layout.width = "230px"
    for letter, place in zip(LETTERS, CORNERS, strict=True):
        for axis, value in zip("xy", place, strict=True):
            field = widgets.FloatText(value, step=0.05, description=f"{letter} {axis}")
            field.layout.width = "100px"
            controls[letter.lower() + axis] = field
    controls["radii"].observe(_keep_apart, "value")
    return Explorer(_scene, controls, shown_when=_SHOWN_WHEN, on_edit=_dragged)


def _keep_apart(change: Any) -> None:
    """Let the end of the radii that is dragged onto the other push it on, or stop before it."""
    (r, R), slider = change.new, change.owner
    if r < R:
        return
    dragged_up, step = r > change.old[0], slider.step
    if (dragged_up and R + step <= slider.max) or r - step < slider.min:
        slider.value = (r, R + step)
    else:
        slider.value = (r - step, R)


def _own(values: Mapping[str, Any]) -> bool:
    return bool(values["curve"] == "polygon")


_SHOWN_WHEN = {"radii": lambda values: not _own(values), "corners": _own} | {
    letter.lower() + axis: (lambda values, n=n: _own(values) and values["corners"] > n)
    for n, letter in enumerate(LETTERS)
    for axis in "xy"
}


def _dragged(edited: Mapping[str, Any]) -> dict[str, float]:
    """Return what a dragged corner says to the number fields."""
    values = {}
    for name, value in edited.items():
        found = re.fullmatch(r"shapes\[(\d)\]\.([xy])anchor", name)
        if found:
            limit = WIDEST if found[2] == "x" else HIGHEST
            field = LETTERS[int(found[1])].lower() + found[2]
            values[field] = round(min(max(float(value), -limit), limit), 2)
    return values


def _scene(*, curve: str, corners: int, radii: tuple[float, float], **others: Any) -> Scene:
    """Return the scene for the controls' values."""
    places = [(others.pop(f"{c}x"), others.pop(f"{c}y")) for c in LETTERS.lower()]
    if curve == "polygon":
        return line_integral_scene(corners=tuple(places[:corners]), **others)
    return line_integral_scene(radii, **others)


@lru_cache(maxsize=64)
def line_integral_scene(
    radii: tuple[float, float] = (0.2, 1.0),
    corners: tuple[tuple[float, float], ...] = (),
    loss: str = "p4",
    field: str = "rule",
    laps: int = 1,
    angle: float = 0.0,
) -> Scene:
    """Return the scene of `explore_line_integral` for one choice of its controls.

    Parameters
    ----------
    radii : tuple of float
        ``r`` and ``R`` of the curve of Theorem 2, ``0 < r < R``.
    corners : tuple of (float, float)
        Of a polygon in its place, at most 5, along and across e.
    loss : {"linear", "round", "stretched", "p4", "p6"}
        Of three variables.
    field : {"rule", "control"}
        The rule's field, or the loss's gradient in its place.
    laps : int
        1 or 3.
    angle : float
        By which the curve's plane is turned about its axis, in degrees.

    Returns
    -------
    Scene

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or another word.
    """
    chosen, gradient_at = LOSSES[one_of("loss", loss, tuple(LOSSES))]
    control = one_of("field", field, ("rule", "control")) == "control"
    laps = int(number("laps", laps, lower=1, upper=3))
    within = InPlane(chosen, _plane(chosen, number("angle", angle)))
    loop = _loop(within, radii, corners, control, 96 if laps == 1 else 64)
    if corners:
        window = (-WIDEST, WIDEST, -HIGHEST, HIGHEST)
    else:
        window = (-1.12 * radii[1], 1.12 * radii[1], -0.34 * radii[1], 1.12 * radii[1])
    tour = laps_of(loop, laps)
    background = _background(loss, angle, control, window)
    step = Axis("walk", "walk", np.arange(len(tour.way)), start=len(tour.way) // 3, play=True)
    depth = Axis("depth", "depth N", DEPTHS, start=int(np.argmax(DEPTHS == 3)))
    tracks = [
        Track(CURL, "z", background.curl, ["depth"]),
        *_walk_tracks(tour),
        Track(None, "yaxis2.range", _work_ranges(tour.work), ["depth"]),
        *_bar_tracks(loop.parts),
        *(Track(FIELD, a, background.arrows[..., i], ["depth"]) for i, a in enumerate("xy")),
    ]
    reading = Reading(
        f"{'Work so far' if laps == 1 else 'Height gained'}: {{so_far}}. {{verdict}}",
        {
            "so_far": (tour.work, ["depth", "walk"]),
            "verdict": (_verdicts(loop.integral, gradient_at, laps, control), ["depth"]),
        },
    )
    return Scene(
        line_integral_figure(background.grid, background.arrows.shape[1] // 3, loop, laps),
        [depth, step],
        tracks,
        reading,
        alt=ALT,
        narrow=NARROW,
        board=Board(_boards(loop.integral, "g" if control else "F"), ["depth"]),
    )


def _loop(
    loss: SupportsGradient,
    radii: tuple[float, float],
    corners: tuple[tuple[float, float], ...],
    control: bool,
    stops: int,
) -> Loop:
    """Return one lap of the polygon, if there are corners, or of the curve of Theorem 2."""
    if corners:
        return polygon_loop(loss, corners, control=control, points=stops // len(corners))
    return gamma_loop(loss, radii, control=control, points=stops // 4)


class _Background(NamedTuple):
    """What lies behind the curve: the grid of the curl's colours, these, and the arrows."""

    grid: tuple[Array, Array]
    curl: Array
    arrows: Array


@lru_cache(maxsize=32)
def _background(
    loss: str, angle: float, control: bool, window: tuple[float, float, float, float]
) -> _Background:
    """Return the background, which a corner that is dragged leaves as it is."""
    within = InPlane(LOSSES[loss][0], _plane(LOSSES[loss][0], angle))
    left, right, low, high = window
    grid = np.linspace(left, right, 32), np.linspace(low, high, 22)
    coarse = np.linspace(0.9 * left, 0.9 * right, 13), np.linspace(0.85 * low, 0.9 * high, 8)
    none = np.zeros((len(DEPTHS), 22, 32))
    return _Background(
        grid,
        none if control else curl_colours(within, DEPTHS, *grid),
        arrow_ends(within, DEPTHS, *coarse, control=control),
    )


class InPlane(NamedTuple):
    """A loss of three variables on a plane through 0, which has the same field within it."""

    loss: SupportsGradient
    basis: Array  # (2, 3), orthonormal
    shape: tuple[int, ...] = (2,)

    def value(self, w: ArrayLike) -> Array:
        """Return the loss at points (..., 2)."""
        return self.loss.value(np.asarray(w) @ self.basis)

    def gradient(self, w: ArrayLike) -> Array:
        """Return the gradient's part in the plane, (..., 2)."""
        gradient: Array = self.loss.gradient(np.asarray(w) @ self.basis) @ self.basis.T
        return gradient


def _plane(loss: SupportsGradient, angle: float) -> Array:
    """Return the curve's axis e and the direction its arcs bulge to, (2, 3)."""
    slope = loss.gradient(np.zeros(3))
    e = slope / np.linalg.norm(slope)
    turn = np.radians(angle)
    return np.array([e, [-e[1] * np.cos(turn), e[0] * np.cos(turn), np.sin(turn)]])


def _verdicts(
    integral: LineIntegral, gradient_at: tuple[float, ...], laps: int, control: bool
) -> list[str]:
    """Return for each depth what the lap says, and no more than it says."""
    words = []
    size = np.abs(integral.segments).sum(axis=-1)
    rounding = np.maximum(10 * integral.error_estimate, 1e-13 * size)
    for N, total, limit in zip(DEPTHS, integral.total, rounding, strict=True):
        if abs(total) > limit:
            lap = f"After one lap it is {number_text(float(total))}"
            if laps > 1:
                lap = f"Each lap gains {number_text(float(total))}; after {laps} it is "
                lap += number_text(laps * float(total))
            words.append(f"{lap}: no function has this gradient.")
            continue
        if control:
            why = "this is the gradient of the loss."
        elif N in gradient_at:
            why = "at this depth the field is the gradient of a function."
        else:
            why = "this curve does not tell, but another would, since the curl is not 0."
        words.append(f"After one lap it is 0 to rounding: {why}")
    return words


_LINE = "margin: 0; font-size: 16px; font-variant-numeric: tabular-nums"


def _boards(integral: LineIntegral, name: str) -> list[str]:
    closed = integral.closed_form
    lines = []
    for n, (total, error) in enumerate(zip(integral.total, integral.error_estimate, strict=True)):
        line = f"∮ {name}·dw = <b>{_digits(total)}</b> ± {number_text(float(f'{error:.0e}'))} (quadrature)"
        if closed is not None:
            line += f" = <b>{_digits(closed[n])}</b> (closed form)"
        lines.append(f'<p style="{_LINE}">{line}</p>')
    return lines


def _digits(value: float) -> str:
    return f"{value:.13f}".replace("-", "−") if abs(value) >= 5e-14 else "0.0000000000000"


def _walk_tracks(tour: Loop) -> list[Track]:
    x, y = tour.points.T
    return [
        Track(TRACE, "x", x, ["walk"], trail="step"),
        Track(TRACE, "y", y, ["walk"], trail="step"),
        Track(HERE, "x", x, ["walk"]),
        Track(HERE, "y", y, ["walk"]),
        Track(LAP, "y", tour.work, ["depth"]),
        Track(WORK, "x", tour.way, ["walk"], trail="step"),
        Track(WORK, "y", tour.work, ["depth", "walk"], trail="step"),
        Track(NOW, "x", tour.way, ["walk"]),
        Track(NOW, "y", tour.work, ["depth", "walk"]),
    ]


def _work_ranges(work: Array) -> Array:
    """Return the height of the work's panel for each depth, (depth, 2)."""
    return _with_room(work.min(axis=1), work.max(axis=1), 0.1, 0.1)


def _with_room(low: Array, high: Array, below: float, above: float) -> Array:
    height = np.maximum(high - low, 1e-9)
    ranges: Array = np.stack([low - below * height, high + above * height], axis=1)
    return ranges


def _bar_tracks(parts: Array) -> list[Track]:
    total = parts.sum(axis=0)
    above, under = (f(parts, 0).sum(axis=0) for f in (np.maximum, np.minimum))
    words = [
        [number_text(float(f"{value:.3g}")) if abs(value) > 1e-13 else "0" for value in row]
        for row in total
    ]
    return [
        Track(ADAPTIVE, "y", parts[0], ["depth"]),
        Track(PROJECTION, "y", parts[1], ["depth"]),
        Track(SUM, "y", above, ["depth"]),
        Track(SUM, "text", words, ["depth"]),
        Track(None, "yaxis3.range", _with_room(under.min(1), above.max(1), 0.1, 0.25), ["depth"]),
    ]
