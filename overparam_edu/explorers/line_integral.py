"""The talk's "Beyond regularization", set in motion: `explore_line_integral`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, number, one_of
from overparam_edu.dynamics.loops import LineIntegral, gamma, line_integral, polygon, walk, work
from overparam_edu.dynamics.losses import LinearLoss, QuadraticLoss, SeparableLp, SupportsGradient
from overparam_edu.dynamics.rule import split_direction
from overparam_edu.explorers import plots
from overparam_edu.player.explorer import Explorer
from overparam_edu.player.frames import number_text
from overparam_edu.player.scene import Axis, Board, Handle, Reading, Scene, Track
from overparam_edu.player.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PLUS,
    TEMPLATE,
    curve,
    dot,
    heading,
    key,
    stacked,
)

# Depths that have a stop: close together where most happens.
DEPTHS = np.concatenate([np.arange(1, 4, 0.25), np.arange(4, 8.5, 0.5)])
# In three variables, so that there are planes to choose from; the plane at angle 0 is that of the
# talk's illustration. Each with the depths at which the field is a gradient after all.
_MINIMUM = (1.0, 0.5, 0.0)
LOSSES: dict[str, tuple[SupportsGradient, tuple[float, ...], str]] = {
    "linear": (LinearLoss([-0.8, -0.6, 0.0]), (1.0, 2.0), "linear"),
    "round": (SeparableLp(_MINIMUM, p=2), (1.0, 2.0), "quadratic, round (ℓ₂)"),
    "stretched": (
        QuadraticLoss(np.diag([1.0, 3.0, 2.0]), _MINIMUM),
        (1.0,),
        "quadratic, stretched",
    ),
    "p4": (SeparableLp(_MINIMUM, p=4), (1.0,), "ℓ₄"),
    "p6": (SeparableLp(_MINIMUM, p=6), (1.0,), "ℓ₆"),
}
# Where one's own polygon begins; as many of its corners as are asked for.
CORNERS = ((0.3, -0.5), (1.1, -0.3), (1.0, 0.6), (0.1, 0.7), (-0.7, 0.2))
_LETTERS = "ABCDE"
# A corner may be this far from 0, along e and across it.
_WIDEST, _HIGHEST = 1.4, 0.9


def explore_line_integral() -> Explorer:
    r"""Return the proof of "no regularizer" as a widget: work round a closed curve.

    On the left the rule's field :math:`F_N` over its curl, and the curve :math:`\Gamma_{r,R}`
    of Theorem 2, walked round by a point, in a plane of :math:`\mathbb{R}^3` that contains
    :math:`e = g(0)/\|g(0)\|`; or a polygon of one's own, whose corners can be dragged or typed.
    On the right the work done so far, and the work on each of the curve's pieces, split into
    adaptive rate (blue) and projection (green). A gradient's work would come back to 0; walked
    for several laps, the field's climbs like a perpetual motion machine. Lifted into space, with
    the work so far as height above the plane, it is a staircase that never closes, where the walk
    of a gradient is a ring that does. Below, quadrature beside the closed form (talk, "Beyond
    regularization"; paper, section 6 and proof of Theorem 2).

    Depth, the walk and the view move in the browser. The loss, the curve, the plane, the control
    field and the number of laps ask Python.

    Returns
    -------
    Explorer
    """
    names = [(label, name) for name, (_, _, label) in LOSSES.items()]
    controls: dict[str, widgets.Widget] = {
        "loss": widgets.Dropdown(options=names, value="p4", description="loss"),
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
    controls["radii"].observe(_keep_apart, "value")
    shown_when: dict[str, Callable[[dict[str, Any]], bool]] = {
        "radii": lambda values: values["curve"] == "gamma",
        "corners": partial(_has_corner, 0),
    }
    for n, (letter, place) in enumerate(zip(_LETTERS, CORNERS, strict=True)):
        for axis, value in zip("xy", place, strict=True):
            field = widgets.FloatText(value, step=0.05, description=f"{letter} {axis}")
            field.layout.width = "90px"
            controls[letter.lower() + axis] = field
            shown_when[letter.lower() + axis] = partial(_has_corner, n)
    return Explorer(_scene, controls, shown_when=shown_when)


def _has_corner(n: int, values: Mapping[str, Any]) -> bool:
    return bool(values["curve"] == "polygon" and values["corners"] > n)


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


def _scene(*, curve: str, corners: int, radii: tuple[float, float], **others: Any) -> Scene:
    places = [(others.pop(f"{c}x"), others.pop(f"{c}y")) for c in _LETTERS.lower()]
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
    """Return the scene of `explore_line_integral`; corners, along and across e, make a polygon."""
    one_of("loss", loss, tuple(LOSSES))
    control = one_of("field", field, ("rule", "control")) == "control"
    laps = int(number("laps", laps, lower=1, upper=3))
    plane = in_plane(LOSSES[loss][0], number("angle", angle))
    stops = 96 if laps == 1 else 80
    if corners:
        loop = _polygon_loop(plane, corners, control=control, stops=stops // len(corners))
        window = (-_WIDEST, _WIDEST, -_HIGHEST, _HIGHEST)
    else:
        loop, R = _gamma_loop(plane, radii, control=control, stops=stops // 4), radii[1]
        window = (-1.12 * R, 1.12 * R, -0.34 * R, 1.12 * R)
    points, way, so_far = _walked(loop, laps)
    grid, curl, arrows = _background(loss, angle, control, window)
    parts = np.concatenate([loop.parts, loop.parts.sum(axis=-1, keepdims=True)], axis=-1)
    low, high = (cut(parts, 0).sum(axis=0) for cut in (np.minimum, np.maximum))
    amounts = [
        [_short(amount) if abs(amount) > 1e-13 else "0" for amount in row]
        for row in parts.sum(axis=0)
    ]
    tracks = [
        Track("curl", "z", curl, ["depth"]),
        *plots.point_tracks("field", arrows, ["depth"]),
        *plots.line_tracks("walk", points[:, 0], points[:, 1], ["walk"]),
        *plots.point_tracks("here", points, ["walk"]),
        Track("lap", "y", so_far, ["depth"]),
        *plots.line_tracks("work", way, so_far, ["depth", "walk"]),
        Track("now", "x", way, ["walk"]),
        Track("now", "y", so_far, ["depth", "walk"]),
        Track(None, "yaxis2.range", _with_room(so_far.min(1), so_far.max(1), 0.1), ["depth"]),
        Track("adaptive rate", "y", parts[0], ["depth"]),
        Track("projection", "y", parts[1], ["depth"]),
        Track("sum", "y", high, ["depth"]),
        Track("sum", "text", amounts, ["depth"]),
        Track(None, "yaxis3.range", _with_room(low.min(1), high.max(1), 0.45), ["depth"]),
    ]
    figure = _figure(loop, points, way, laps, grid, arrows.shape[1] // 3)
    tracks += _lifted(figure, points, so_far)
    verdicts = _verdicts(loop.integral, LOSSES[loss][1], laps, control)
    reading = Reading(
        f"{'Work so far' if laps == 1 else 'Height gained'}: {{so_far}}. {{verdict}}",
        {"so_far": (so_far, ["depth", "walk"]), "verdict": (verdicts, ["depth"])},
    )
    return Scene(
        figure,
        [
            Axis("depth", "depth N", DEPTHS, start=int(np.argmax(DEPTHS == 3))),
            Axis("walk", "walk", np.arange(len(way)), start=len(way) // 3, play=True),
            Axis("view", "view", VIEWS, webgl=VIEWS[1]),
        ],
        tracks,
        reading,
        alt="Left: the field's arrows over its curl in colours, and the closed curve with a point "
        "that walks round it; or the walk in space, lifted by the work done so far. Right: the "
        "work done so far along the way, and below it the work on each of the curve's pieces, "
        "split into adaptive rate and projection.",
        narrow=stacked(540, (0.62, 1), (0.33, 0.48), (0, 0.17))
        | {"scene.domain.x": [0, 1], "scene.domain.y": [0.6, 1], "scene.camera": _FAR}
        | {f"scene.{side}axis.{font}.size": 12 for side in "xyz" for font in _FONTS},
        board=Board(_in_digits(loop.integral, "g" if control else "F"), ["depth"], folded=_DIGITS),
        handles=[
            Handle(
                f"corner {letter}",
                f"corner {letter}",
                (f"{letter.lower()}x", f"{letter.lower()}y"),
                ((-_WIDEST, _WIDEST), (-_HIGHEST, _HIGHEST)),
                (0.01, 0.01),
                ghost=["curve"],
            )
            for letter in _LETTERS[: len(corners)]
        ],
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


def in_plane(loss: SupportsGradient, angle: float) -> InPlane:
    """Return the loss on the plane of the curve's axis e, turned about it by degrees."""
    slope = loss.gradient(np.zeros(3))
    e, turn = slope / np.linalg.norm(slope), np.radians(angle)
    across = [-e[1] * np.cos(turn), e[0] * np.cos(turn), np.sin(turn)]
    return InPlane(loss, np.array([e, across]))


# --- the loop ---

# Gauss and Legendre's, on [0, 1].
_NODES, _WEIGHTS = (array / 2 for array in np.polynomial.legendre.leggauss(60))
_NODES = _NODES + 0.5


class Loop(NamedTuple):
    """A closed curve in the plane of the picture, and the work on it at each of `DEPTHS`."""

    points: Array  # (stops, 2); the last is the first again
    way: Array  # (stops,): how far one has come, in laps
    work: Array  # (depths, stops): done so far
    integral: LineIntegral  # of the whole curve
    parts: Array  # (2, depths, pieces): the work of adaptive rate and projection on each piece
    names: tuple[str, ...]  # of the pieces
    labels: tuple[tuple[float, float, int], ...] = ()  # a point and pixels above it, for each name
    corners: tuple[tuple[float, float], ...] = ()  # what can be dragged


def _gamma_loop(loss: InPlane, radii: tuple[float, float], *, control: bool, stops: int) -> Loop:
    """Return the curve of Theorem 2 in coordinates along and across e, with stops on each piece."""
    r, R = radii
    integral = line_integral(loss, DEPTHS, r, R, control=control)
    lap = walk(loss, DEPTHS, r, R, points=stops, control=control)
    e, across = np.eye(2)
    pieces = [piece(_NODES)[:2] for piece in gamma(e, across, np.array(r), np.array(R))]
    w, v = (np.stack(both) for both in zip(*pieces, strict=True))
    return Loop(
        lap.points,
        lap.arclength / lap.arclength[-1],
        lap.work,
        integral,
        _split(loss, w, v, control),
        ("①", "②", "③", "④"),
        labels=((-(r + R) / 2, 0, -16), (0, r, 16), ((r + R) / 2, 0, -16), (0, R, -16)),
    )


def _polygon_loop(
    loss: InPlane, corners: Sequence[tuple[float, float]], *, control: bool, stops: int
) -> Loop:
    """Return the loop of a polygon, with stops on each edge."""
    for letter, (x, y) in zip(_LETTERS, corners, strict=False):
        if not (abs(x) <= _WIDEST and abs(y) <= _HIGHEST):
            limits = f"in [-{_WIDEST}, {_WIDEST}] and [-{_HIGHEST}, {_HIGHEST}]"
            raise ValueError(f"corner {letter} must be {limits}; got ({x:g}, {y:g})")
    ends = np.array(corners, float)
    steps = np.roll(ends, -1, axis=0) - ends
    lengths = np.linalg.norm(steps, axis=1)
    if not lengths.any():
        raise ValueError(f"corners must not all be in one place; got {corners[0]}")
    count = len(ends)
    along = np.arange(stops)[:, None] / stops
    points = (ends[:, None] + along * steps[:, None]).reshape(-1, 2)
    gained = work(loss, DEPTHS, points, control=control).segments
    w, v, _ = polygon(ends, 2)[0](_NODES)  # (edges, halves, nodes, 2)
    halves = _split(loss, w.reshape(2 * count, -1, 2), v.reshape(2 * count, -1, 2), control)
    return Loop(
        np.concatenate([points, points[:1]]),
        np.concatenate([[0], np.repeat(lengths / stops, stops).cumsum()]) / lengths.sum(),
        np.concatenate([np.zeros((len(DEPTHS), 1)), gained.cumsum(axis=1)], axis=1),
        work(loss, DEPTHS, ends, control=control),
        halves.reshape(2, len(DEPTHS), count, 2).sum(axis=-1),
        tuple(_LETTERS[i] + _LETTERS[(i + 1) % count] for i in range(count)),
        corners=tuple((float(x), float(y)) for x, y in corners),
    )


def _split(loss: InPlane, w: Array, v: Array, control: bool) -> Array:
    """Return the work of both parts of the field on pieces given at the nodes (pieces, n, 2)."""
    N = np.ones_like(DEPTHS) if control else DEPTHS
    parts = split_direction(w, loss.gradient(w), N[:, None, None])
    return np.stack([(part * v).sum(axis=-1) @ _WEIGHTS for part in parts])


def _walked(loop: Loop, laps: int) -> tuple[Array, Array, Array]:
    """Return points, way and work of several laps."""
    # On the screen too, what is 0 up to rounding is 0.
    work = np.where(np.abs(loop.work) > 1e-12 * np.abs(loop.work).max(), loop.work, 0.0)
    points = [loop.points[:1], *([loop.points[1:]] * laps)]
    way = [loop.way[:1], *(loop.way[1:] + lap for lap in range(laps))]
    done = [work[:, :1], *(work[:, 1:] + lap * work[:, -1:] for lap in range(laps))]
    return np.concatenate(points), np.concatenate(way), np.concatenate(done, axis=1)


@lru_cache(maxsize=32)
def _background(
    loss: str, angle: float, control: bool, window: tuple[float, float, float, float]
) -> tuple[tuple[Array, Array], Array, Array]:
    """Return the grid, the curl's colours on it and the arrows: what a dragged corner leaves."""
    plane = in_plane(LOSSES[loss][0], angle)
    left, right, low, high = window
    grid = np.linspace(left, right, 32), np.linspace(low, high, 22)
    coarse = np.linspace(0.9 * left, 0.9 * right, 13), np.linspace(0.85 * low, 0.9 * high, 8)
    colours = np.zeros((len(DEPTHS), 22, 32))
    if not control:
        # As fine as a screen's colours, which travel at a quarter of the bytes.
        colours = np.round(128 * plots.curl_colours(plane, DEPTHS, *grid)) / 128
    return grid, colours, plots.arrow_ends(plane, DEPTHS, *coarse, control=control)


# --- words and picture ---

VIEWS = ("flat", "in space")
_NEAR = {"eye": {"x": 1.0, "y": -2.0, "z": 1.0}, "center": {"z": -0.15}}
_FAR = {"eye": {"x": 1.35, "y": -2.7, "z": 1.35}, "center": {"z": -0.25}}  # a narrow picture
_FONTS = ("title.font", "tickfont")
_DIGITS = "the lap’s work in all its digits"
_PARTS_KEY = key(("■", "adaptive rate", BLUE), ("▨", "projection", GREEN))


def _verdicts(
    integral: LineIntegral, gradient_at: tuple[float, ...], laps: int, control: bool
) -> list[str]:
    """Return for each depth what the lap proves, and no more than it does."""
    sentences = []
    size = np.abs(integral.segments).sum(axis=-1)
    rounding = np.maximum(10 * integral.error_estimate, 1e-13 * size)
    for N, total, limit in zip(DEPTHS, integral.total, rounding, strict=True):
        if abs(total) > limit:
            lap = f"After one lap it is {number_text(float(total))}"
            if laps > 1:
                lap = f"Each lap gains {number_text(float(total))}; after {laps} it is "
                lap += number_text(laps * float(total))
            sentences.append(f"{lap}: no function has this gradient.")
            continue
        if control:
            why = "this is the gradient of the loss."
        elif N in gradient_at:
            why = "at this depth the field is the gradient of a function."
        else:
            why = "this curve does not tell, but another would, since the curl is not 0."
        sentences.append(f"After one lap it is 0 up to rounding: {why}")
    return sentences


def _in_digits(integral: LineIntegral, field: str) -> list[str]:
    """Return for each depth the quadrature, in all its digits, beside the closed form."""

    def digits(value: float) -> str:
        text = f"{value:.13f}".replace("-", "−") if abs(value) >= 5e-14 else "0.0000000000000"
        return f"<b>{text}</b>"

    style, lines = "margin: 0; font-size: 16px; font-variant-numeric: tabular-nums", []
    for n, (total, error) in enumerate(zip(integral.total, integral.error_estimate, strict=True)):
        about = number_text(float(f"{error:.0e}"))
        line = f"∮ {field}·dw = {digits(total)} ± {about} (quadrature)"
        if integral.closed_form is not None:
            line += f" = {digits(integral.closed_form[n])} (closed form)"
        lines.append(f'<p style="{style}">{line}</p>')
    return lines


def _in_space(
    name: str, colour: str, size: float, dash: str = "solid", *, mode: str = "lines", **more: Any
) -> go.Scatter3d:
    """Return a line, or a dot, in space under a name."""
    line = {"color": colour, "width": size, "dash": dash}
    marker = {"color": colour, "size": size}
    look = {"marker": marker} if mode == "markers" else {"line": line}
    return go.Scatter3d(uid=name, mode=mode, **look, **more)


def _short(amount: float) -> str:
    """Return an amount so that five of them stand side by side on a phone."""
    return number_text(float(f"{amount:.3g}" if abs(amount) >= 1 else f"{amount:.2g}"))


def _with_room(low: Array, high: Array, above: float, below: float = 0.1) -> Array:
    """Return the range of an axis, (2,), or for each depth, (depths, 2)."""
    height = np.maximum(high - low, 1e-9)
    ranges: Array = np.stack([low - below * height, high + above * height], axis=-1)
    return ranges


def _lifted(figure: go.Figure, points: Array, so_far: Array) -> list[Track]:
    """Return what lifts the walk into space, and what is seen of the figure in which view."""
    x, y = points.T
    ends = np.stack([so_far[:, 0], so_far[:, -1]], -1)
    tracks = [
        Track("staircase", "z", so_far, ["depth"]),
        Track("gained", "z", ends, ["depth"]),
        *plots.line_tracks("climb", x, y, ["walk"]),
        Track("climb", "z", so_far, ["depth", "walk"], trail="step"),
        *plots.point_tracks("foot", points, ["walk"]),
        *plots.point_tracks("top", points, ["walk"]),
        Track("top", "z", so_far[..., None], ["depth", "walk"]),
    ]
    heights = _with_room(so_far.min(1), so_far.max(1), 0.1, below=0.2)
    tracks.append(Track(None, "scene.zaxis.range", heights, ["depth"]))
    flat = [one.uid for one in figure.data if one.type != "scatter3d" and one.xaxis in (None, "x")]
    space = [one.uid for one in figure.data if one.type == "scatter3d"]
    written = enumerate(figure.layout.annotations)
    words = [f"annotations[{n}].visible" for n, one in written if one.xref in (None, "x domain")]
    seen = np.array([True, False])
    tracks += [Track(uid, "visible", seen, ["view"]) for uid in flat]
    tracks += [Track(uid, "visible", ~seen, ["view"]) for uid in space]
    tracks += [
        Track(None, name, seen, ["view"]) for name in [*words, "xaxis.visible", "yaxis.visible"]
    ]
    return tracks


def _figure(
    loop: Loop, points: Array, way: Array, laps: int, grid: tuple[Array, Array], arrows: int
) -> go.Figure:
    """Return the figure with the curve, empty traces for what moves, and fixed axes."""
    x, y = loop.points.T
    right: dict[str, Any] = {"xaxis": "x2", "yaxis": "y2"}
    below = {"x": [*loop.names, "lap"], "xaxis": "x3", "yaxis": "y3"}
    stripes = {"shape": "/", "fillmode": "overlay", "fgcolor": "white", "solidity": 0.25}
    look = {"textposition": "top center", "textfont": {"size": 16}}
    point = dot("here", PLUS, size=17).update(marker_line_color=BLACK)
    figure = go.Figure(
        [
            plots.curl_trace(*grid),
            plots.arrow_trace(arrows),
            curve("curve", BLACK, "dash", 3, x=x, y=y),
            curve("walk", PLUS, width=5),
            point,
            curve("lap", BLACK, "dash", 2, x=way, **right),
            curve("work", PLUS, width=5, **right),
            go.Scatter(point).update(uid="now", cliponaxis=False, **right),
            go.Bar(uid="adaptive rate", marker={"color": BLUE}, **below),
            go.Bar(uid="projection", marker={"color": GREEN, "pattern": stripes}, **below),
            go.Scatter(uid="sum", mode="text", **look, **below),
            _in_space("ground", BLACK, 4, "dash", x=x, y=y, z=0 * x),
            _in_space("staircase", PLUS, 2, x=points[:, 0], y=points[:, 1]),
            _in_space("gained", BLACK, 4, x=x[[0, 0]], y=y[[0, 0]]),
            _in_space("climb", PLUS, 10),
            _in_space("foot", BLACK, 6, mode="markers", z=[0]),
            _in_space("top", PLUS, 9, mode="markers"),
        ]
    )
    figure.update_traces(hoverinfo="skip")
    done = "work so far" if laps == 1 else "height gained"
    titles = [{"text": text, "standoff": 8} for text in ("along e", "across e", done, "work")]
    spans = [[float(side[0]), float(side[-1])] for side in grid]
    # A dotted line where each piece ends, or each lap.
    stops = (len(loop.way) - 1) // len(loop.names)
    ends, words = loop.way[stops::stops], [*[""] * (len(loop.names) - 1), "1 lap"]
    middles = (np.concatenate([[0.0], ends[:-1]]) + ends) / 2
    if laps > 1:
        ends, words = np.linspace(1, laps, laps), [*map(str, range(1, laps)), f"{laps} laps"]
    figure.update_layout(
        template=TEMPLATE,
        height=400,
        font_size=16,
        showlegend=False,
        margin={"l": 64, "t": 36, "b": 56, "r": 30},
        barmode="relative",
        bargap=0.35,
        xaxis={"domain": [0, 0.53], "range": spans[0], "title": titles[0]},
        yaxis={"range": spans[1], "title": titles[1], "scaleanchor": "x", "constrain": "domain"},
        xaxis2={"domain": [0.62, 1], "anchor": "y2", "range": [0, 1.001 * laps]},
        yaxis2={"domain": [0.58, 1], "anchor": "x2", "title": titles[2], "nticks": 5},
        xaxis3={"domain": [0.62, 1], "anchor": "y3"},
        yaxis3={"domain": [0, 0.38], "anchor": "x3", "title": titles[3], "nticks": 5},
    )
    figure.update_layout(
        scene={"domain": {"x": [0, 0.56], "y": [0, 1]}, "camera": _NEAR, "aspectmode": "manual"},
        scene_aspectratio={"x": 1.5, "y": 1.1, "z": 1.1},
    )
    for side, title, span in zip("xyz", titles, (x, y, way), strict=False):
        figure.layout.scene[f"{side}axis"].update(
            title={"text": title["text"], "font": {"size": 16}},
            tickfont={"size": 16},
            nticks=4,
            range=_with_room(np.min(span), np.max(span), 0.1),
        )
    dotted = {"showgrid": True, "gridcolor": GREY, "griddash": "dot", "ticklen": 0}
    figure.update_layout(xaxis2={"tickvals": ends, "ticktext": words, **dotted})
    heading(figure, plots.CURL_KEY)
    heading(figure, _PARTS_KEY, panel=3)
    for name, (x, y, up) in zip(loop.names, loop.labels, strict=False):
        place = {"x": x, "y": y, "yshift": up, "bgcolor": "rgba(255,255,255,0.6)"}
        figure.add_annotation(text=f"<b>{name}</b>", font_size=20, showarrow=False, **place)
    for name, x in zip(loop.names, middles, strict=True) if laps == 1 else ():
        look = {"xref": "x2", "xanchor": "center", "font": {"size": 17}}
        heading(figure, f"<b>{name}</b>", panel=2, x=x, **look)
    for letter, (x, y) in zip(_LETTERS, loop.corners, strict=False):
        disc = dot(f"corner {letter}", "rgba(255,255,255,0.6)", size=30, x=[x], y=[y])
        disc.update(mode="markers+text", text=f"<b>{letter}</b>", textfont={"size": 16})
        figure.add_trace(disc.update(marker_line_color=BLACK, cliponaxis=False))
    return figure
