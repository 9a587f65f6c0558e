"""Regression on real data with layers of width 1: learning curves on a grid of learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, finite_array, number, one_of, positive, whole_number
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.networks import (
    LinearNetwork,
    balanced_network,
    identity_network,
    near_zero_network,
)
from overparam_edu.dynamics.optimizers import AdaDelta, AdaGrad, Adam, GradientDescent
from overparam_edu.dynamics.training import descend, train
from overparam_edu.experiments.sweep import Arrays, sweep

OPTIMIZERS = {
    "gradient descent": GradientDescent,
    "AdaGrad": AdaGrad,
    "AdaDelta": AdaDelta,
    "Adam": Adam,
}
# Rates tried if none are given. For gradient descent they are multiples of 2 / curvature at 0: for
# p = 2 the linear model diverges above 1, for larger p later, as the curvature falls on the way.
_RATES = {
    "gradient descent": np.geomspace(0.2, 10.0, 16),
    "AdaGrad": np.geomspace(1e-3, 1.0, 16),
    "AdaDelta": np.geomspace(1e-3, 1.0, 16),
    "Adam": np.geomspace(1e-4, 1e-1, 16),
}
STARTS = ("near zero", "balanced", "identity", "orthogonal", "rule")


class Curves(NamedTuple):
    """Learning curves of one network and one optimizer, for several learning rates and seeds.

    Attributes
    ----------
    depth : int
        Number of layers ``N``; all hidden layers have width 1.
    optimizer : str
        A key of ``OPTIMIZERS``.
    p : float
        The power of the loss.
    start : str
        How the layers start, one of ``STARTS``.
    rates : ndarray, shape (rates,)
        Learning rates, increasing.
    seeds : ndarray of int, shape (seeds,)
        Of the random start.
    steps : ndarray of int, shape (records,)
        Iterations at which the loss was recorded, about evenly spaced on a logarithmic axis.
    losses : ndarray, shape (records, seeds, rates)
        Mean loss over the examples; NaN from where a run diverged.
    diverged_at : ndarray of int, shape (seeds, rates)
        First iteration outside the finite range, -1 where there is none.
    """

    depth: int
    optimizer: str
    p: float
    start: str
    rates: Array
    seeds: np.ndarray
    steps: np.ndarray
    losses: Array
    diverged_at: np.ndarray


@dataclass(frozen=True, eq=False)
class WidthOneRun:
    """What one network with hidden layers of width 1 does on a data set: a run for `sweep`.

    All seeds and learning rates are lanes of one vectorised loop.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        One example a row.
    y : ndarray, shape (n,)
        The target.
    p : float
        The power of the loss.
    depth : int
        Number of layers.
    optimizer : str
        A key of ``OPTIMIZERS``.
    rates : tuple of float
        Learning rates.
    seeds : tuple of int
        Seeds of the start.
    record : tuple of int
        Iterations at which the loss is recorded; the last ends the run.
    start : {"near zero", "balanced", "identity", "orthogonal", "rule"}
        Independent Gaussian weights; the balanced layers of a Gaussian end-to-end vector; the
        identity plus Gaussian noise; a random direction of length 1 times ones; or no layers at
        all but the end-to-end rule from where "balanced" starts.
    scale : float
        Standard deviation of the Gaussians.
    """

    X: Array
    y: Array
    p: float
    depth: int
    optimizer: str
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    record: tuple[int, ...]
    start: str = "near zero"
    scale: float = 1e-2

    def __call__(self) -> Arrays:
        """Return ``losses`` (records, seeds, rates) and ``diverged_at`` (seeds, rates)."""
        loss = LpRegression(self.X, self.y, self.p, reduction="mean")
        lanes = (len(self.seeds), len(self.rates))
        rates = np.tile(self.rates, len(self.seeds))
        starts = [self._start(seed) for seed in self.seeds for _ in self.rates]
        optimizer = OPTIMIZERS[self.optimizer](rates)
        layers = zip(*(network.weights for network in starts), strict=True)
        network = LinearNetwork(tuple(np.stack(W) for W in layers))
        if self.start == "rule":
            ends = network.end_to_end_matrix[:, 0]
            move = partial(descend, loss, ends, depth=self.depth)
        else:
            move = partial(train, network, loss)
        run = move(optimizer=optimizer, steps=self.record[-1], record=self.record, progress=False)
        return {
            "losses": run.losses.reshape(-1, *lanes),
            "diverged_at": run.diverged_at.reshape(lanes),
        }

    def _start(self, seed: int) -> LinearNetwork:
        d, N = self.X.shape[1], self.depth
        widths, rng = (d, *[1] * N), np.random.default_rng(seed)
        if self.start == "near zero":
            return near_zero_network(widths, self.scale, rng=rng)
        if self.start == "identity":
            return identity_network(widths, self.scale, rng=rng)
        w: Array = rng.standard_normal((d,))
        if self.start == "orthogonal":
            return LinearNetwork((w[None] / np.linalg.norm(w), *[np.ones((1, 1))] * (N - 1)))
        return balanced_network(self.scale * w, N)

    def curves(self, result: Arrays) -> Curves:
        """Return what the run found, together with what was run.

        Parameters
        ----------
        result : dict of str to ndarray
            From calling this run, here or in `sweep`.

        Returns
        -------
        Curves
        """
        return Curves(
            self.depth,
            self.optimizer,
            self.p,
            self.start,
            np.array(self.rates),
            np.array(self.seeds),
            np.array(self.record),
            result["losses"],
            result["diverged_at"],
        )


def learning_curves(
    X: ArrayLike,
    y: ArrayLike,
    *,
    p: float = 4,
    depths: Sequence[int] = (1, 2, 3),
    optimizer: str = "gradient descent",
    rates: ArrayLike | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 3_000,
    start: str = "near zero",
    scale: float = 1e-2,
    records: int = 400,
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: bool | None = None,
) -> tuple[Curves, ...]:
    r"""Train linear networks of several depths at every learning rate of a grid.

    The talk's experiment: :math:`\ell_p` regression, full batch, hidden layers of width 1 (talk,
    "experiments"; paper, section 8).

    Parameters
    ----------
    X : array_like, shape (n, d)
        One example a row; standardised columns, to compare with the talk.
    y : array_like, shape (n,)
        The target, likewise.
    p : float
        The power of the loss, at least 2.
    depths : sequence of int
        Numbers of layers, each at least 1.
    optimizer : {"gradient descent", "AdaGrad", "AdaDelta", "Adam"}
        Acts on the layers.
    rates : array_like, shape (rates,), optional
        Learning rates. If not given, 16: for gradient descent from 1/5 to 10 times
        ``2 / curvature at 0`` (`curvature_at_zero`).
    seeds : sequence of int
        Seeds of the start.
    steps : int
        Iterations.
    start : {"near zero", "balanced", "identity", "orthogonal", "rule"}
        As in `WidthOneRun`.
    scale : float
        Standard deviation of the start's weights.
    records : int
        Iterations at which the loss is recorded, at most.
    executor : concurrent.futures.Executor, optional
        As in `sweep`: one run is one depth, with all rates and seeds.
    store : str or Path, optional
        As in `sweep`.
    progress : bool, optional
        As in `sweep`.

    Returns
    -------
    tuple of Curves
        One for each depth.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape, is out of range or another word.

    Examples
    --------
    >>> from overparam_edu import load_auto_mpg
    >>> cars = load_auto_mpg(standardized=True)
    >>> linear, deep = learning_curves(cars.X, cars.y, depths=(1, 2), steps=100)
    >>> deep.losses[-1].shape
    (3, 16)
    """
    loss = LpRegression(X, y, p)
    if loss.y.ndim != 1:
        raise ValueError(f"y must have shape (n,); got {loss.y.shape}")
    one_of("optimizer", optimizer, tuple(OPTIMIZERS))
    one_of("start", start, STARTS)
    if rates is None:
        unit = 2 / curvature_at_zero(loss.X, loss.y, p) if optimizer == "gradient descent" else 1
        rates = unit * _RATES[optimizer]
    tried = np.unique(positive("rates", rates))
    record = tuple(log_spaced(steps, count=records).tolist())
    runs = [
        WidthOneRun(
            loss.X,
            loss.y,
            loss.p,
            whole_number("depths", N, lower=1),
            optimizer,
            tuple(tried.tolist()),
            tuple(whole_number("seeds", seed, lower=0) for seed in seeds),
            record,
            start,
            number("scale", scale, lower=0),
        )
        for N in depths
    ]
    results = sweep(runs, executor, store=store, progress=progress)
    return tuple(run.curves(result) for run, result in zip(runs, results, strict=True))


def log_spaced(steps: int, *, count: int = 200) -> np.ndarray:
    """Return iterations from 0 to `steps`, about evenly spaced on a logarithmic axis.

    Parameters
    ----------
    steps : int
        The last, at least 1.
    count : int
        How many at most, at least 3. Small iterations come once each.

    Returns
    -------
    ndarray of int, shape (records,)

    Raises
    ------
    TypeError, ValueError
        If an argument is not a whole number or too small.

    Examples
    --------
    >>> log_spaced(100, count=6)
    array([  0,   1,   3,  10,  32, 100])
    """
    steps, count = whole_number("steps", steps, lower=1), whole_number("count", count, lower=3)
    return np.unique(np.append(0, np.rint(np.geomspace(1, steps, count - 1)))).astype(np.int64)


def curvature_at_zero(X: ArrayLike, y: ArrayLike, p: float) -> float:
    r"""Return the largest curvature of the mean loss at :math:`w = 0`.

    .. math:: \lambda_{\max}\Bigl(\frac{p-1}{n} \sum_i |y_i|^{p-2} x_i x_i^\top\Bigr)

    Parameters
    ----------
    X : array_like, shape (n, d)
        One example a row.
    y : array_like, shape (n,)
        The target.
    p : float
        The power, at least 2.

    Returns
    -------
    float
        For ``p = 2``, gradient descent at depth 1 diverges at rates above 2 over this.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite numbers or `p` is below 2.

    Examples
    --------
    >>> curvature_at_zero([[1.0], [2.0]], [1.0, 1.0], p=2)
    2.5
    """
    X, y, p = finite_array("X", X), finite_array("y", y), number("p", p, lower=2)
    hessian = (p - 1) / len(y) * (X.T * np.abs(y) ** (p - 2)) @ X
    return float(np.linalg.eigvalsh(hessian)[-1])


def least_loss(loss: LpRegression) -> float:
    """Return the minimum of a regression loss, to about 12 digits.

    Parameters
    ----------
    loss : LpRegression
        Convex, so that a local minimum is the minimum.

    Returns
    -------
    float

    Raises
    ------
    RuntimeError
        If SciPy's BFGS does not converge.

    Examples
    --------
    >>> round(least_loss(LpRegression([[1.0], [1.0]], [0.0, 2.0], p=2)), 12)
    1.0
    """
    from scipy.optimize import minimize

    size = int(np.prod(loss.shape))

    def value(flat: np.ndarray) -> float:
        return float(loss.value(flat.reshape(loss.shape)))

    def gradient(flat: np.ndarray) -> np.ndarray:
        return loss.gradient(flat.reshape(loss.shape)).ravel()

    found = minimize(value, np.zeros(size), jac=gradient, method="BFGS", options={"gtol": 1e-10})
    if np.abs(gradient(found.x)).max() > 1e-6 * (1 + abs(found.fun)):
        raise RuntimeError(f"the minimum of {loss!r} was not found: {found.message}")
    return float(found.fun)
