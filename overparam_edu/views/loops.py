"""Closed curves for `explore_line_integral`: Theorem 2's and one's own, with the work on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overparam_edu._validation import Array
from overparam_edu.dynamics.closed_curves import gamma, polygon
from overparam_edu.dynamics.end_to_end import split_direction
from overparam_edu.dynamics.line_integral import LineIntegral, line_integral, walk, work
from overparam_edu.dynamics.losses import SupportsGradient
from overparam_edu.views.vector_field import DEPTHS

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
