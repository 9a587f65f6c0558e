"""The talk's "Beyond regularization", set in motion: `explore_line_integral`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, number, one_of
from overparam_edu.dynamics.closed_curves import gamma
from overparam_edu.dynamics.end_to_end import split_direction
from overparam_edu.dynamics.line_integral import LineIntegral, line_integral, walk
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
_NODES, _WEIGHTS = (array / 2 for array in np.polynomial.legendre.leggauss(60))


def explore_line_integral() -> Explorer:
    r"""Return the proof of "no regularizer" as a widget: work round a closed curve.

    On the left the rule's field :math:`F_N` over its curl, and the curve :math:`\Gamma_{r,R}`
    of Theorem 2, walked round by a point, in a plane of :math:`\mathbb{R}^3` that contains
    :math:`e = g(0)/\|g(0)\|`. On the right the work done so far, and the work on each of the
    curve's four pieces, split into adaptive rate (blue) and projection (green). A gradient's work
    would come back to 0. Below, quadrature beside the closed form (talk, "Beyond regularization";
    paper, section 6 and proof of Theorem 2).

    Depth and the walk move in the browser. The loss, the radii, the plane, the control field and
    the number of laps ask Python.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_line_integral()
    >>> explorer.set(field="control")
    """
    words = {"style": {"description_width": "initial"}}
    controls: dict[str, widgets.Widget] = {
        "loss": widgets.Dropdown(options=LOSS_NAMES, value="p4", description="loss", **words),
        "field": widgets.ToggleButtons(
            options=[("the rule F", "rule"), ("control: the gradient g", "control")],
            description="field",
            **words,
        ),
        "laps": widgets.ToggleButtons(options=[1, 3], description="laps", **words),
        "radii": widgets.FloatRangeSlider(
            value=(0.2, 1.0), min=0.05, max=1.5, step=0.05, description="radii r, R", **words
        ),
        "angle": widgets.IntSlider(0, 0, 180, 15, description="plane turned by °", **words),
    }
    controls["loss"].layout.width = "230px"
    for name in ("field", "laps"):
        controls[name].style.button_width = controls[name].layout.width = "auto"
    return Explorer(line_integral_scene, controls)


@lru_cache(maxsize=64)
def line_integral_scene(
    loss: str = "p4",
    field: str = "rule",
    laps: int = 1,
    radii: tuple[float, float] = (0.2, 1.0),
    angle: float = 0.0,
) -> Scene:
    """Return the scene of `explore_line_integral` for one choice of its controls.

    Parameters
    ----------
    loss : {"linear", "round", "stretched", "p4", "p6"}
        Of three variables.
    field : {"rule", "control"}
        The rule's field, or the loss's gradient in its place.
    laps : int
        1 or 3.
    radii : tuple of float
        ``r`` and ``R``, ``0 < r < R``.
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
    plane = _plane(chosen, number("angle", angle))
    r, R = radii
    integral = line_integral(chosen, DEPTHS, r, R, plane=plane, control=control)
    once = walk(chosen, DEPTHS, r, R, points=24 if laps == 1 else 16, plane=plane, control=control)
    tour = _tour(once.points @ plane.T, once.arclength, once.work, laps)
    within = InPlane(chosen, plane)
    parts = _parts(within, r, R, control)
    step = Axis("walk", "walk", np.arange(len(tour.way)), start=len(tour.way) // 3, play=True)
    depth = Axis("depth", "depth N", DEPTHS, start=int(np.argmax(DEPTHS == 3)))
    grid = np.linspace(-1.12 * R, 1.12 * R, 32), np.linspace(-0.34 * R, 1.12 * R, 22)
    coarse = np.linspace(-R, R, 13), np.linspace(-0.2 * R, R, 8)
    z = np.zeros((len(DEPTHS), 22, 32)) if control else curl_colours(within, DEPTHS, *grid)
    arrows = arrow_ends(within, DEPTHS, *coarse, control=control)
    tracks = [
        Track(CURL, "z", z, ["depth"]),
        *_walk_tracks(tour),
        Track(None, "yaxis2.range", _work_ranges(tour.work), ["depth"]),
        *_bar_tracks(parts),
        *(Track(FIELD, a, arrows[..., i], ["depth"]) for i, a in enumerate("xy")),
    ]
    reading = Reading(
        "Work so far: {so_far}. {verdict}",
        {
            "so_far": (tour.work, ["depth", "walk"]),
            "verdict": (_verdicts(integral, gradient_at, laps, control), ["depth"]),
        },
    )
    return Scene(
        line_integral_figure(grid, arrows.shape[1] // 3, radii, tour.way, parts),
        [depth, step],
        tracks,
        reading,
        alt=ALT,
        narrow=NARROW,
        board=Board(_boards(integral, "g" if control else "F"), ["depth"]),
    )


class InPlane(NamedTuple):
    """A loss of three variables on a plane through 0, which has the same field within it."""

    loss: SupportsGradient
    basis: Array  # (2, 3), orthonormal
    shape: tuple[int, ...] = (2,)

    def value(self, w: ArrayLike) -> Array:
        return self.loss.value(np.asarray(w) @ self.basis)

    def gradient(self, w: ArrayLike) -> Array:
        gradient: Array = self.loss.gradient(np.asarray(w) @ self.basis) @ self.basis.T
        return gradient


def _plane(loss: SupportsGradient, angle: float) -> Array:
    """Return the curve's axis e and the direction its arcs bulge to, (2, 3)."""
    slope = loss.gradient(np.zeros(3))
    e = slope / np.linalg.norm(slope)
    turn = np.radians(angle)
    return np.array([e, [-e[1] * np.cos(turn), e[0] * np.cos(turn), np.sin(turn)]])


class _Tour(NamedTuple):
    """A walk of one or more laps: where, how far in laps, and the work so far for each depth."""

    points: Array
    way: Array
    work: Array  # (depth, stop)


def _tour(points: Array, arclength: Array, work: Array, laps: int) -> _Tour:
    once = arclength / arclength[-1]
    # What is 0 to rounding shall be 0 on the screen too.
    work = np.where(np.abs(work) > 1e-12 * np.abs(work).max(), work, 0.0)
    ways = [once[:1], *(once[1:] + lap for lap in range(laps))]
    works = [work[:, :1], *(work[:, 1:] + lap * work[:, -1:] for lap in range(laps))]
    places = [points[:1], *([points[1:]] * laps)]
    return _Tour(np.concatenate(places), np.concatenate(ways), np.concatenate(works, axis=1))


def _parts(loss: SupportsGradient, r: float, R: float, control: bool) -> Array:
    """Return the two parts of the field's work on the four pieces and in all, (2, depth, 5)."""
    e, across = np.eye(2)
    N = np.ones_like(DEPTHS) if control else DEPTHS
    done = []
    for piece in gamma(e, across, np.asarray(r), np.asarray(R)):
        w, v, _ = piece(_NODES + 0.5)
        parts = split_direction(w, loss.gradient(w), N[:, None])
        done.append([(part * v).sum(axis=-1) @ _WEIGHTS for part in parts])
    pieces = np.moveaxis(np.array(done), 0, -1)
    return np.concatenate([pieces, pieces.sum(axis=-1, keepdims=True)], axis=-1)


def _verdicts(
    integral: LineIntegral, gradient_at: tuple[float, ...], laps: int, control: bool
) -> list[str]:
    """Return for each depth what the lap says, and no more than it says."""
    words = []
    size = np.abs(integral.segments).sum(axis=-1)
    rounding = np.maximum(10 * integral.error_estimate, 1e-13 * size)
    for N, total, limit in zip(DEPTHS, integral.total, rounding, strict=True):
        if abs(total) > limit:
            more = f", after {laps} it is {shown(laps * float(total))}" if laps > 1 else ""
            words.append(
                f"After one lap it is {shown(float(total))}{more}: no function has this gradient."
            )
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
    assert integral.closed_form is not None
    rows = zip(integral.total, integral.closed_form, integral.error_estimate, strict=True)
    return [
        f'<p style="{_LINE}">∮ {name}·dw = <b>{_digits(total)}</b> ± {shown(float(f"{error:.0e}"))} '
        f"(quadrature) = <b>{_digits(closed)}</b> (closed form)</p>"
        for total, closed, error in rows
    ]


def _digits(value: float) -> str:
    return f"{value:.13f}".replace("-", "−") if abs(value) >= 5e-14 else "0.0000000000000"


def _walk_tracks(tour: _Tour) -> list[Track]:
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
    low, high = work.min(axis=1), work.max(axis=1)
    room = 0.1 * (high - low)
    ranges: Array = np.stack([low - room, high + room], axis=1)
    return ranges


def _bar_tracks(parts: Array) -> list[Track]:
    total = parts.sum(axis=0)
    above = np.maximum(parts, 0).sum(axis=0)
    words = [
        [shown(float(f"{value:.3g}")) if abs(value) > 1e-13 else "0" for value in row]
        for row in total
    ]
    return [
        Track(ADAPTIVE, "y", parts[0], ["depth"]),
        Track(PROJECTION, "y", parts[1], ["depth"]),
        Track(SUM, "y", above, ["depth"]),
        Track(SUM, "text", words, ["depth"]),
    ]
