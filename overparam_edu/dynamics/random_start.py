"""How large the product of random layers starts: its mean square, and what a typical draw has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, at_least, brief, whole_number


def expected_square(widths: Sequence[int], scale: ArrayLike) -> Array:
    r"""Return the mean of :math:`\|W\|_F^2` over random layers: :math:`s^{2N} d\, m^{N-1} k`.

    ``W`` is the product of ``N`` layers of independent entries of mean 0 and standard deviation
    ``s``; with unequal hidden widths :math:`m^{N-1}` is their product. One more layer multiplies it
    by :math:`s^2 m`, so :math:`s = 1/\sqrt m` is critical. Du and Hu (2019) use that scale.

    Parameters
    ----------
    widths : sequence of int
        ``(d, n_1, ..., k)``, input to output, as for `near_zero_network`.
    scale : array_like, shape (...), the standard deviation ``s``, 0 or more

    Returns
    -------
    ndarray, shape (...)
        Infinity where it is beyond the largest float.

    Raises
    ------
    TypeError, ValueError
        If `widths` are not at least two whole numbers of 1 or more, or `scale` is negative.

    Examples
    --------
    >>> float(expected_square((2, 4, 4, 1), 0.5))
    0.5
    """
    sizes = _sizes(widths)
    with np.errstate(over="ignore"):
        mean: Array = at_least("scale", scale, 0) ** (2 * len(sizes) - 2) * np.prod(sizes)
    return mean


def typical_square(widths: Sequence[int], scale: ArrayLike) -> Array:
    r"""Return what :math:`\|W\|^2` typically is, for one output: the exponential of its mean log.

    With Gaussian layers :math:`\|W\|^2` is :math:`s^{2N}` times a product of independent
    :math:`\chi^2` variables of :math:`n_{N-1}, \dots, n_1, d` degrees of freedom, and
    :math:`\mathrm E \ln \chi^2_n = \psi(n/2) + \ln 2`. Narrow layers lie far below
    `expected_square`, which a few large draws carry.

    Parameters
    ----------
    widths, scale : as for `expected_square`; the last width is 1

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    TypeError, ValueError
        As `expected_square`, or if there is more than one output.

    Examples
    --------
    >>> widths = (1, *[1] * 9, 1)
    >>> float(expected_square(widths, 1.0)), float(typical_square(widths, 1.0).round(8))
    (1.0, 3.04e-06)
    """
    sizes = _sizes(widths)
    if sizes[-1] != 1:
        raise ValueError(f"widths must end with one output; got {brief(widths)}")
    from scipy.special import digamma  # a question or a check needs no SciPy

    logs = digamma(sizes[:-1] / 2) + np.log(2)
    with np.errstate(over="ignore"):
        typical: Array = at_least("scale", scale, 0) ** (2 * len(logs)) * np.exp(logs.sum())
    return typical


def _sizes(widths: Any) -> Array:
    if isinstance(widths, str) or not hasattr(widths, "__len__") or getattr(widths, "ndim", 1) == 0:
        raise TypeError(f"widths must be a sequence (d, n_1, ..., k); got {brief(widths)}")
    sizes = [whole_number(f"widths[{j}]", width, lower=1) for j, width in enumerate(widths)]
    if len(sizes) < 2:
        raise ValueError(f"widths must hold at least input and output size; got {brief(widths)}")
    return np.array(sizes, float)
