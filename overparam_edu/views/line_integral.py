"""The talk's "Beyond regularization", set in motion: `explore_line_integral`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, number, one_of
from overparam_edu.dynamics.line_integral import LineIntegral
from overparam_edu.dynamics.losses import LinearLoss, QuadraticLoss, SeparableLp, SupportsGradient
from overparam_edu.views.explorer import Explorer
from overparam_edu.views.frames import shown
from overparam_edu.views.line_integral_figure import (
    ADAPTIVE,
    ALT,
    CURL,
    FIELD,
    HERE,
    LAP,
    NARROW,
    NOW,
    PROJECTION,
    SUM,
    TRACE,
    WORK,
    line_integral_figure,
)
from overparam_edu.views.loops import (
    HIGHEST,
    LETTERS,
    WIDEST,
    Loop,
    gamma_loop,
    laps_of,
    polygon_loop,
)
from overparam_edu.views.scene import Axis, Board, Reading, Scene, Track
from overparam_edu.views.vector_field import DEPTHS, arrow_ends, curl_colours

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
            lap = f"After one lap it is {shown(float(total))}"
            if laps > 1:
                lap = f"Each lap gains {shown(float(total))}; after {laps} it is "
                lap += shown(laps * float(total))
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
        line = (
            f"∮ {name}·dw = <b>{_digits(total)}</b> ± {shown(float(f'{error:.0e}'))} (quadrature)"
        )
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
        [shown(float(f"{value:.3g}")) if abs(value) > 1e-13 else "0" for value in row]
        for row in total
    ]
    return [
        Track(ADAPTIVE, "y", parts[0], ["depth"]),
        Track(PROJECTION, "y", parts[1], ["depth"]),
        Track(SUM, "y", above, ["depth"]),
        Track(SUM, "text", words, ["depth"]),
        Track(None, "yaxis3.range", _with_room(under.min(1), above.max(1), 0.1, 0.25), ["depth"]),
    ]
