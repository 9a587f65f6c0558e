"""Closed curves in smooth pieces, and Gauss-Legendre integrals along them.

A piece maps parameters (n,) in [0, 1] to points and velocities, (..., n, d), and to the points'
lengths, (..., n) or what broadcasts to that; its leading axes are pieces side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, _shown, finite_array, number
from overparam_edu.dynamics.descent import parameter_shape
from overparam_edu.dynamics.losses import SupportsGradient, unchecked

_EPS, _TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny
# Gauss-Legendre orders: where doubling begins, and where it gives up.
_FIRST, _LAST = 20, 640
# A curve given as a function is cut into so many panels between breaks.
_PANELS = 8

Piece = Callable[[Array], tuple[Array, Array, Array]]
# Nodes and weights (n,) to integrals and bounds on their size, (...).
Integrand = Callable[[Array, Array], tuple[Array, Array]]


def loop_axes(
    loss: SupportsGradient, axis: ArrayLike | None = None, plane: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Return the two unit directions (d,) of the plane in which `line_integral` walks.

    Parameters
    ----------
    loss : Loss
        Of a vector (d,), d at least 2.
    axis, plane : array_like, optional
        See `line_integral`.

    Returns
    -------
    axis, across : ndarray, shape (d,)
        Orthonormal.

    Raises
    ------
    TypeError, ValueError
        See `line_integral`.
    """
    d = vector_loss(loss)
    second = None if plane is None else finite_array("plane", plane)
    if second is not None and second.shape == (2, d):
        if axis is not None:
            raise ValueError(f"axis is the first of plane's two directions; got {_shown(axis)} too")
        axis, second = second
    if second is not None and second.shape != (d,):
        raise ValueError(f"plane must have shape ({d},) or (2, {d}); got {second.shape}")
    if axis is None:
        with np.errstate(all="ignore"):
            first = unchecked(loss)[1](np.zeros(d))
        if not np.all(np.isfinite(first)) or not np.any(first):
            raise ValueError(f"axis must be given: the loss's gradient at 0 is {first.tolist()}")
    else:
        first = finite_array("axis", axis)
    if first.shape != (d,) or not np.any(first):
        raise ValueError(f"axis must be a direction of shape ({d},), not 0; got {_shown(axis)}")
    e = _unit(first)
    if second is None and d == 2:
        return e, np.array([-e[1], e[0]])
    if second is None:
        second = np.zeros(d)
        second[np.argmin(np.abs(e))] = 1.0
    across = second - (second @ e) * e
    if np.linalg.norm(across) <= 1e-12 * np.linalg.norm(second):
        raise ValueError(f"plane must not be along the axis {e.tolist()}; got {_shown(plane)}")
    across = _unit(across)
    return e, _unit(across - (across @ e) * e)  # Twice is enough for full precision.


def _unit(v: Array) -> Array:
    scaled = v / np.abs(v).max()  # Squares of very small or large entries would not be floats.
    unit: Array = scaled / np.linalg.norm(scaled)
    return unit


def vector_loss(loss: SupportsGradient) -> int:
    """Return how many entries a loss's vector has, at least 2, or say what is asked."""
    shape = parameter_shape(loss)
    if len(shape) != 1 or shape[0] < 2:
        raise ValueError(f"loss must be of a vector of 2 or more entries; got shape {shape}")
    return shape[0]


def gamma(
    e: Array, across: Array, r: Array, R: Array, begin: ArrayLike = 0.0, end: ArrayLike = 1.0
) -> tuple[Piece, Piece, Piece, Piece]:
    """Return the curve's four pieces, or of each the parts from `begin` to `end`."""

    def straight(start: Array, stop: Array) -> Piece:
        here, there = (start + np.asarray(part) * (stop - start) for part in (begin, end))
        return _straight(here[..., None] * e, there[..., None] * e)

    def arc(radius: Array, start: float, stop: float) -> Piece:
        here, there = (start + np.asarray(part) * (stop - start) for part in (begin, end))
        turn = np.asarray(there - here)[..., None, None]

        def piece(x: Array) -> tuple[Array, Array, Array]:
            angle = np.asarray(here)[..., None, None] + turn * x[:, None]
            cos, sin = np.cos(angle), np.sin(angle)
            size = radius[..., None, None]
            w, v = size * (cos * e + sin * across), size * turn * (cos * across - sin * e)
            return w, v, size[..., 0]

        return piece

    return straight(-R, -r), arc(r, math.pi, 0.0), straight(r, R), arc(R, 0.0, math.pi)


