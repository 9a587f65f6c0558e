"""How depth changes a gradient step: the end-to-end update rule and its preconditioner.

Sources: Theorem 1 (the rule), Claim 1 (preconditioning) and Claim 2 (single output) of Arora,
Cohen and Hazan, ICML 2018; the talk's sections of the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    at_least,
    brief,
    broadcast,
    comparable,
    finite_answer,
    finite_array,
)

# The smallest normal float: stands in for 0 as a divisor where the dividend is 0 too.
TINY = np.finfo(np.float64).tiny
# Vectors whose squares are surely floats, and no less exact ones.
_SQUARED = (1e-140, 1e140)
# For a matrix the rule is a sum of as many terms as there are layers.
_DEEPEST = 1_000


@finite_answer
def single_output_direction(w: ArrayLike, gradient: ArrayLike, depth: ArrayLike) -> Array:
    r"""Return the step direction that depth makes of a gradient, for one output.

    .. math:: F_N(w) = \|w\|^{2-2/N} \bigl(g + (N-1)\, \mathrm{Pr}_w\, g\bigr)

    where :math:`\mathrm{Pr}_w` projects on the line through ``w`` (Claim 2 of the paper; talk,
    "single output"). Gradient descent on ``depth`` linear layers moves the end-to-end vector by
    ``-learning_rate * F_N``, if the layers are balanced and the learning rate is small.

    Parameters
    ----------
    w, gradient : array_like, shape (..., d)
        End-to-end vector, and the gradient ``g`` of the loss there.
    depth : array_like, shape (...)
        ``N``, real, at least 1; the formula makes sense between whole depths too.

    Returns
    -------
    ndarray, shape (..., d)
        ``g`` itself at depth 1; 0 at ``w = 0`` for any greater depth, its limit there.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite real numbers, `depth` is below 1, or shapes do not fit.

    Examples
    --------
    >>> single_output_direction([2.0, 0.0], [1.0, 1.0], depth=2)
    array([4., 2.])
    """
    return _direction("w", w, gradient, depth, axes=1)


@finite_answer
def split_direction(w: ArrayLike, gradient: ArrayLike, depth: ArrayLike) -> tuple[Array, Array]:
    r"""Return the two parts of `single_output_direction`.

    Parameters
    ----------
    w, gradient, depth : array_like, as for `single_output_direction`

    Returns
    -------
    adaptive : ndarray, shape (..., d)
        :math:`\|w\|^{2-2/N} g`, the gradient at an adaptive learning rate.
    projection : ndarray, shape (..., d)
        :math:`(N-1)\|w\|^{2-2/N}\, \mathrm{Pr}_w\, g`, read as momentum by the paper.

    Raises
    ------
    TypeError, ValueError
        As `single_output_direction`.
    """
    whole = single_output_direction(w, gradient, depth)
    w, gradient, depth = (np.asarray(value, float) for value in (w, gradient, depth))
    rate = length(w) ** (2 - 2 / depth)
    adaptive = rate[..., None] * gradient
    return adaptive, whole - adaptive


@finite_answer
def end_to_end_direction(W: ArrayLike, gradient: ArrayLike, depth: ArrayLike) -> Array:
    r"""Return the step direction that depth makes of a gradient, for any number of outputs.

    .. math:: F_N(W) = \sum_{j=1}^N [W W^\top]^{(j-1)/N}\; G\; [W^\top W]^{(N-j)/N}

    (Theorem 1 of the paper; talk, "end-to-end update rule".) It assumes balanced layers,
    :math:`W_{j+1}^\top W_{j+1} = W_j W_j^\top`, and a small learning rate. The hidden widths do not
    appear: all that can hold the rank of ``W`` give the same step. Singular values below rounding,
    ``max(k, d) * eps`` of the largest, count as 0: a fractional power would blow them up.

    Parameters
    ----------
    W, gradient : array_like, shape (..., k, d)
        End-to-end matrix, and the gradient ``G`` of the loss there.
    depth : array_like of int, shape (...)
        ``N``, whole, from 1 to 1000.

    Returns
    -------
    ndarray, shape (..., k, d)
        ``G`` itself at depth 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, `depth` is not whole from 1 to 1000, or shapes do not fit.
    """
    return _direction("W", W, gradient, depth, axes=2)


def _direction(
    name: str, w: ArrayLike, gradient: ArrayLike, depth: ArrayLike, *, axes: int
) -> Array:
    w, gradient = finite_array(name, w), finite_array("gradient", gradient)
    N = checked_depth(depth, axes)
    if min(w.ndim, gradient.ndim) < axes or w.shape[-axes:] != gradient.shape[-axes:]:
        raise ValueError(
            f"gradient must have the last {'axis' if axes == 1 else 'two axes'} of {name}, "
            f"{w.shape}; got shape {gradient.shape}"
        )
    lanes = broadcast(depth=N.shape, gradient=gradient.shape[:-axes], **{name: w.shape[:-axes]})
    factor: Array = np.ones(())
    if axes == 1:  # the rule squares w, but a factor on w only multiplies the direction
        size = np.abs(w).max(axis=-1, initial=0.0)
        extreme = (size > 0) & ((size < _SQUARED[0]) | (size > _SQUARED[1]))
        if extreme.any():
            size = np.where(extreme, size, 1.0)
            w, factor = w / size[..., None], (size ** (2 - 2 / N))[..., None]
    # At depth 1 it is the gradient itself: give the caller a copy, with all the lanes.
    return np.broadcast_to(
        factor * update_rule(N, axes)(w, gradient), lanes + w.shape[-axes:]
    ).copy()


def length(vectors: Array) -> Array:
    """Return the lengths of vectors (..., d), also where a square is too large or small a float."""
    size = np.abs(vectors).max(axis=-1, keepdims=True)
    unit = vectors / np.where(size > 0, size, 1.0)
    lengths = size[..., 0] * np.linalg.norm(unit, axis=-1)
    return np.asarray(lengths, np.float64)


def checked_depth(depth: ArrayLike, axes: int) -> Array:
    """Return depths for a parameter of one axis, or of two, for which they must be whole."""
    N = at_least("depth", depth, 1)
    if axes == 2 and np.any(np.floor(N) != N):
        raise ValueError(f"depth must be whole for an end-to-end matrix; got {brief(depth)}")
    if axes == 2 and np.any(N > _DEEPEST):
        raise ValueError(
            f"depth must be at most {_DEEPEST} for an end-to-end matrix; got {brief(depth)}"
        )
    return N


def update_rule(depth: Array, axes: int) -> Callable[[Array, Array], Array]:
    """Return ``(w, gradient) -> F_N(w)`` without checks, for the training loop."""
    if np.all(depth == 1):  # the gradient even where ||w||^2 overflows
        return lambda w, gradient: gradient
    return _of_a_vector(depth) if axes == 1 else _of_a_matrix(depth)


def _of_a_vector(depth: Array) -> Callable[[Array, Array], Array]:
    exponent, extra = 1 - 1 / depth, depth - 1
    shallow, some = (depth == 1)[..., None], bool(np.any(depth == 1))

    def direction(w: Array, gradient: Array) -> Array:
        square = _dot(w, w)
        rate = square**exponent
        along = extra * _dot(w, gradient) / np.maximum(square, TINY)
        F: Array = rate[..., None] * (gradient + along[..., None] * w)
        if some:
            np.copyto(F, gradient, where=shallow)
        return F

    return direction


def _dot(a: Array, b: Array) -> Array:
    product: Array = a * b
    if product.shape[-1] == 2:  # in the plane a sum takes half the time of a reduction
        total: Array = product[..., 0] + product[..., 1]
    else:
        total = np.add.reduce(product, axis=-1)
    return total


def _of_a_matrix(depth: Array) -> Callable[[Array, Array], Array]:
    # The first and the last term are taken out of the sum, because their power 0 is the identity
    # on the whole space, while the others live where W does.
    exponent, shallow = (2 - 2 / depth)[..., None], (depth == 1)[..., None, None]
    middle_terms = _middle_terms(depth)

    def direction(W: Array, gradient: Array) -> Array:
        # LAPACK refuses a whole batch for one matrix that is not finite. Such a lane is lost
        # already, so any other matrix will do.
        finite = np.isfinite(W).all(axis=(-2, -1), keepdims=True)
        U, sigma, Vt = np.linalg.svd(np.where(finite, W, 0.0), full_matrices=False)
        sigma = _without_rounding(sigma, W.shape)
        outer = sigma**exponent
        rows, columns = np.swapaxes(U, -1, -2) @ gradient, gradient @ np.swapaxes(Vt, -1, -2)
        left = (U * outer[..., None, :]) @ rows
        right = columns @ (outer[..., :, None] * Vt)
        middle = U @ (middle_terms(sigma) * (rows @ np.swapaxes(Vt, -1, -2))) @ Vt
        return np.where(shallow, gradient, left + right + middle)

    return direction


def _without_rounding(sigma: Array, shape: tuple[int, ...]) -> Array:
    """Return singular values (..., m) with those that are only rounding set to 0."""
    floor = max(shape[-2:]) * np.finfo(np.float64).eps * sigma[..., :1]
    return np.where(sigma > floor, sigma, 0.0)


def _middle_terms(depth: Array) -> Callable[[Array], Array]:
    r"""Return :math:`\sum_{j=2}^{N-1} \sigma_r^{2(j-1)/N} \sigma_s^{2(N-j)/N}`, (..., m, m)."""
    N, deepest = depth[..., None, None], int(depth.max(initial=1))
    # Terms past a lane's own depth get power 1 and are dropped, so that none is 0 ** negative.
    present = [j <= N - 1 for j in range(2, deepest)]
    powers = [
        (np.where(there, 2 * (j - 1) / N, 1), np.where(there, 2 * (N - j) / N, 1), there)
        for j, there in enumerate(present, start=2)
    ]

    def summed(sigma: Array) -> Array:
        total = np.zeros(np.broadcast_shapes(sigma.shape[:-1], depth.shape) + 2 * sigma.shape[-1:])
        rows, columns = sigma[..., :, None], sigma[..., None, :]
        for row, column, there in powers:
            total += np.where(there, rows**row * columns**column, 0.0)
        return total

    return summed


@comparable
@dataclass(frozen=True, eq=False)
class Preconditioner:
    """The matrix by which depth multiplies a vectorised gradient.

    Attributes
    ----------
    matrix : ndarray (..., k d, k d), positive semi-definite; acts on ``vec(G)``, columns stacked
    eigenvalues : ndarray (..., k d), the amplification of each eigenvector
    eigenvectors : ndarray (..., k d, k d), with ``vec(u_r v_s^T)`` in column ``s k + r``
    left, right : ndarray (..., k, k) and (..., d, d), the singular vectors u_r and v_s, as columns
    """

    matrix: Array
    eigenvalues: Array
    eigenvectors: Array
    left: Array
    right: Array


@finite_answer
def preconditioner(W: ArrayLike, depth: int) -> Preconditioner:
    r"""Return the preconditioner of the end-to-end update rule, with its eigensystem.

    .. math:: \mathrm{vec}(F_N(W)) = P_W\, \mathrm{vec}(G), \qquad
        \lambda_{rs} = \sum_{j=1}^N \sigma_r^{2(N-j)/N} \sigma_s^{2(j-1)/N}

    with eigenvectors :math:`\mathrm{vec}(u_r v_s^\top)`; singular values are padded with zeros,
    and :math:`0^0 = 1` (Claim 1 of the paper; talk, "preconditioning"). Equal singular values leave
    their vectors undetermined up to rotation; eigenvalues and matrix do not depend on the choice.

    Parameters
    ----------
    W : array_like, shape (..., k, d)
        End-to-end matrix.
    depth : int, ``N``, whole, from 1 to 1000

    Returns
    -------
    Preconditioner
        ``.matrix``, ``.eigenvalues``, ``.eigenvectors`` and the singular vectors of `W`.

    Raises
    ------
    TypeError, ValueError
        If `W` is not a finite matrix, or `depth` is out of range or not whole.

    Examples
    --------
    >>> preconditioner([[3.0, 0.0]], depth=2).eigenvalues
    array([6., 3.])
    """
    W = finite_array("W", W)
    N = checked_depth(depth, 2)
    if W.ndim < 2:
        raise ValueError(f"W must have shape (..., k, d); got {W.shape}")
    if N.ndim:
        raise ValueError(f"depth must be a single number; got {brief(depth)}")
    k, d = W.shape[-2:]
    affordable("W", W.shape, numbers=3 * W.size * k * d)
    U, sigma, Vt = np.linalg.svd(W)
    sigma = _without_rounding(sigma, W.shape)
    padded = np.zeros((*sigma.shape[:-1], max(k, d)))
    padded[..., : sigma.shape[-1]] = sigma
    rows, columns = padded[..., None, :k], padded[..., :d, None]
    # (s, r) order: column-stacking lists r fastest.
    grid = sum(
        rows ** (2 * (N - j) / N) * columns ** (2 * (j - 1) / N) for j in range(1, int(N) + 1)
    )
    eigenvalues = np.asarray(grid).reshape(*W.shape[:-2], k * d)
    V = np.swapaxes(Vt, -1, -2)
    kron = V[..., :, None, :, None] * U[..., None, :, None, :]
    eigenvectors = kron.reshape(*W.shape[:-2], k * d, k * d)
    matrix = (eigenvectors * eigenvalues[..., None, :]) @ np.swapaxes(eigenvectors, -1, -2)
    return Preconditioner(matrix, eigenvalues, eigenvectors, U, V)
