"""The warm-up's coefficients in a real run: NumPy companion of `warm_up`."""

# Without postponed annotations: tools must resolve the tuple's, wherever it is imported.
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu._validation import Array, finite_array, instance, positive


class WarmUpCoefficients(NamedTuple):
    """Learning rate and momentum of a run of T updates.

    Parameters
    ----------
    rho : ndarray, shape (T,)
        Learning rate on the gradient of the moment.
    gamma : ndarray, shape (T,)
        Relative shrinking of w; negative while the scalar grows.
    mu : ndarray, shape (T, T)
        ``mu[t, tau]`` is the push of the gradient of time tau in update t; 0 unless tau < t.
    """

    rho: Array
    gamma: Array
    mu: Array


def warm_up_coefficients(
    omega2: ArrayLike, d_omega2: ArrayLike, eta: ArrayLike
) -> WarmUpCoefficients:
    r"""Return the learning rate and momentum that one extra scalar gave to a real run.

    :math:`\rho_t = \eta \omega_2^2`, :math:`\gamma_t = \eta\, (\partial L/\partial \omega_2) /
    \omega_2`, :math:`\mu_{t,\tau} = -\gamma_t \rho_\tau \prod_{s=\tau+1}^{t-1} (1 - \gamma_s)`.
    Talk, "Warm-up"; Arora, Cohen, Hazan (2018), section 3.

    Parameters
    ----------
    omega2 : array_like, shape (T,)
        The scalar before each of the T updates; never 0.
    d_omega2 : array_like, shape (T,)
        Derivative of the loss by the scalar, ``<w_1, gradient>``, before each update.
    eta : array_like, scalar or shape (T,)
        Learning rate.

    Returns
    -------
    WarmUpCoefficients
        rho (T,), gamma (T,) and the lower triangle mu (T, T).

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite real numbers of these shapes, eta is not positive, or omega2
        holds 0.

    Notes
    -----
    mu takes T * T numbers: 1,000 updates are 8 MB. Thin out a long run before.

    Examples
    --------
    >>> rho, gamma, mu = warm_up_coefficients([0.5, 1.0], [-1.0, -2.0], 0.1)
    >>> rho, gamma
    (array([0.025, 0.1  ]), array([-0.2, -0.2]))
    >>> mu
    array([[0.   , 0.   ],
           [0.005, 0.   ]])
    """
    scalar, slope = finite_array("omega2", omega2), finite_array("d_omega2", d_omega2)
    rate = positive("eta", eta)
    if scalar.ndim != 1:
        raise ValueError(f"omega2 must have shape (T,); got shape {scalar.shape}")
    if slope.shape != scalar.shape:
        raise ValueError(
            f"d_omega2 must have the shape of omega2, {scalar.shape}; got shape {slope.shape}"
        )
    if rate.shape not in ((), scalar.shape):
        raise ValueError(
            f"eta must be one number or have the shape of omega2, {scalar.shape}; "
            f"got shape {rate.shape}"
        )
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


def rebuild_from_gradients(
    coefficients: WarmUpCoefficients, gradients: ArrayLike, *, start: ArrayLike | None = None
) -> Array:
    r"""Rebuild a run from its past gradients alone, by the warm-up's rule.

    :math:`w(t+1) = w(t) - \rho_t \nabla_t - \sum_{\tau<t} \mu_{t,\tau} \nabla_\tau`. Talk,
    "Warm-up"; paper, section 3.

    Parameters
    ----------
    coefficients : WarmUpCoefficients
        Of T updates.
    gradients : array_like, shape (T, d)
        Gradient of the loss at ``w(0), ..., w(T-1)``.
    start : array_like, shape (d,), optional
        ``w(0)``; the rule takes it to be 0. If given, its own stretching by ``1 - gamma_t`` is
        included.

    Returns
    -------
    ndarray, shape (T + 1, d)
        The rebuilt ``w(0), ..., w(T)``.

    Raises
    ------
    TypeError, ValueError
        If `coefficients` are something else, or `gradients` or `start` are not finite real numbers
        of these shapes.

    Notes
    -----
    The rule drops a term of size eta squared in each update. Over a fixed time ``eta * T`` the
    error is therefore of first order in eta.

    Examples
    --------
    >>> run = warm_up_coefficients([0.5, 1.0], [-1.0, -2.0], 0.1)
    >>> rebuild_from_gradients(run, [[-2.0], [-1.0]]).round(3)
    array([[0.  ],
           [0.05],
           [0.16]])
    """
    instance("coefficients", coefficients, WarmUpCoefficients)
    slopes = finite_array("gradients", gradients)
    if slopes.ndim != 2 or len(slopes) != len(coefficients.rho):
        raise ValueError(
            f"gradients must have shape (T, d) with T = {len(coefficients.rho)}; "
            f"got shape {slopes.shape}"
        )
    first = np.zeros(slopes.shape[1]) if start is None else finite_array("start", start)
    if first.shape != slopes.shape[1:]:
        raise ValueError(f"start must have shape {slopes.shape[1:]}; got shape {first.shape}")
    steps = -coefficients.rho[:, None] * slopes - coefficients.mu @ slopes
    stretch = np.concatenate([[1.0], np.cumprod(1 - coefficients.gamma)])
    moved = np.vstack([np.zeros_like(first), np.cumsum(steps, axis=0)])
    result: Array = stretch[:, None] * first + moved
    return result
