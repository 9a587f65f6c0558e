"""What is minimised: loss functions of the end-to-end parameter, batched over leading axes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, brief, comparable, finite_array, number, one_of, shaped

# Numbers at once: 350 KB of examples, or of their residuals, stay in the processor's cache.
_CACHED = 45_056
# Losses from here are trusted in the training loop; what others return is checked each time.
_OURS = __name__.partition(".")[0] + "."


class SupportsGradient(Protocol):
    """What `descend` and `train` ask of a loss, so that you can bring your own.

    ``shape`` is the parameter's shape, ``(d,)`` or ``(k, d)``; ``value`` maps ``(..., *shape)`` to
    ``(...)`` and ``gradient`` maps it to ``(..., *shape)``.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    def value(self, w: ArrayLike) -> Array: ...  # noqa: D102

    def gradient(self, w: ArrayLike) -> Array: ...  # noqa: D102


@comparable
class Loss(ABC):
    """A differentiable loss of a vector ``w`` (d,) or an end-to-end matrix ``W`` (k, d).

    Subclasses set ``shape`` and write ``_value`` and ``_gradient``, which take a float64 array
    (..., *shape) unchecked: `descend` calls them in its loop, where a run that diverges must be let
    through to be reported.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def _value(self, w: Array) -> Array: ...

    @abstractmethod
    def _gradient(self, w: Array) -> Array: ...

    def value(self, w: ArrayLike) -> Array:
        """Return the loss at `w`; infinite or NaN where it is beyond the largest float.

        Parameters
        ----------
        w : array_like, shape (..., *shape)
            One parameter, or a batch of them along leading axes.

        Returns
        -------
        ndarray, shape (...)

        Raises
        ------
        TypeError, ValueError
            If `w` is not finite real numbers, or its last axes are not ``shape``.
        """
        w = shaped("w", w, self.shape, batched=True)
        with np.errstate(all="ignore"):
            return self._value(w)

    def gradient(self, w: ArrayLike) -> Array:
        """Return the gradient of the loss at `w`; infinite or NaN as `value`.

        Parameters
        ----------
        w : array_like, shape (..., *shape), as for `value`

        Returns
        -------
        ndarray, shape (..., *shape)

        Raises
        ------
        TypeError, ValueError
            If `w` is not finite real numbers, or its last axes are not ``shape``.
        """
        w = shaped("w", w, self.shape, batched=True)
        with np.errstate(all="ignore"):
            return self._gradient(w)


def parameter_shape(loss: SupportsGradient) -> tuple[int, ...]:
    """Return the shape of a loss's parameter, or say what a loss must have."""
    shape = getattr(loss, "shape", None)
    callables = all(callable(getattr(loss, name, None)) for name in ("value", "gradient"))
    if not callables or not isinstance(shape, tuple) or len(shape) not in (1, 2):
        raise TypeError(
            f"loss must have .shape (d,) or (k, d), .value and .gradient; got {brief(loss)}"
        )
    return shape


