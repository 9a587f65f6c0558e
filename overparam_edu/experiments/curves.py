"""Regression on real data with layers of width 1: learning curves on a grid of learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    comparable,
    finite_array,
    number,
    one_of,
    positive,
    whole_number,
    whole_numbers,
)
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.networks import (
    LinearNetwork,
    balanced_network,
    identity_network,
    near_zero_network,
)
from overparam_edu.dynamics.optimizers import AdaDelta, AdaGrad, Adam, GradientDescent, Optimizer
from overparam_edu.dynamics.training import Trajectory, descend, train
from overparam_edu.experiments.sweep import Arrays, sweep

OPTIMIZERS = {
    "gradient descent": GradientDescent,
    "AdaGrad": AdaGrad,
    "AdaDelta": AdaDelta,
    "Adam": Adam,
}
# Smallest and largest rate tried if none are given.
_RATES = {"AdaGrad": (1e-2, 1.0), "AdaDelta": (1e-2, 3.0), "Adam": (3e-3, 1.0)}
_HOW_MANY_RATES = 18
# Losses are recorded at every iteration up to this, so that what is counted in them is exact.
_EXACT = 2_000
STARTS = ("near zero", "balanced", "identity", "orthogonal", "rule")


@comparable
class Curves(NamedTuple):
    """Learning curves of one network and one optimizer, for several learning rates and seeds."""

    depth: int  # number of layers; all hidden layers have width 1
    optimizer: str  # a key of OPTIMIZERS
    p: float  # the power of the loss
    start: str  # one of STARTS
    rates: Array  # (rates,), increasing
    seeds: np.ndarray  # (seeds,)
    steps: np.ndarray  # (records,): iterations, about even on a logarithmic axis
    losses: Array  # (records, seeds, rates): mean over the examples; NaN from where a run diverged
    diverged_at: np.ndarray  # (seeds, rates): first iteration outside the finite range, or -1


@dataclass(frozen=True, eq=False)
class WidthOneRun:
    """A network with hidden layers of width 1, all seeds and rates as lanes: a run for `sweep`."""

    X: Array  # (n, d)
    y: Array  # (n,)
    p: float
    depth: int
    optimizer: str
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    record: tuple[int, ...]  # iterations at which the loss is recorded; the last ends the run
    start: str = "near zero"  # as in `learning_curves`
    scale: float = 1e-2  # standard deviation of the start's Gaussians

    def __call__(self) -> Arrays:
        """Return ``losses`` (records, seeds, rates) and ``diverged_at`` (seeds, rates)."""
        starts = [self._start(seed) for seed in self.seeds for _ in self.rates]
        layers = zip(*(network.weights for network in starts), strict=True)
        network = LinearNetwork(tuple(np.stack(W) for W in layers))
        optimizer = OPTIMIZERS[self.optimizer](np.tile(self.rates, len(self.seeds)))
        run = self._train(network, optimizer)
        lanes = (len(self.seeds), len(self.rates))
        return {
            "losses": run.losses.reshape(-1, *lanes),
            "diverged_at": run.diverged_at.reshape(lanes),
        }

    def _train(self, network: LinearNetwork, optimizer: Optimizer) -> Trajectory:
        loss = LpRegression(self.X, self.y, self.p, reduction="mean")
        options = self._options(optimizer)
        if self.start == "rule":
            return descend(loss, network.end_to_end_matrix[:, 0], depth=self.depth, **options)
        return train(network, loss, **options)

    def _options(self, optimizer: Optimizer) -> dict[str, Any]:
        steps = {"steps": self.record[-1], "record": self.record}
        return {"optimizer": optimizer, "progress": False, **steps}

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
        """Return what calling this run returned, together with what was run."""
        rates, seeds, steps = (np.array(each) for each in (self.rates, self.seeds, self.record))
        return Curves(self.depth, self.optimizer, self.p, self.start, rates, seeds, steps, **result)


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
    records: int | None = None,
    store: str | Path | None = None,
    progress: bool | None = None,
) -> tuple[Curves, ...]:
    r"""Train linear networks of several depths at every learning rate of a grid.

    The talk's experiment: :math:`\ell_p` regression, full batch, hidden layers of width 1 (talk,
    "experiments"; paper, section 8). Inside ``joblib.parallel_config(...)`` depths are computed at
    the same time, on a pool of processes or a Dask cluster, with the same numbers bit for bit.

    Parameters
    ----------
    X, y : array_like, shapes (n, d) and (n,)
        Examples, one a row, and targets; standardised, to compare with the talk.
    p : float, the power of the loss, at least 2
    depths : sequence of int, numbers of layers, each at least 1
    optimizer : {"gradient descent", "AdaGrad", "AdaDelta", "Adam"}
        Acts on the layers.
    rates : array_like, shape (rates,), optional
        Learning rates. If not given, 18: for gradient descent from ``p / 5`` to ``2 p**2 / 5``
        times 2 over the curvature of the loss at 0.
    seeds : sequence of int, for the random starts
    steps : int
        Iterations.
    start : {"near zero", "balanced", "identity", "orthogonal", "rule"}
        Independent Gaussian weights; the balanced layers of a Gaussian end-to-end vector; the
        identity plus Gaussian noise; a random direction of length 1 times ones; or no layers at
        all but the end-to-end rule from where "balanced" starts.
    scale : float, standard deviation of the Gaussians
    records : int, optional
        How many losses are recorded at most, about evenly on a logarithmic axis. If not given,
        that of every iteration up to 2,000, and some 400 in all beyond.
    store : str or Path, optional
        Folder in which finished depths are kept, so that a stopped call goes on from there. What
        is in it can run code when it is read: use only your own.
    progress : bool, optional, show a progress bar; by default after two seconds

    Returns
    -------
    tuple of Curves
        For each depth ``rates`` (rates,), ``seeds`` (seeds,), ``steps`` (records,), ``losses``
        (records, seeds, rates), NaN from where a run diverged, and ``diverged_at`` (seeds, rates),
        -1 where none did.

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
    (3, 18)
    """
    loss = LpRegression(X, y, p)
    if loss.y.ndim != 1:
        raise ValueError(f"y must have shape (n,); got {loss.y.shape}")
    one_of("optimizer", optimizer, tuple(OPTIMIZERS))
    one_of("start", start, STARTS)
    if rates is None:
        rates = usual_rates(loss.X, loss.y, p, optimizer)
    tried = np.unique(positive("rates", rates))
    numbers, starts = (
        whole_numbers("depths", depths, lower=1),
        whole_numbers("seeds", seeds, lower=0),
    )
    lanes = tried.size * len(starts) * len(numbers)
    affordable(
        "steps",
        whole_number("steps", steps, lower=1),
        seconds=steps * (5e-6 + 1e-11 * loss.X.size * lanes),
    )
    if records is not None:
        affordable("records", records, numbers=whole_number("records", records, lower=3) * lanes)
    record = log_spaced(steps, count=records or 400)
    if records is None:
        record = np.union1d(record, np.arange(min(int(record[-1]), _EXACT) + 1))
    runs = [
        WidthOneRun(
            loss.X,
            loss.y,
            loss.p,
            N,
            optimizer,
            tuple(tried.tolist()),
            starts,
            tuple(record.tolist()),
            start,
            number("scale", scale, lower=0),
        )
        for N in numbers
    ]
    results = sweep(runs, store=store, progress=progress)
    return tuple(run.curves(result) for run, result in zip(runs, results, strict=True))


def usual_rates(X: Array, y: Array, p: float, optimizer: str = "gradient descent") -> Array:
    """Return the learning rates that are tried if none are given."""
    if optimizer in _RATES:
        return np.geomspace(*_RATES[optimizer], _HOW_MANY_RATES)
    # For p = 2 the linear model diverges above 2 / curvature at 0, for larger p later, as the
    # curvature falls on the way.
    curvature = curvature_at_zero(X, y, p)
    if not 0 < curvature < np.inf:
        raise ValueError(f"rates must be given: X, y and p have the curvature {curvature:g} at 0")
    unit = 2 / curvature
    return np.geomspace(0.2 * p * unit, 0.4 * p**2 * unit, _HOW_MANY_RATES)


def log_spaced(steps: int, *, count: int = 200) -> np.ndarray:
    """Return at most `count` iterations from 0 to `steps`, about even on a logarithmic axis."""
    steps, count = whole_number("steps", steps, lower=1), whole_number("count", count, lower=3)
    return np.unique(np.append(0, np.rint(np.geomspace(1, steps, count - 1)))).astype(np.int64)


def curvature_at_zero(X: ArrayLike, y: ArrayLike, p: float) -> float:
    r"""Return the largest curvature of the mean loss at :math:`w = 0`.

    That of :math:`\frac{p-1}{n} \sum_i |y_i|^{p-2} x_i x_i^\top`; for p = 2, depth 1 diverges at
    rates above 2 over this.
    """
    X, y, p = finite_array("X", X), finite_array("y", y), number("p", p, lower=2)
    with np.errstate(all="ignore"):
        hessian = (p - 1) / len(y) * (X.T * np.abs(y) ** (p - 2)) @ X
    return float(np.linalg.eigvalsh(hessian)[-1]) if np.isfinite(hessian).all() else np.nan


def loss_at_zero(networks: Sequence[Curves]) -> float:
    """Return the loss at w = 0, as the deepest network that starts near zero has it."""
    near = [curves for curves in networks if curves.start == "near zero"]
    return float(np.median(max(near, key=lambda curves: curves.depth).losses[0]))


def least_loss(loss: LpRegression) -> float:
    """Return the minimum of a regression loss, by BFGS to about 12 digits unless p is 2."""
    if loss.p == 2:
        return float(loss.value(np.linalg.lstsq(loss.X, loss.y, rcond=None)[0].T))
    from scipy.optimize import minimize

    def value_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(loss.shape)
        return float(loss.value(w)), loss.gradient(w).ravel()

    start, options = np.zeros(int(np.prod(loss.shape))), {"gtol": 1e-10}
    found = minimize(value_and_gradient, start, jac=True, method="BFGS", options=options)
    if np.abs(found.jac).max() > 1e-6 * (1 + abs(found.fun)):
        raise RuntimeError(f"the minimum of {loss!r} was not found: {found.message}")
    return float(found.fun)
