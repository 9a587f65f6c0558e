"""The work that the end-to-end rule's field does along closed curves: 0 only for a gradient.

Source: the talk's "Beyond regularization" and the paper's Theorem 2 with its proof. If some
function had the field as its gradient, every closed curve would give 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overparam_edu.checks import (
    Array,
    affordable,
    at_least,
    brief,
    broadcast,
    comparable,
    finite_array,
    flag,
    number,
    positive,
    whole_number,
)
from overparam_edu.dynamics.losses import SupportsGradient, parameter_shape, unchecked
from overparam_edu.dynamics.rule import TINY

# Gauss-Legendre orders: where doubling begins, and where it gives up.
_FIRST, _LAST = 20, 640
# A curve given as a function is cut into so many panels between breaks.
_PANELS = 8

# Maps nodes (n,) in [0, 1] to points and velocities (..., n, d), and to the points' norms (..., n).
Piece = Callable[[Array], tuple[Array, Array, Array]]
# Maps nodes and weights (n,) to integrals and to bounds on their size, (...).
Integrand = Callable[[Array, Array], tuple[Array, Array]]


@comparable
@dataclass(frozen=True, eq=False)
class LineIntegral:
    """The work along a closed curve, in the curve's pieces.

    Attributes
    ----------
    segments : ndarray (..., pieces), the work along each piece, in the order of the walk
    total : ndarray (...), their sum
    closed_form : ndarray (...), the same from losses on the axis alone; None for other curves
    error_estimate : ndarray (...), what doubling the order last changed in all, plus rounding
    nodes : int, the largest Gauss-Legendre order that was used on a piece
    """

    segments: Array
    total: Array
    closed_form: Array | None
    error_estimate: Array
    nodes: int


@comparable
@dataclass(frozen=True, eq=False)
class Walk:
    """Points once round the curve, and the work done on the way to each.

    Attributes
    ----------
    points : ndarray (n, d), where one stands; the last point is the first again
    segment : ndarray of int (n,), the piece, 0 to 3; corners belong to the piece that ends there
    arclength : ndarray (n,), how far one has walked
    work : ndarray (..., n), the work done so far, from 0 to the whole loop's
    """

    points: Array
    segment: NDArray[np.int64]
    arclength: Array
    work: Array


def line_integral(
    loss: SupportsGradient,
    depth: ArrayLike,
    inner_radius: ArrayLike,
    outer_radius: ArrayLike,
    *,
    axis: ArrayLike | None = None,
    plane: ArrayLike | None = None,
    tolerance: float = 1e-12,
    control: bool = False,
) -> LineIntegral:
    r"""Return the work of the rule's field along the curve of Theorem 2.

    .. math:: \oint_{\Gamma_{r,R}} F_N(w) \cdot dw, \qquad
        F_N(w) = \|w\|^{2-2/N} \bigl(g(w) + (N-1)\, \mathrm{Pr}_w\, g(w)\bigr)

    With :math:`e = g(0)/\|g(0)\|` the curve goes straight from :math:`-Re` to :math:`-re`, on the
    half circle of radius ``r`` to :math:`re`, straight on to :math:`Re`, and back on the half
    circle of radius ``R``, on the same side. Each piece is integrated by Gauss-Legendre, its order
    doubled until two orders agree. Beside it stands the closed form

    .. math:: (N-1) \bigl(K(R) - K(r)\bigr), \qquad
        K(\rho) = \rho^a J(\rho) - 2 \int_0^\rho t^{a-1} J(t)\,dt, \quad J(t) = L(te) - L(-te)

    with :math:`a = 2 - 2/N`, which asks for values of the loss on the axis and for no gradient
    (talk, "Beyond regularization"; paper, proof of Theorem 2, there before integrating by parts).
    A loss with poles may give NaN.

    Parameters
    ----------
    loss : Loss of a vector (d,), d at least 2
    depth : array_like, shape (...), ``N``, real, at least 1
    inner_radius, outer_radius : array_like, shape (...)
        ``0 < r < R``: the field is not smooth at 0. They broadcast with `depth`.
    axis : array_like, shape (d,), optional
        The direction ``e``, of any length; :math:`g(0)` if not given.
    plane : array_like, shape (d,) or (2, d), optional
        Towards which the half circles bulge; or `axis` and that. The total does not depend on it.
    tolerance : float
        Doubling stops when it changes a piece by less than this fraction of
        :math:`N \int \|w\|^{2-2/N} \|g\| \,|dw|`, a bound on its work.
    control : bool
        Integrate :math:`g`, a true gradient field, in place of :math:`F_N`: it gives 0.

    Returns
    -------
    LineIntegral
        Of the shape that depth and radii broadcast to.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or does not fit, or :math:`g(0) = 0` and no axis is given.

    Examples
    --------
    >>> from overparam_edu import SeparableLp
    >>> loop = line_integral(SeparableLp((1.0, 0.1), p=4), 3, 0.1, 0.5)
    >>> loop.segments.round(5)
    array([ 0.07151,  0.00938,  0.63265, -0.49606])
    """
    e, across = loop_axes(loss, axis, plane)
    N, r, R, shape = _checked_loops(depth, inner_radius, outer_radius)
    affordable("depth and radii", shape, numbers=4 * _FIRST * math.prod(shape))
    limit, control = number("tolerance", tolerance, lower=0), flag("control", control)
    with np.errstate(all="ignore"):
        parts = [
            quadrature(_work_along(loss, N, piece, control), limit)
            for piece in gamma(e, across, r, R)
        ]
        closed = 0.0 if control else _closed_form(loss, N, r, R, e, limit)
        segments = np.stack([np.broadcast_to(part, shape) for part, _, _ in parts], axis=-1)
        total = segments.sum(axis=-1)
        error = sum(error for _, error, _ in parts)
    closed, error = (np.broadcast_to(value, shape).copy() for value in (closed, error))
    return LineIntegral(segments, total, closed, error, max(order for _, _, order in parts))


def work(
    loss: SupportsGradient,
    depth: ArrayLike,
    curve: ArrayLike | Callable[[Array], ArrayLike],
    *,
    breaks: Sequence[float] = (),
    tolerance: float = 1e-12,
    control: bool = False,
) -> LineIntegral:
    r"""Return the work of the rule's field along any closed curve.

    .. math:: \oint F_N(w) \cdot dw

    A curve given as a function is differentiated by the polynomial through its values on each of 8
    panels between breaks. Between its breaks it must be smooth, and so must the loss on it: where
    they are not, ``error_estimate`` says how far the result goes.

    Parameters
    ----------
    loss, depth : Loss and array_like, as for `line_integral`
    curve : array_like, shape (vertices, d), or callable
        A polygon, which is closed by itself and may pass through 0; or a function that maps
        parameters (n,) in [0, 1] to points (n, d) and ends where it began.
    breaks : sequence of float
        Parameters in (0, 1) at which a curve given as a function has a corner.
    tolerance, control : float and bool, as for `line_integral`

    Returns
    -------
    LineIntegral
        ``segments`` are the polygon's edges, or the pieces between breaks.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, out of range or of the wrong shape, or the curve is open.

    Examples
    --------
    >>> from overparam_edu import LinearLoss
    >>> triangle = [[1.0, 0.0], [2.0, 0.0], [1.0, 1.0]]
    >>> work(LinearLoss([0.0, 1.0]), [1, 2, 3], triangle).total.round(4) + 0.0
    array([ 0.    ,  0.    , -0.3539])
    """
    dimension = vector_dimension(loss)
    N = at_least("depth", depth, 1)
    limit, control = number("tolerance", tolerance, lower=0), flag("control", control)
    if callable(curve):
        piece, joined = parametrised(curve, breaks, dimension)
    else:
        if np.size(breaks):
            raise ValueError(f"breaks are for a curve given as a function; got {brief(breaks)}")
        with np.errstate(all="ignore"):
            piece, joined = polygon(curve, dimension)
    affordable("depth", N.shape, numbers=4 * _FIRST * N.size * math.prod(joined))
    integrand = _work_along(loss, N[..., None, None], piece, control)
    with np.errstate(all="ignore"):
        parts, errors, order = quadrature(integrand, limit)
        shape = (*N.shape, *joined)
        segments = np.broadcast_to(parts, shape).sum(axis=-1)
        total = segments.sum(axis=-1)
    error = np.broadcast_to(errors, shape).sum(axis=(-1, -2))
    return LineIntegral(segments, total, None, error, order)


def walk(
    loss: SupportsGradient,
    depth: ArrayLike,
    inner_radius: float,
    outer_radius: float,
    *,
    points: int = 100,
    axis: ArrayLike | None = None,
    plane: ArrayLike | None = None,
    control: bool = False,
) -> Walk:
    """Walk once round the curve of `line_integral` and add up the work.

    Parameters
    ----------
    loss, depth : Loss and array_like, as for `line_integral`
    inner_radius, outer_radius : float, ``0 < r < R``
    points : int
        Steps on each of the four pieces, evenly spaced: ``n = 4 points + 1``.
    axis, plane, control : array_like and bool, as for `line_integral`

    Returns
    -------
    Walk
        All depths walk the same way: ``.work`` has shape (..., n).

    Raises
    ------
    TypeError, ValueError
        As `line_integral`, or if `points` is not a whole number of at least 1.
    """
    e, across = loop_axes(loss, axis, plane)
    steps = whole_number("points", points, lower=1)
    r, R = number("inner_radius", inner_radius), number("outer_radius", outer_radius)
    N, *_ = _checked_loops(depth, r, R)
    control = flag("control", control)
    affordable("points", points, numbers=8 * steps * (4 * N.size + 3 * e.size))
    at = np.linspace(0.0, 1.0, steps + 1)
    places, works = [], []
    with np.errstate(all="ignore"):
        for piece in gamma(e, across, np.asarray(r), np.asarray(R), at[:-1], at[1:]):
            integrand = _work_along(loss, N[..., None], piece, control)
            gained, _, _ = quadrature(integrand, 1e-13, first=4)
            works.append(np.broadcast_to(gained, (*N.shape, steps)))
            places.append(piece(np.array([1.0]))[0][:, 0])
        total = np.concatenate([np.zeros((*N.shape, 1)), *works], axis=-1).cumsum(axis=-1)
    with np.errstate(over="ignore"):
        lengths = np.repeat([R - r, math.pi * r, R - r, math.pi * R], steps) / steps
        arclength = np.concatenate([[0.0], lengths]).cumsum()
    segment = np.concatenate([[0], np.repeat(np.arange(4), steps)])
    return Walk(np.concatenate([-R * e[None], *places]), segment, arclength, total)


def loop_axes(
    loss: SupportsGradient, axis: ArrayLike | None = None, plane: ArrayLike | None = None
) -> tuple[Array, Array]:
    """Return the orthonormal directions (d,) of the plane in which `line_integral` walks."""
    d = vector_dimension(loss)
    second = None if plane is None else finite_array("plane", plane)
    if second is not None and second.shape == (2, d):
        if axis is not None:
            raise ValueError(f"axis is the first of plane's two directions; got {brief(axis)} too")
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
        raise ValueError(f"axis must be a direction of shape ({d},), not 0; got {brief(axis)}")
    e = _unit(first)
    if second is None and d == 2:
        return e, np.array([-e[1], e[0]])
    if second is None:
        second = np.zeros(d)
        second[np.argmin(np.abs(e))] = 1.0
    second = second / (np.abs(second).max() or 1.0)  # any length will do, and squares are floats
    across = second - (second @ e) * e
    if np.linalg.norm(across) <= 1e-12 * np.linalg.norm(second):
        raise ValueError(f"plane must not be along the axis {e.tolist()}; got {brief(plane)}")
    across = _unit(across)
    return e, _unit(across - (across @ e) * e)  # Twice is enough for full precision.


def _unit(v: Array) -> Array:
    scaled = v / np.abs(v).max()  # Squares of very small or large entries would not be floats.
    unit: Array = scaled / np.linalg.norm(scaled)
    return unit


def vector_dimension(loss: SupportsGradient) -> int:
    """Return how many entries the vector of a loss has, at least 2."""
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
    h = np.maximum(np.maximum(distance, near / 4), np.maximum(1e-16 * far, TINY))
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
        raise ValueError(f"breaks must increase from above 0 to below 1; got {brief(breaks)}")
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
    integral, bound = integrand(*_gauss_legendre(first))
    while True:
        first *= 2
        before, (integral, _) = integral, integrand(*_gauss_legendre(first))
        change = abs(integral - before)
        # NaN counts as done: more nodes would not help.
        if first >= _LAST or not np.any(change > tolerance * bound):
            return integral, change + np.finfo(np.float64).eps * bound, first


@lru_cache
def _gauss_legendre(order: int) -> tuple[Array, Array]:
    """Return the nodes and weights of Gauss and Legendre on [0, 1].

    By Newton's method in extended precision, from Tricomi's guess: NumPy's and SciPy's weights are
    off by up to 1e-11 near the ends, where a node's rounding counts most.
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
    nodes, weights = _gauss_legendre(order)
    barycentric = np.sqrt(nodes * (1 - nodes) * weights) * (-1.0) ** np.arange(order)
    gaps = nodes[:, None] - nodes
    np.fill_diagonal(gaps, 1.0)
    matrix: Array = barycentric / barycentric[:, None] / gaps
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def _checked_loops(
    depth: ArrayLike, inner_radius: ArrayLike, outer_radius: ArrayLike
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    """Return depth and radii as arrays, and the shape that they broadcast to."""
    N = at_least("depth", depth, 1)
    r, R = positive("inner_radius", inner_radius), positive("outer_radius", outer_radius)
    shape = broadcast(depth=N.shape, inner_radius=r.shape, outer_radius=R.shape)
    if np.any(r >= R):
        raise ValueError(
            f"inner_radius must be below outer_radius; got {brief(inner_radius)} and "
            f"{brief(outer_radius)}"
        )
    return N, r, R, shape


def _work_along(loss: SupportsGradient, N: Array, piece: Piece, control: bool) -> Integrand:
    """Return what gives a piece's work, and a bound on it, from the nodes and weights.

    All that does not depend on depth is computed once for all depths; only the power of ||w||
    takes room for each.
    """
    gradient = unchecked(loss)[1]

    def integrand(x: Array, weights: Array) -> tuple[Array, Array]:
        w, v, length = piece(x)
        g = gradient(w)
        along, bound = _dot(g, v), np.sqrt(_dot(g, g) * _dot(v, v))
        if control:
            return along @ weights, bound @ weights
        length = np.maximum(length, TINY)
        radial = _dot(w, g) / length * (_dot(w, v) / length)
        power = (2 - 2 / N)[..., None] * np.log(length)
        np.exp(power, out=power)
        adaptive, projected, limit = (
            _dot(power, part * weights) for part in (along, radial, bound)
        )
        return adaptive + (N - 1) * projected, N * limit

    return integrand


def _closed_form(
    loss: SupportsGradient, N: Array, r: Array, R: Array, e: Array, tolerance: float
) -> Array:
    """Return ``(N-1) (K(R) - K(r))`` of `line_integral`."""
    value, a = unchecked(loss)[0], 2 - 2 / N

    def odd(t: Array) -> Array:
        w = t[..., None] * e
        return value(w) - value(-w)

    def K(radius: Array) -> Array:
        def integrand(x: Array, weights: Array) -> tuple[Array, Array]:
            # t = radius x^6 makes the power of t smooth enough at 0 for any depth.
            t = radius[..., None] * x**6
            power, height = np.exp(a[..., None] * np.log(t)), odd(t) * (6 / x) * weights
            return _dot(power, height), _dot(power, abs(height))

        result: Array = radius**a * odd(radius) - 2 * quadrature(integrand, tolerance)[0]
        return result

    return (N - 1) * (K(R) - K(r))


def _dot(a: Array, b: Array) -> Array:
    product: Array = np.einsum("...i,...i->...", a, b)
    return product