def _straight(start: Array, stop: Array) -> Piece:
    """Return the straight pieces from `start` to `stop`, (..., d).

    With h a line's distance from 0, t = h sinh(x) along it makes the powers of ||w|| = h cosh(x)
    smooth in x, however near to 0 the line passes; h = 0 needs a small stand-in. The point of a
    line that is nearest to 0 must not lie inside a piece.
    """
    step = stop - start
    length = np.linalg.norm(step, axis=-1, keepdims=True)
    u = step / np.where(length > 0, length, 1.0)
    first, last = ((end * u).sum(axis=-1, keepdims=True) for end in (start, stop))
    foot = start - first * u
    near, far = np.minimum(abs(first), abs(last)), np.maximum(abs(first), abs(last))
    distance = np.linalg.norm(foot, axis=-1, keepdims=True)
    # A piece that begins at a distance needs no smaller h, which would cost digits.
    h = np.maximum(np.maximum(distance, near / 4), np.maximum(1e-16 * far, _TINY))
    low, high = np.arcsinh(first / h), np.arcsinh(last / h)

    def piece(x: Array) -> tuple[Array, Array, Array]:
        grown = np.exp(low + (high - low) * x)  # faster than NumPy's sinh
        shrunk = 1 / grown
        t = h / 2 * (grown - shrunk)
        speed = (high - low) * h / 2 * (grown + shrunk)
        # Coordinate by coordinate, (..., d, n), so that NumPy's inner loops run along the nodes.
        w = foot[..., None] + u[..., None] * t[..., None, :]
        v = u[..., None] * speed[..., None, :]
        return w.swapaxes(-1, -2), v.swapaxes(-1, -2), np.hypot(distance, t)

    return piece


def polygon(vertices: ArrayLike, dimension: int) -> tuple[Piece, tuple[int, int]]:
    """Return a polygon's edges in two halves each, (edges, 2)."""
    corners = finite_array("curve", vertices)
    if corners.ndim != 2 or corners.shape[1] != dimension or len(corners) < 2:
        raise ValueError(
            f"curve must be 2 or more vertices (n, {dimension}); got shape {corners.shape}"
        )
    start, stop = corners, np.roll(corners, -1, axis=0)
    step = stop - start
    square = (step * step).sum(axis=1, keepdims=True)
    foot = -(start * step).sum(axis=1, keepdims=True) / np.where(square > 0, square, 1.0)
    middle = start + np.where((foot > 0) & (foot < 1), foot, 0.5) * step
    halves = np.stack([start, middle], axis=1), np.stack([middle, stop], axis=1)
    return _straight(*halves), (len(corners), 2)


def parametrised(
    curve: Callable[[Array], Any], breaks: Sequence[float], dimension: int
) -> tuple[Piece, tuple[int, int]]:
    """Return the panels of a curve given as a function, (pieces, panels)."""
    inner = np.ravel(np.asarray(breaks, dtype=object))
    corners = np.array([0.0, *(number("breaks", b, lower=0, upper=1) for b in inner), 1.0])
    if np.any(np.diff(corners) <= 0):
        raise ValueError(f"breaks must increase from above 0 to below 1; got {_shown(breaks)}")
    ends = corners[:-1, None] + np.diff(corners)[:, None] * np.linspace(0, 1, _PANELS + 1)
    low, width = ends[:, :-1, None], np.diff(ends)[..., None]

    def at(t: Array) -> Array:
        points = finite_array("curve", curve(t.ravel()))
        if points.shape != (t.size, dimension):
            raise ValueError(
                f"curve must map parameters (n,) to points (n, {dimension}); "
                f"got shape {points.shape} for n = {t.size}"
            )
        return points.reshape(*t.shape, dimension)

    first, last = at(np.array([0.0, 1.0]))
    if np.abs(first - last).max() > 1e-9 * max(np.abs(first).max(), np.abs(last).max()):
        raise ValueError(f"curve must end where it began; got {first.tolist()} and {last.tolist()}")

    def piece(x: Array) -> tuple[Array, Array, Array]:
        points = at(low + width * x)
        return points, _differentiation(len(x)) @ points, np.linalg.norm(points, axis=-1)

    return piece, ends[:, :-1].shape


def quadrature(
    integrand: Integrand, tolerance: float, first: int = _FIRST
) -> tuple[Array, Array, int]:
    """Return integrals over [0, 1], their error estimates and the order used.

    The order is doubled until that changes no integral by more than `tolerance` times its bound.
    """
    integral, bound = integrand(*_rule(first))
    while True:
        first *= 2
        before, (integral, _) = integral, integrand(*_rule(first))
        change = abs(integral - before)
        # NaN counts as done: more nodes would not help.
        if first >= _LAST or not np.any(change > tolerance * bound):
            return integral, change + _EPS * bound, first


@lru_cache
def _rule(order: int) -> tuple[Array, Array]:
    """Return the nodes and weights of Gauss and Legendre on [0, 1].

    By Newton's method in the longest floats there are, from Tricomi's guess: NumPy's weights are
    off by 1e-12 near the ends, where a node's rounding is seen most, and its eigenvalues take long.
    """
    x: Any = -np.cos(np.pi * (np.arange(order, dtype=np.longdouble) + 0.75) / (order + 0.5))
    slope: Any = None
    for _ in range(5):
        before, P = np.ones_like(x), x
        for n in range(1, order):
            before, P = P, ((2 * n + 1) * x * P - n * before) / (n + 1)
        slope = order * (before - x * P) / (1 - x * x)
        x = x - P / slope
    weights = 2 / ((1 - x * x) * slope * slope)
    return ((x + 1) / 2).astype(np.float64), (weights / 2).astype(np.float64)


@lru_cache
def _differentiation(order: int) -> Array:
    """Return the matrix (n, n) that differentiates the polynomial through values at the nodes."""
    nodes, weights = _rule(order)
    barycentric = np.sqrt(nodes * (1 - nodes) * weights) * (-1.0) ** np.arange(order)
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    matrix: Array = barycentric / barycentric[:, None] / gaps
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix
