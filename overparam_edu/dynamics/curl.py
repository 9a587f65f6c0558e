r"""How far the end-to-end rule's field is from a gradient, point by point.

The Jacobian of a gradient is symmetric. With :math:`a = 2 - 2/N` and
:math:`h(w) = \langle w, g(w)\rangle - \tfrac2N L(w)` the rule's field is
:math:`F_N = \nabla(\|w\|^a L) + (N-1)\, h\, \|w\|^{a-2} w`, so that all of the antisymmetric part
comes from the slope of ``h`` across ``w`` (derived in ``derivations.beyond_regularization``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, at_least, broadcast, shaped
from overparam_edu.dynamics.loops import vector_dimension
from overparam_edu.dynamics.losses import SupportsGradient, unchecked
from overparam_edu.dynamics.rule import length

# Of the differences along w: the largest step as a fraction of w, and how often it is halved.
_STEP, _LEVELS = 0.25, 7


def curl(loss: SupportsGradient, depth: ArrayLike, points: ArrayLike) -> Array:
    r"""Return the curl of the rule's field in the plane.

    .. math:: \frac{\partial F_2}{\partial w_1} - \frac{\partial F_1}{\partial w_2}
        = (N-1) \|w\|^{-2/N} \Bigl(w_2 \frac{\partial h}{\partial w_1}
        - w_1 \frac{\partial h}{\partial w_2}\Bigr)

    By Green's theorem its integral over a region is the work round the region, counter-clockwise.
    Only the gradient of the loss is asked for. Its derivative along ``w`` is taken by extrapolated
    central differences, to about ten digits or better where it is smooth.

    Parameters
    ----------
    loss : Loss of a vector with 2 entries
    depth : array_like, shape (...), ``N``, real, at least 1; broadcasts with `points`
    points : array_like, shape (..., 2), where to take it

    Returns
    -------
    ndarray, shape (...)
        0 everywhere at depth 1. At ``w = 0`` it is the limit 0, except for ``1 < N < 2`` and a
        gradient at 0 that is not 0: then it is unbounded near 0, and NaN there. Infinite or NaN
        also where it is beyond the largest float.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, of the wrong shape, or `depth` is below 1.

    Examples
    --------
    >>> from overparam_edu import LinearLoss
    >>> curl(LinearLoss([0.0, 1.0]), [1, 2, 3], [0.5, 0.5]).round(4) + 0.0
    array([ 0.  ,  0.  , -0.42])
    """
    if vector_dimension(loss) != 2:
        raise ValueError(f"loss must be of 2 variables, or use antisymmetry; got {loss.shape}")
    w, factor, slope = slope_of_h(loss, depth, points)
    with np.errstate(all="ignore"):
        return _scaled(w, factor, slope, w[..., 1] * slope[..., 0] - w[..., 0] * slope[..., 1])


def antisymmetry(loss: SupportsGradient, depth: ArrayLike, points: ArrayLike) -> Array:
    r"""Return the size of the antisymmetric part of the field's Jacobian, in any dimension.

    .. math:: \bigl\| \tfrac12 (J - J^\top) \bigr\|_F = \frac{N-1}{\sqrt 2}\, \|w\|^{1-2/N}\,
        \| \nabla h - \mathrm{Pr}_w \nabla h \|, \qquad J_{ij} = \partial F_i / \partial w_j

    Parameters
    ----------
    loss : Loss of a vector (d,), d at least 2
    depth, points : array_like, shapes (...) and (..., d), as for `curl`

    Returns
    -------
    ndarray, shape (...)
        0 where the field is a gradient. At ``w = 0`` as for `curl`; in the plane it is
        :math:`|\mathrm{curl}| / \sqrt 2`.

    Raises
    ------
    TypeError, ValueError
        As `curl`.
    """
    vector_dimension(loss)
    w, factor, slope = slope_of_h(loss, depth, points)
    size = length(w)
    unit = w / np.where(size > 0, size, 1.0)[..., None]
    with np.errstate(all="ignore"):
        across = slope - (slope * unit).sum(axis=-1, keepdims=True) * unit
        return _scaled(w, factor, slope, size * length(across) / np.sqrt(2))


def slope_of_h(
    loss: SupportsGradient, depth: ArrayLike, points: ArrayLike
) -> tuple[Array, Array, Array]:
    """Return the points, the depths and the slope of h at the points, (..., d)."""
    N, w = at_least("depth", depth, 1), shaped("points", points, loss.shape, batched=True)
    broadcast(depth=N.shape, points=w.shape[:-1])
    gradient = unchecked(loss)[1]
    with np.errstate(all="ignore"):
        return w, N, _along(gradient, w) + (1 - 2 / N)[..., None] * gradient(w)


def _scaled(w: Array, N: Array, slope: Array, turning: Array) -> Array:
    """Return ``(N - 1) ||w||^(-2/N) turning``, with what it tends to at 0."""
    size = length(w)
    result = (N - 1) * np.where(size > 0, size, 1.0) ** (-2 / N) * turning
    unbounded = (size == 0) & (N > 1) & (N < 2) & np.any(slope != 0, axis=-1)
    return np.where(unbounded, np.nan, np.where(N == 1, 0.0, result))


def _along(gradient: Callable[[Array], Array], w: Array) -> Array:
    """Return ``Hessian(w) w`` by central differences with Richardson's extrapolation."""
    steps = _STEP / 2.0 ** np.arange(_LEVELS)
    row = [(gradient((1 + s) * w) - gradient((1 - s) * w)) / (2 * s) for s in steps]
    best: Array = row[-1].copy()
    error = np.full(w.shape, np.inf)
    for column in range(1, _LEVELS):
        power = 4.0**column
        better = [(power * fine - coarse) / (power - 1) for coarse, fine in pairwise(row)]
        for i, new in enumerate(better):
            doubt = np.maximum(abs(new - row[i]), abs(new - row[i + 1]))
            chosen = doubt < error
            np.copyto(best, new, where=chosen)
            np.copyto(error, doubt, where=chosen)
        row = better
    return best
