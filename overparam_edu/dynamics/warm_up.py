"""The warm-up: gradient descent on a vector and one extra scalar, and its memory of gradients.

Source: the talk's "Warm-up" and section 3 of Arora, Cohen and Hazan, ICML 2018.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    comparable,
    finite_answer,
    finite_array,
    instance,
    number,
    positive,
    shaped,
)
from overparam_edu.dynamics.losses import SupportsGradient, parameter_shape, unchecked
from overparam_edu.dynamics.networks import LinearNetwork
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.training import train


@comparable
class WarmUpRun(NamedTuple):
    """A run of T updates of ``w = w_1 omega_2``, and what the warm-up's coefficients need.

    Attributes
    ----------
    learning_rate : float, ``eta``, the same for both factors
    points : ndarray (T + 1, d), ``w`` before each update, and at the end
    gradients : ndarray (T, d), the loss's gradient by ``w`` before each update
    omega2 : ndarray (T + 1,), the scalar before each update, and at the end
    d_omega2 : ndarray (T,), the loss's derivative by the scalar, ``<w_1, gradient>``, likewise
    """

    learning_rate: float
    points: Array
    gradients: Array
    omega2: Array
    d_omega2: Array


@comparable
class WarmUpCoefficients(NamedTuple):
    """Learning rate and momentum of a run of T updates.

    Attributes
    ----------
    rho : ndarray (T,), the learning rate on the current gradient
    gamma : ndarray (T,), the relative shrinking of w; negative while the scalar grows in size
    mu : ndarray (T, T), the push in update t of the gradient of time tau; 0 unless tau < t
    """

    rho: Array
    gamma: Array
    mu: Array


def run_warm_up(
    loss: SupportsGradient, w1: ArrayLike, omega2: float, *, learning_rate: float, steps: int
) -> WarmUpRun:
    r"""Minimise :math:`L(w_1 \omega_2)` by gradient descent on the vector and the scalar.

    It is `train` of a network of depth 2 whose hidden layer has width 1.

    Parameters
    ----------
    loss : Loss of a vector (d,)
    w1 : array_like, shape (d,), where the vector starts
    omega2 : float, where the scalar starts
    learning_rate : float
        ``eta``, positive.
    steps : int, number of updates T, 0 or more

    Returns
    -------
    WarmUpRun

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range, or the run diverges.
    """
    shape = parameter_shape(loss)
    if len(shape) != 1:
        raise ValueError(f"loss must be of a vector (d,); got shape {shape}")
    first = shaped("w1", w1, shape)
    network = LinearNetwork((first[None], np.array([[number("omega2", omega2)]])))
    rate = float(positive("learning_rate", number("learning_rate", learning_rate)))
    run = train(network, loss, optimizer=GradientDescent(rate), steps=steps)
    if run.diverged_at >= 0:
        raise ValueError(
            f"learning_rate must be small enough to stay finite; with {rate:.3g} the run diverges "
            f"at step {int(run.diverged_at)}"
        )
    assert run.weights is not None  # train records them
    vectors, scalars = run.weights
    gradients = unchecked(loss)[1](run.points)[:-1]
    slopes = (vectors[:-1, 0] * gradients).sum(axis=-1)
    return WarmUpRun(rate, run.points, gradients, scalars[:, 0, 0], slopes)


@finite_answer
def warm_up_coefficients(
    omega2: ArrayLike, d_omega2: ArrayLike, eta: ArrayLike
) -> WarmUpCoefficients:
    r"""Return the learning rate and momentum that one extra scalar gave to a run.

    :math:`\rho_t = \eta \omega_2^2`, :math:`\gamma_t = \eta\, (\partial L/\partial \omega_2) /
    \omega_2`, :math:`\mu_{t,\tau} = -\gamma_t \rho_\tau \prod_{s=\tau+1}^{t-1} (1 - \gamma_s)`.
    As mu holds T * T numbers (8 MB for 1,000 updates), thin out a long run before.

    Parameters
    ----------
    omega2 : array_like, shape (T,), the scalar before each of the T updates; never 0
    d_omega2 : array_like, shape (T,)
        Derivative of the loss by the scalar, ``<w_1, gradient>``, before each update.
    eta : array_like, scalar or shape (T,)
        Learning rate.

    Returns
    -------
    WarmUpCoefficients
        With rho (T,), gamma (T,) and the lower triangle mu (T, T).

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite or of another shape, eta is not positive, or omega2 holds 0.
    """
    scalar, rate = finite_array("omega2", omega2), positive("eta", eta)
    if scalar.ndim != 1:
        raise ValueError(f"omega2 must have shape (T,); got shape {scalar.shape}")
    affordable("omega2", scalar.shape, numbers=4 * scalar.size**2)
    slope = shaped("d_omega2", d_omega2, scalar.shape)
    if rate.ndim:
        shaped("eta", rate, scalar.shape)
    if np.any(scalar == 0):
        raise ValueError(f"omega2 must not be 0; got 0 at update {int(np.argmin(scalar != 0))}")
    rho = rate * scalar**2
    gamma = rate * slope / scalar
    time = np.arange(len(scalar))
    # Row s, column tau: the factor 1 - gamma_s if s comes after tau. The running product over s
    # needs no division, so a factor 0 does no harm (a quotient of products would).
    after = time[:, None] > time
    fade = np.cumprod(np.where(after, 1 - gamma[:, None], 1.0), axis=0)
    until_before = np.vstack([np.ones_like(rho), fade[:-1]])
    mu = np.where(after, -gamma[:, None] * rho * until_before, 0.0)
    return WarmUpCoefficients(rho, gamma, mu)


@finite_answer
def rebuild_from_gradients(
    coefficients: WarmUpCoefficients, gradients: ArrayLike, *, start: ArrayLike | None = None
) -> Array:
    r"""Rebuild a run from its past gradients alone, by the warm-up's rule.

    :math:`w(t+1) = w(t) - \rho_t \nabla_t - \sum_{\tau<t} \mu_{t,\tau} \nabla_\tau`. The rule drops
    a term of size eta squared in each update: over a fixed time ``eta * T`` the error is of first
    order in eta.

    Parameters
    ----------
    coefficients : WarmUpCoefficients
        Of T updates.
    gradients : array_like, shape (T, d), gradient of the loss at ``w(0), ..., w(T-1)``
    start : array_like, shape (d,), optional
        ``w(0)``, stretched by each ``1 - gamma_t``; the rule takes it to be 0.

    Returns
    -------
    ndarray, shape (T + 1, d)
        The rebuilt ``w(0), ..., w(T)``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type, or not finite real numbers of these shapes.
    """
    instance("coefficients", coefficients, WarmUpCoefficients)
    rho, gamma, mu = coefficients
    slopes = finite_array("gradients", gradients)
    if slopes.ndim != 2 or len(slopes) != len(rho):
        raise ValueError(
            f"gradients must have shape (T, d) with T = {len(rho)}; got shape {slopes.shape}"
        )
    first = shaped("start", np.zeros(slopes.shape[1]) if start is None else start, slopes.shape[1:])
    moved = np.cumsum(-rho[:, None] * slopes - mu @ slopes, axis=0)
    stretch = np.concatenate([[1.0], np.cumprod(1 - gamma)])
    result: Array = stretch[:, None] * first + np.vstack([np.zeros_like(first), moved])
    return result
