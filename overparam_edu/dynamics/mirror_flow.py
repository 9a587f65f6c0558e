"""Where the rule ends when many solutions fit: depth as a mirror flow with a clock of its own.

Sources: Azulay et al., ICML 2021 (mirror flows whose time is warped); Gunasekar et al., ICML 2018
(mirror descent on underdetermined regression).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, at_least, broadcast, finite_answer, finite_array, shaped
from overparam_edu.dynamics.rule import length

# Newton's method comes from above and gains at least a constant factor a turn.
_TURNS = 200


@finite_answer
def mirror_map(w: ArrayLike, depth: ArrayLike) -> Array:
    r"""Return the mirror image of a vector: what depth adds gradients to.

    .. math:: \nabla\psi(w) = \|w\|^{1/N-1}\, w, \qquad
        \psi(w) = \tfrac{N}{N+1} \|w\|^{1+1/N}

    Along the gradient flow of the rule its velocity is :math:`-\|w\|^{1-1/N} g`, a multiple of the
    gradient (Azulay et al. 2021). In a balanced network with hidden layers of width 1 it is the
    first layer, up to sign.

    Parameters
    ----------
    w : array_like, shape (..., d)
        End-to-end vector.
    depth : array_like, shape (...)
        ``N``, real, at least 1.

    Returns
    -------
    ndarray, shape (..., d)
        `w` itself at depth 1; a vector of length :math:`\|w\|^{1/N}` along `w`. 0 for 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite real numbers, `depth` is below 1, or shapes do not fit.

    Examples
    --------
    >>> mirror_map([4.0, 0.0], depth=2)
    array([2., 0.])
    """
    w, N = _vectors("w", w, depth)
    return _stretched(w, 1 / N)


def inverse_mirror_map(z: ArrayLike, depth: ArrayLike) -> Array:
    r"""Return the vector whose `mirror_map` is z: :math:`\|z\|^{N-1} z`."""
    z, N = _vectors("z", z, depth)
    return _stretched(z, N)


@finite_answer
def bregman_divergence(w: ArrayLike, start: ArrayLike, depth: ArrayLike) -> Array:
    r"""Return how far a vector is from the start, as the flow at this depth measures it.

    .. math:: D(w, w_0) = \psi(w) - \psi(w_0) - \langle \nabla\psi(w_0), w - w_0 \rangle

    with the :math:`\psi` of `mirror_map`. At depth 1 it is half the squared distance.

    Parameters
    ----------
    w, start : array_like, shape (..., d)
        A vector, and where the flow starts.
    depth : array_like, shape (...)
        ``N``, real, at least 1.

    Returns
    -------
    ndarray, shape (...)
        0 where `w` is `start`, and positive elsewhere.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite real numbers, `depth` is below 1, or shapes do not fit.

    Examples
    --------
    >>> float(bregman_divergence([3.0, 4.0], [0.0, 0.0], depth=1))
    12.5
    """
    (w, N), (start, _) = _vectors("w", w, depth), _vectors("start", start, depth)
    if w.shape[-1:] != start.shape[-1:]:
        raise ValueError(f"start must have the last axis of w, {w.shape}; got shape {start.shape}")
    broadcast(depth=N.shape, w=w.shape[:-1], start=start.shape[:-1])
    slope = _stretched(start, 1 / N)
    height: Array = _psi(w, N) - _psi(start, N) - np.sum(slope * (w - start), axis=-1)
    return height


@finite_answer
def flow_limit(X: ArrayLike, y: ArrayLike, start: ArrayLike, depth: ArrayLike) -> Array:
    r"""Return where the flow of the rule ends on a linear regression, without following it.

    The flow of :math:`\frac12\|Xw - y\|^2` moves `mirror_map` along the rows of ``X`` only. So it
    ends at the one solution whose mirror image differs from the start's by such rows: the
    solution of least `bregman_divergence` from the start. From a small start that is the solution
    of least norm, at any depth (Azulay et al. 2021). If no ``w`` solves all equations, read "least
    squares solution".

    Parameters
    ----------
    X : array_like, shape (n, d)
        Inputs, one example a row.
    y : array_like, shape (n,)
        What the examples should give.
    start : array_like, shape (..., d)
        Where the flow starts, not 0 but at depth 1. A flow that runs into 0 on its way stays
        there: so it does from any start that points from 0 straight away from the solution.
    depth : array_like, shape (...)
        ``N``, real, at least 1.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite real numbers, `depth` is below 1, `start` is 0 at a depth
        above 1, or shapes do not fit.

    Examples
    --------
    >>> flow_limit([[1.0, 0.0]], [2.0], start=[0.0, 1.0], depth=1)
    array([2., 1.])
    """
    X = finite_array("X", X)
    if X.ndim != 2:
        raise ValueError(f"X must have shape (n, d); got shape {X.shape}")
    y = shaped("y", y, X.shape[:1])
    start, N = _vectors("start", shaped("start", start, X.shape[1:], batched=True), depth)
    if np.any(~np.any(start, axis=-1) & (N > 1)):
        raise ValueError("start must not be 0 at a depth above 1: there the flow never moves")
    inverse = np.linalg.pinv(X)
    least = inverse @ y
    kept = _stretched(start, 1 / N)
    kept = kept - kept @ (inverse @ X).T
    # The end is least + n with ||end||^(1/N - 1) n = kept: an equation for s = ||end||^2.
    c, a, m = 1 - 1 / N, np.sum(kept**2, axis=-1), least @ least
    s = np.maximum(2 * m, (2 * a) ** N)
    for _ in range(_TURNS):
        power = s**c
        slope = 1 - c * a * power / np.where(s > 0, s, 1.0)
        s = np.maximum(s - (s - a * power - m) / np.where(slope > 0, slope, 1.0), m)
    end: Array = least + (s ** (c / 2))[..., None] * kept
    return end


def _vectors(name: str, value: ArrayLike, depth: ArrayLike) -> tuple[Array, Array]:
    """Return vectors (..., d) and depths of shapes that fit."""
    vectors, N = finite_array(name, value), at_least("depth", depth, 1)
    if vectors.ndim < 1:
        raise ValueError(f"{name} must have shape (..., d); got shape {vectors.shape}")
    broadcast(depth=N.shape, **{name: vectors.shape[:-1]})
    return vectors, N


def _stretched(vectors: Array, power: Array) -> Array:
    """Return vectors along the same lines whose lengths are raised to a power."""
    size = length(vectors)
    stretched: Array = (np.where(size > 0, size, 1.0) ** (power - 1))[..., None] * vectors
    return stretched


def _psi(w: Array, N: Array) -> Array:
    psi: Array = N / (N + 1) * length(w) ** (1 + 1 / N)
    return psi
