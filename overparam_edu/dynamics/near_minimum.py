"""Near a minimum the rule is linear: its curvatures there, and how many layers suit them.

Near a minimiser ``w*`` of a loss with Hessian ``H`` a step of the rule multiplies the distance to
it by ``I - learning_rate P H``, with the preconditioner ``P`` of Claim 2 at ``w*``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, brief, finite_answer, finite_array, shaped
from overparam_edu.dynamics.rule import checked_depth, length

# A smallest curvature below this fraction of the largest is 0, up to rounding.
_FLAT = 1e-14
# A condition number is smaller only if it is smaller by more than rounding.
_ROUNDING = 1e-12


@finite_answer
def curvatures_near(hessian: ArrayLike, minimizer: ArrayLike, depth: ArrayLike = 1) -> Array:
    r"""Return the curvatures that gradient descent on ``depth`` layers meets near a minimum.

    They are the eigenvalues of :math:`PH` with
    :math:`P = \|w^*\|^{2-2/N} \bigl(I + (N-1)\, u u^\top\bigr)`, :math:`u = w^*/\|w^*\|`: the rule
    (Claim 2 of the paper), made linear at ``w*``. Small learning rates below 2 over the largest
    converge, and the largest over the smallest is the condition number that decides how fast.

    Parameters
    ----------
    hessian : array_like, shape (..., d, d), ``H``, symmetric and positive semi-definite
    minimizer : array_like, shape (..., d), ``w*``, not 0
    depth : array_like, shape (...), ``N``, real, at least 1

    Returns
    -------
    ndarray, shape (..., d)
        Ascending, in the units of the Hessian.

    Raises
    ------
    TypeError, ValueError
        If `hessian` is not such a matrix, `minimizer` is 0 or does not fit it, or `depth` is
        below 1.

    Examples
    --------
    >>> curvatures_near([[0.02, 0.0], [0.0, 2.0]], [1.0, 0.0], [1, 4]).round(12)
    array([[0.02, 2.  ],
           [0.08, 2.  ]])
    """
    H = finite_array("hessian", hessian)
    if H.ndim < 2 or H.shape[-1] != H.shape[-2]:
        raise ValueError(f"hessian must have shape (..., d, d); got {H.shape}")
    largest = np.abs(H).max(axis=(-1, -2), keepdims=True)
    lowest = np.linalg.eigvalsh(H)[..., :1, None]
    if np.any(np.abs(H - np.swapaxes(H, -1, -2)) > 1e-9 * largest) or np.any(
        lowest < -1e-9 * largest
    ):
        raise ValueError(
            f"hessian must be symmetric and positive semi-definite; got {brief(H.tolist())}"
        )
    w = shaped("minimizer", minimizer, H.shape[-1:], batched=True)
    N = checked_depth(depth, 1)
    size = length(w)
    if np.any(size == 0):
        raise ValueError(f"minimizer must not be 0; got {brief(w.tolist())}")
    u = w / size[..., None]
    # P is the square of this symmetric matrix R, and P H has the eigenvalues of R H R.
    along = np.asarray(np.sqrt(N) - 1)[..., None, None] * (u[..., :, None] * u[..., None, :])
    R = np.asarray(size ** (1 - 1 / N))[..., None, None] * (np.eye(H.shape[-1]) + along)
    return np.asarray(np.linalg.eigvalsh(R @ H @ R), np.float64)


def condition_near(hessian: ArrayLike, minimizer: ArrayLike, depth: ArrayLike = 1) -> Array:
    r"""Return :math:`\kappa_N`, the condition number of the rule near a minimum.

    The largest of the `curvatures_near` over the smallest. At its best learning rate, 2 over the
    sum of the two, gradient descent multiplies the distance to the minimum by
    :math:`(\kappa_N-1)/(\kappa_N+1)` a step. It lies between :math:`\kappa(H)/N` and
    :math:`N\kappa(H)`.

    Parameters
    ----------
    hessian, minimizer, depth : array_like, as for `curvatures_near`

    Returns
    -------
    ndarray, shape (...)
        Infinity if a direction is flat.

    Raises
    ------
    TypeError, ValueError
        As `curvatures_near`.

    Examples
    --------
    >>> condition_near([[0.02, 0.0], [0.0, 2.0]], [1.0, 0.0], [1, 2, 4]).round(9)
    array([100.,  50.,  25.])
    """
    curvatures = curvatures_near(hessian, minimizer, depth)
    smallest, largest = curvatures[..., 0], curvatures[..., -1]
    flat = smallest <= _FLAT * largest
    kappa: Array = np.where(flat, np.inf, largest / np.where(flat, 1.0, smallest))
    return kappa


def best_depth(hessian: ArrayLike, minimizer: ArrayLike) -> int:
    r"""Return the number of layers whose condition number near a minimum is the smallest.

    In two dimensions the best real ``N`` is the curvature across :math:`w^*` over the curvature
    along it, if that is above 1. In any dimension :math:`\kappa_N` falls until its minimum and
    rises after it, since its numerator is convex in ``N`` and its denominator concave.

    Parameters
    ----------
    hessian : array_like, shape (d, d), ``H``, symmetric and positive definite
    minimizer : array_like, shape (d,), ``w*``, not 0

    Returns
    -------
    int
        The smallest of them if several are best.

    Raises
    ------
    TypeError, ValueError
        As `curvatures_near`; also if there are several matrices, or one that has a flat direction.

    Examples
    --------
    >>> best_depth([[0.02, 0.0], [0.0, 2.0]], [1.0, 0.0])
    100
    """
    kappa = condition_near(hessian, minimizer)
    if kappa.ndim:
        raise ValueError(f"hessian and minimizer must be one bowl's; got {kappa.shape} of them")
    if not np.isfinite(kappa):
        raise ValueError(f"hessian must be positive definite; got {brief(hessian)}")
    # Along w* a curvature is at least N times the smallest, across at most the largest: kappa_N is
    # at least N / kappa, so that no N above kappa^2 is best.
    fewest, most = 1, int(np.ceil(float(kappa) ** 2)) + 1
    while fewest < most:
        middle = (fewest + most) // 2
        here, next_ = condition_near(hessian, minimizer, [float(middle), float(middle + 1)])
        if next_ < here * (1 - _ROUNDING):
            fewest = middle + 1
        else:
            most = middle
    return fewest
