"""When each singular value is learned: the clock of depth for a matrix.

Sources: Saxe, McClelland and Ganguli, ICLR 2014 (depth 2); Gissin, Shalev-Shwartz and Daniely,
ICLR 2020 (any depth, and how small a start makes one mode wait for the other).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, at_least, brief, broadcast, finite_answer, positive


@finite_answer
def learning_time(
    target: ArrayLike, start: ArrayLike, depth: ArrayLike, *, share: ArrayLike = 0.5
) -> Array:
    r"""Return when a singular value has reached a share of its target, in closed form.

    With whitened inputs, and a balanced start along the target's singular vectors, the rule's
    flow keeps the vectors, and each singular value obeys

    .. math:: \dot s = N s^{2-2/N} (\sigma - s).

    At depth 2 half is reached at :math:`\ln(\sigma/s_0 - 1) / (2\sigma)` (Saxe et al. 2014). For
    :math:`s_0 \to 0` times of different targets are in the ratio :math:`\sigma_1 / \sigma_2` at any
    depth from 2 on (Gissin et al. 2020), and all equal at depth 1.

    Parameters
    ----------
    target : array_like, shape (...)
        ``sigma``, positive.
    start : array_like, shape (...)
        The singular value at time 0, positive, at most ``share * target``.
    depth : array_like, shape (...)
        ``N``, real, at least 1.
    share : array_like, shape (...)
        Between 0 and 1.

    Returns
    -------
    ndarray, shape (...)
        Times of the flow; ``t`` is after ``t / eta`` small steps of gradient descent.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite real numbers or out of range, or shapes do not fit.

    Examples
    --------
    >>> float(learning_time(1.0, 0.01, depth=2).round(4))  # ln(99) / 2
    2.2976
    """
    sigma, s0 = positive("target", target), positive("start", start)
    N, end = at_least("depth", depth, 1), positive("share", share)
    broadcast(target=sigma.shape, start=s0.shape, depth=N.shape, share=end.shape)
    if np.any(end >= 1):
        raise ValueError(f"share must be below 1; got {brief(share)}")
    if np.any(s0 > end * sigma):
        raise ValueError(f"start must be at most share * target; got {brief(start)}")
    # With x = s / sigma: dt = sigma^(2/N - 2) / N * dx / (x^(2 - 2/N) (1 - x)), which falls into a
    # power of x and x^(2/N - 1) / (1 - x).
    time: Array = sigma ** (2 / N - 2) / N * (_integral(end, N) - _integral(s0 / sigma, N))
    return time


def _integral(x: Array, N: Array) -> Array:
    """Return an antiderivative of ``1 / (x^(2 - 2/N) (1 - x))``."""
    from scipy.special import hyp2f1

    b, c = 2 / N, 2 / N - 1
    power = np.where(c == 0, np.log(x), x**c / np.where(c == 0, 1.0, c))
    rest: Array = power + x**b / b * hyp2f1(1, b, 1 + b, x)
    return rest
