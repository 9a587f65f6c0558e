"""The warm-up on real data: gradient descent on a vector and one extra scalar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, finite_array, number, positive
from overparam_edu.dynamics.descent import parameter_shape, train
from overparam_edu.dynamics.linear_network import LinearNetwork
from overparam_edu.dynamics.losses import LpRegression, SupportsGradient
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.experiments.datasets import load_auto_mpg

# Two features that pull apart: the path of w turns, and can be drawn.
_FEATURES = ("weight", "acceleration")


class WarmUpRun(NamedTuple):
    """A run of T updates of ``w = w_1 omega_2``, and what the warm-up's coefficients need.

    Parameters
    ----------
    learning_rate : float
        ``eta``, the same for both factors.
    points : ndarray, shape (T + 1, d)
        ``w`` before each update, and at the end.
    gradients : ndarray, shape (T, d)
        Gradient of the loss by ``w`` before each update.
    omega2 : ndarray, shape (T + 1,)
        The scalar before each update, and at the end.
    d_omega2 : ndarray, shape (T,)
        Derivative of the loss by the scalar, ``<w_1, gradient>``, before each update.
    """

    learning_rate: float
    points: Array
    gradients: Array
    omega2: Array
    d_omega2: Array


def run_warm_up(
    loss: SupportsGradient,
    w1: ArrayLike,
    omega2: float,
    *,
    learning_rate: float,
    steps: int,
) -> WarmUpRun:
    r"""Minimise :math:`L(w_1 \omega_2)` by gradient descent on the vector and the scalar.

    It is `train` of a network of depth 2 whose hidden layer has width 1. Talk, "Warm-up"; paper,
    section 3.

    Parameters
    ----------
    loss : Loss
        Of a vector (d,).
    w1 : array_like, shape (d,)
        Where the vector starts.
    omega2 : float
        Where the scalar starts.
    learning_rate : float
        ``eta``, positive.
    steps : int
        Number of updates T, 0 or more.

    Returns
    -------
    WarmUpRun

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range, or the run diverges.

    Examples
    --------
    >>> from overparam_edu import SeparableLp
    >>> loss = SeparableLp([1.0], p=2)
    >>> run_warm_up(loss, [0.0], 0.5, learning_rate=0.1, steps=2).points.round(4)
    array([[0.    ],
           [0.025 ],
           [0.0499]])
    """
    shape = parameter_shape(loss)
    first = finite_array("w1", w1)
    if len(shape) != 1 or first.shape != shape:
        raise ValueError(f"w1 must have the shape (d,) of the loss, {shape}; got {first.shape}")
    network = LinearNetwork((first[None], np.array([[number("omega2", omega2)]])))
    rate = number("learning_rate", positive("learning_rate", learning_rate))
    run = train(network, loss, optimizer=GradientDescent(rate), steps=steps)
    if run.diverged_at >= 0:
        raise ValueError(
            f"learning_rate must be small enough to stay finite; with {rate:.3g} the run diverges "
            f"at step {int(run.diverged_at)}"
        )
    assert run.weights is not None  # train records them
    vectors, scalars = run.weights
    gradients = np.asarray(loss.gradient(run.points))[:-1]
    slopes = (vectors[:-1, 0] * gradients).sum(axis=-1)
    return WarmUpRun(rate, run.points, gradients, scalars[:, 0, 0], slopes)


def two_feature_loss(p: float) -> LpRegression:
    r"""Return the :math:`\ell_p` regression of miles per gallon on a car's weight and acceleration.

    Standardised features and target, mean loss, so that the path of ``w`` can be drawn.

    Parameters
    ----------
    p : float
        The power, at least 2.

    Returns
    -------
    LpRegression
        Of two parameters: weight first.

    Raises
    ------
    TypeError, ValueError
        If `p` is not a number of 2 or more.

    Examples
    --------
    >>> two_feature_loss(2).shape
    (2,)
    """
    cars = load_auto_mpg(standardized=True)
    columns = [cars.feature_names.index(name) for name in _FEATURES]
    return LpRegression(cars.X[:, columns], cars.y, p=p, reduction="mean")