def unchecked(loss: SupportsGradient) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Return a loss's value and gradient as functions that give NaN where a run has diverged.

    A loss of your own is not even asked there, since it may refuse what is not finite. It gets a
    copy, in which it may write, and what it answers must be numbers of the right shape.
    """
    if isinstance(loss, Loss) and type(loss).__module__.startswith(_OURS):
        return loss._value, loss._gradient
    axes = tuple(range(-len(loss.shape), 0))

    def where_finite(name: str, w: Array, own: tuple[int, ...]) -> Array:
        finite = np.isfinite(w).all(axis=axes)
        result = np.full(finite.shape + own, np.nan)
        if not finite.any():
            return result
        asked = w.copy() if finite.all() else w[finite]
        answer = getattr(loss, name)(asked)
        wanted = asked.shape[: asked.ndim - len(axes)] + own
        if np.shape(answer) != wanted or np.asarray(answer).dtype.kind not in "fiu":
            raise ValueError(
                f"loss.{name} must return real numbers of shape {wanted} for w of shape "
                f"{asked.shape}; got {brief(answer)}"
            )
        result[finite if asked.shape != w.shape else ...] = answer
        return result

    return (
        lambda w: where_finite("value", w, ()),
        lambda w: where_finite("gradient", w, loss.shape),
    )


def _odd_power(r: Array, p: float) -> Array:
    """Return ``sign(r) |r|^(p-1)``; ``np.power`` would take ten times as long for small even p."""
    if p == 2:
        return r
    if p == 4:
        return r * r * r
    if p == 6:
        square = r * r
        return square * square * r
    power: Array = np.power(np.abs(r), p - 2) * r
    return power


class SeparableLp(Loss):
    r"""The talk's illustration: one power of the distance per coordinate.

    .. math:: L(w) = \sum_i \tfrac1p |w_i - y_i|^p

    For even ``p`` this is the talk's :math:`\tfrac1p (w_i - y_i)^p` (section "Illustration of
    Acceleration", with two coordinates and :math:`y_1 \gg y_2`).

    Parameters
    ----------
    targets : array_like, shape (d,), the minimiser ``y``
    p : float, the power, real, at least 2

    Raises
    ------
    TypeError, ValueError
        If `targets` is not a vector of finite numbers, or `p` is not a number of 2 or more.

    Examples
    --------
    >>> loss = SeparableLp(targets=(1.0, 0.1), p=4)
    >>> loss.gradient([0.0, 0.0]).round(4)
    array([-1.   , -0.001])
    """

    def __init__(self, targets: ArrayLike = (1.0, 0.1), p: float = 4) -> None:
        self.targets = finite_array("targets", targets)
        if self.targets.ndim != 1:
            raise ValueError(f"targets must have shape (d,); got {self.targets.shape}")
        self.p = number("p", p, lower=2)
        self.shape = self.targets.shape

    def __repr__(self) -> str:
        return f"SeparableLp(targets={tuple(self.targets.tolist())}, p={self.p:g})"

    def _value(self, w: Array) -> Array:
        r = w - self.targets
        value: Array = (_odd_power(r, self.p) * r).sum(axis=-1) / self.p
        return value

    def _gradient(self, w: Array) -> Array:
        return _odd_power(w - self.targets, self.p)


class LpRegression(Loss):
    r"""The :math:`\ell_p` regression loss of the talk and paper (section 2).

    .. math:: L(w) = \sum_{i=1}^n \tfrac1p |\langle x_i, w\rangle - y_i|^p

    With several outputs, ``y`` is ``(n, k)``, the parameter is the end-to-end matrix ``W``
    ``(k, d)`` and the sum runs over the outputs as well.

    Parameters
    ----------
    X : array_like, shape (n, d), one example a row
    y : array_like, shape (n,) or (n, k), the targets
    p : float, the power, real, at least 2
    reduction : {"sum", "mean"}
        Sum over the examples, as in the talk, or divide by ``n``.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not finite or do not fit, or `p` or `reduction` is not allowed.

    Examples
    --------
    >>> LpRegression([[1.0, 0.0], [0.0, 2.0]], [1.0, 2.0], p=2).gradient([0.0, 0.0])
    array([-1., -4.])
    """

    def __init__(self, X: ArrayLike, y: ArrayLike, p: float = 4, *, reduction: str = "sum") -> None:
        self.X, self.y = finite_array("X", X), finite_array("y", y)
        if self.X.ndim != 2:
            raise ValueError(f"X must have shape (n, d); got {self.X.shape}")
        if self.y.ndim not in (1, 2) or len(self.y) != len(self.X):
            raise ValueError(
                f"y must have shape (n,) or (n, k) with n = {len(self.X)}; got {self.y.shape}"
            )
        self.p = number("p", p, lower=2)
        self.reduction = one_of("reduction", reduction, ("sum", "mean"))
        self.shape = (*self.y.shape[1:], self.X.shape[1])
        self._table = np.column_stack([self.X, self.y])
        self._minus = -np.eye(self._table.shape[1] - self.X.shape[1])
        self._weight = 1.0 if reduction == "sum" else 1.0 / len(self.X)

    def __repr__(self) -> str:
        n, d = self.X.shape
        return f"LpRegression(n={n}, d={d}, p={self.p:g}, reduction={self.reduction!r})"

    def _value(self, w: Array) -> Array:
        powers = reduce(
            np.add, ((_odd_power(r, self.p) * r).sum(axis=0) for _, r in self._residuals(w))
        )
        lanes = w.shape[: w.ndim - len(self.shape)]
        total: Array = powers.reshape(*lanes, -1).sum(axis=-1)
        return total * (self._weight / self.p)

    def _gradient(self, w: Array) -> Array:
        total: Array = reduce(np.add, (X.T @ _odd_power(r, self.p) for X, r in self._residuals(w)))
        if self._weight != 1.0:
            total *= self._weight
        return total.T.reshape(w.shape)

    def _residuals(self, w: Array) -> Iterator[tuple[Array, Array]]:
        """Yield examples and residuals ``[X, y] @ [w, -1]``, as many as fit in the cache."""
        (n, d), wide = self.X.shape, self._table.shape[1]
        # BLAS is quickest with the lanes in columns.
        parameters = np.empty((wide, w.size // d))
        parameters[:d] = w.reshape(-1, d).T
        parameters[d:].reshape(wide - d, -1, wide - d)[...] = self._minus[:, None]
        parts = -(-n * max(parameters.shape) // _CACHED)
        size = -(-n // parts)
        for first in range(0, n, size):
            rows = self._table[first : first + size]
            yield rows[:, :d], rows @ parameters


class LinearLoss(Loss):
    r"""A loss with the same gradient everywhere, :math:`L(w) = \langle g, w\rangle`.

    It has no minimum; it is the example behind "no regularizer" (paper, section 6).

    Parameters
    ----------
    slope : array_like, shape (d,) or (k, d), the gradient ``g``

    Raises
    ------
    TypeError, ValueError
        If `slope` is not a vector or matrix of finite numbers.
    """

    def __init__(self, slope: ArrayLike) -> None:
        self.slope = finite_array("slope", slope)
        if self.slope.ndim not in (1, 2):
            raise ValueError(f"slope must have shape (d,) or (k, d); got {self.slope.shape}")
        self.shape = self.slope.shape

    def __repr__(self) -> str:
        return f"LinearLoss(slope={self.slope.tolist()})"

    def _value(self, w: Array) -> Array:
        value: Array = (w * self.slope).sum(axis=tuple(range(-len(self.shape), 0)))
        return value

    def _gradient(self, w: Array) -> Array:
        return np.broadcast_to(self.slope, w.shape).copy()


class QuadraticLoss(Loss):
    r"""A quadratic bowl, :math:`L(w) = \tfrac12 (w - w^*)^\top H (w - w^*)`.

    Parameters
    ----------
    hessian : array_like, shape (d, d), ``H``, symmetric; its eigenvalues are the curvatures
    minimizer : array_like, shape (d,), optional
        :math:`w^*`; the origin if not given.

    Raises
    ------
    TypeError, ValueError
        If `hessian` is not square, symmetric and finite, or `minimizer` does not fit it.
    """

    def __init__(self, hessian: ArrayLike, minimizer: ArrayLike | None = None) -> None:
        self.hessian = finite_array("hessian", hessian)
        H = self.hessian
        if H.ndim != 2 or H.shape[0] != H.shape[1] or not np.allclose(H, H.T, rtol=1e-12, atol=0):
            raise ValueError(f"hessian must be a symmetric (d, d) matrix; got {H.tolist()}")
        self.shape = H.shape[:1]
        centre = np.zeros(self.shape) if minimizer is None else minimizer
        self.minimizer = shaped("minimizer", centre, self.shape)

    def __repr__(self) -> str:
        return f"QuadraticLoss(hessian={self.hessian.tolist()})"

    def _value(self, w: Array) -> Array:
        value: Array = 0.5 * ((w - self.minimizer) * self._gradient(w)).sum(axis=-1)
        return value

    def _gradient(self, w: Array) -> Array:
        gradient: Array = (w - self.minimizer) @ self.hessian
        return gradient
