"""Two layers of width 1 that are not balanced: how their product moves, exactly.

``w = omega_2 w_1`` with one output. Gradient flow conserves ``c = omega_2^2 - ||w_1||^2``, and with
it the product's motion is known. Tarmoun et al. (2021) and Domine et al. (2024) treat matrices.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    brief,
    broadcast,
    finite_answer,
    finite_array,
    number,
    shaped,
)
from overparam_edu.dynamics.losses import SupportsGradient, parameter_shape, unchecked
from overparam_edu.dynamics.networks import LinearNetwork
from overparam_edu.dynamics.rule import length
from overparam_edu.dynamics.training import Trajectory, gradient_flow


@finite_answer
def unbalanced_direction(w: ArrayLike, gradient: ArrayLike, imbalance: ArrayLike) -> Array:
    r"""Return the direction in which two layers of width 1 move their product, for any balance.

    .. math::
        G_c(w) = \tfrac{S+c}2\, g + \tfrac{S-c}2\, \mathrm{Pr}_w\, g, \qquad
        S = \sqrt{c^2 + 4\|w\|^2}

    with :math:`c = \omega_2^2 - \|w_1\|^2`, which gradient flow conserves:
    :math:`\dot w = -G_c(w)`. At :math:`c = 0` it is the rule at depth 2; for
    :math:`c \to \infty` gradient descent, :math:`c` times as fast; for :math:`c \to -\infty` only
    the part along ``w`` is left. Along ``w`` the step is :math:`2S/(S+c)` times as large as across,
    where the rule has ``N``. After Tarmoun et al. (2021) and Domine et al. (2024).

    Parameters
    ----------
    w, gradient : array_like, shape (..., d)
        The product of the layers, and the gradient ``g`` of the loss there.
    imbalance : array_like, shape (...)
        :math:`c = \omega_2^2 - \|w_1\|^2`.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or the shapes do not fit. Also where `w` is 0 and `imbalance`
        negative: the layers then move along :math:`w_1`, of which ``w`` knows nothing.

    Examples
    --------
    >>> unbalanced_direction([3.0, 0.0], [1.0, 1.0], [-8.0, 0.0, 8.0])
    array([[10.,  1.],
           [ 6.,  3.],
           [10.,  9.]])
    """
    w, g = finite_array("w", w), finite_array("gradient", gradient)
    if w.ndim < 1 or g.shape[-1:] != w.shape[-1:]:
        raise ValueError(f"gradient must end with the axis of w, {w.shape[-1:]}; got {g.shape}")
    c = finite_array("imbalance", imbalance)
    broadcast(w=w.shape[:-1], gradient=g.shape[:-1], imbalance=c.shape)
    if np.any((length(w) == 0) & (c < 0)):
        raise ValueError("w must not be 0 where imbalance is negative: the step is along w_1")
    return _direction(w, g, c)


def _direction(w: Array, g: Array, c: Array) -> Array:
    """Return `unbalanced_direction` of arrays that fit, without checks."""
    size = length(w)
    first, second = _squares(size, c)
    unit = w / np.where(size > 0, size, 1.0)[..., None]
    projection = (unit * g).sum(axis=-1, keepdims=True) * unit
    direction: Array = second[..., None] * g + first[..., None] * projection
    return direction


@finite_answer
def unbalanced_network(w: ArrayLike, imbalance: float) -> LinearNetwork:
    r"""Return two layers of width 1 with a given product and a given imbalance.

    Parameters
    ----------
    w : array_like, shape (d,), the product :math:`\omega_2 w_1`, not 0
    imbalance : float
        :math:`c = \omega_2^2 - \|w_1\|^2`; 0 is `balanced_network` at depth 2.

    Returns
    -------
    LinearNetwork
        With :math:`\omega_2 > 0`.

    Raises
    ------
    TypeError, ValueError
        If `w` is not a finite vector different from 0, or `imbalance` not a finite number.

    Examples
    --------
    >>> network = unbalanced_network([3.0, 4.0], 24.0)
    >>> network.weights[1] ** 2 - (network.weights[0] ** 2).sum()
    array([[24.]])
    """
    w, c = finite_array("w", w), finite_array("imbalance", imbalance)
    if w.ndim != 1 or c.ndim:
        raise ValueError(f"w must be a vector and imbalance a number; got {w.shape} and {c.shape}")
    size = length(w)
    if size == 0:
        raise ValueError(f"w must not be 0; got {brief(w.tolist())}")
    first, second = (np.sqrt(square) for square in _squares(size, c))
    return LinearNetwork(((first * (w / size))[None], np.full((1, 1), second)))


def flow_unbalanced(
    loss: SupportsGradient,
    start: ArrayLike,
    imbalance: float,
    *,
    times: ArrayLike,
    rtol: float = 1e-11,
) -> Trajectory:
    r"""Follow the product of two unbalanced layers along gradient flow, without the layers.

    Parameters
    ----------
    loss : Loss of a vector (d,)
    start : array_like, shape (d,), the product :math:`\omega_2 w_1`; not 0 if `imbalance` < 0
    imbalance : float, :math:`c = \omega_2^2 - \|w_1\|^2`
    times, rtol : array_like, shape (records,), and float, as for `gradient_flow`

    Returns
    -------
    Trajectory
        Of one lane, of :math:`\dot w = -G_c(w)`; see `unbalanced_direction`.

    Raises
    ------
    TypeError, ValueError
        If the arguments are out of range or do not fit.
    """
    shape, c = parameter_shape(loss), np.array(number("imbalance", imbalance))
    unbalanced_direction(shaped("start", start, shape), np.zeros(shape), c)

    value, gradient = unchecked(loss)
    bent = SimpleNamespace(
        shape=shape, value=value, gradient=lambda w: _direction(w, gradient(w), c)
    )
    return replace(gradient_flow(bent, start, times=times, rtol=rtol), depth=np.array(2.0))


def _squares(size: Array, c: Array) -> tuple[Array, Array]:
    """Return ``||w_1||^2`` and ``omega_2^2`` from the product's length and their difference."""
    larger = np.hypot(c / 2, size) + np.abs(c) / 2
    # Their product is size^2: the difference of two large numbers would lose its digits.
    smaller = size * (size / np.where(larger > 0, larger, 1.0))
    return np.where(c > 0, smaller, larger), np.where(c > 0, larger, smaller)
