"""Why did others fail to see it? The experiment with one choice changed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import Array, number, positive, whole_number
from overparam_edu.dynamics.losses import Loss, LpRegression
from overparam_edu.dynamics.networks import LinearNetwork
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.training import train
from overparam_edu.experiments.compare import Arrivals, arrivals
from overparam_edu.experiments.curves import (
    Curves,
    WidthOneRun,
    curvature_at_zero,
    least_loss,
    log_spaced,
)
from overparam_edu.experiments.sweep import Arrays, sweep

# Multiples of 2 / curvature at 0, where a tuned rate is to be found for p from 2 to 4.
_FACTORS = np.geomspace(0.3, 10.0, 24)


class Variant(NamedTuple):
    """The experiment with one choice changed.

    Attributes
    ----------
    name : str
        The choice, in a few words.
    change : str
        What is done instead of the talk's way, in a sentence.
    linear, deep : Arrivals
        Iterations to the level, of the linear model and of the deep network.
    gain : float
        How many times fewer iterations the deep network takes: the median over seeds of the
        linear model's by the median of its own. 0 where only the linear model arrives, infinity
        where only the deep network does, NaN where neither does.
    """

    name: str
    change: str
    linear: Arrivals
    deep: Arrivals
    gain: float


@dataclass(frozen=True, eq=False)
class BiasedRun(WidthOneRun):
    """As `WidthOneRun` near zero, with a bias in every layer: a run for `sweep`.

    A layer with a bias is a matrix on vectors with a 1 below, ``[[W, b], [0, 1]]``, whose last row
    stays as it is. Biases start at 0.
    """

    def __call__(self) -> Arrays:
        """Return ``losses`` (records, seeds, rates) and ``diverged_at`` (seeds, rates)."""
        lanes = (len(self.seeds), len(self.rates))
        loss = _FirstRow(LpRegression(_with_ones(self.X), self.y, self.p, reduction="mean"))
        starts = [self._start(seed) for seed in self.seeds for _ in self.rates]
        layers = zip(*(network.weights for network in starts), strict=True)
        network = LinearNetwork(tuple(np.stack([_with_bias(W) for W in same]) for same in layers))
        run = train(
            network,
            loss,
            optimizer=_KeepLastRow(np.tile(self.rates, len(self.seeds))),
            steps=self.record[-1],
            record=self.record,
            progress=False,
        )
        return {
            "losses": run.losses.reshape(-1, *lanes),
            "diverged_at": run.diverged_at.reshape(lanes),
        }


class _FirstRow(Loss):
    """A loss of a vector as one of the first row of a matrix of two."""

    def __init__(self, loss: LpRegression) -> None:
        self.loss, self.shape = loss, (2, *loss.shape)

    def _value(self, w: Array) -> Array:
        return self.loss._value(w[..., 0, :])

    def _gradient(self, w: Array) -> Array:
        gradient = np.zeros_like(w)
        gradient[..., 0, :] = self.loss._gradient(w[..., 0, :])
        return gradient


class _KeepLastRow(GradientDescent):
    """Gradient descent on all rows of a matrix but the last."""

    def step(self, gradient: Array, memory: Any) -> tuple[Array, Any]:
        move = self.learning_rate * gradient
        move[..., -1, :] = 0.0
        return move, memory


def _with_bias(W: Array) -> Array:
    """Return ``[[W, 0], [0, 1]]``."""
    layer = np.zeros((W.shape[0] + 1, W.shape[1] + 1))
    layer[:-1, :-1], layer[-1, -1] = W, 1.0
    return layer


def _with_ones(X: Array) -> Array:
    """Return features with a column of ones, for the bias."""
    return np.append(X, np.ones((len(X), 1)), 1)


def one_change_at_a_time(
    X: ArrayLike,
    y: ArrayLike,
    *,
    p: float = 4,
    depth: int = 2,
    tolerance: float = 1e-4,
    loose: float = 1e-1,
    steps: int = 3_000,
    rates: ArrayLike | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    executor: Executor | None = None,
    store: str | Path | None = None,
    progress: bool | None = None,
) -> tuple[Variant, ...]:
    r"""Measure what depth gains the talk's way, and with each of five choices changed.

    The talk's way: :math:`\ell_p` loss with p above 2, no biases, a start near zero, every depth
    at its own learning rate, and a small tolerance. A level is reached when the loss is within
    ``tolerance``, relative, of its minimum.

    Parameters
    ----------
    X : array_like, shape (n, d)
        One example a row; standardised columns.
    y : array_like, shape (n,)
        The target, likewise.
    p : float
        The power of the loss, above 2.
    depth : int
        Layers of the deep network, at least 2.
    tolerance : float
        Small, above 0.
    loose : float
        Large, above 0.
    steps : int
        Iterations at most.
    rates : array_like, shape (rates,), optional
        Learning rates to tune over. If not given, 24 from 0.3 to 10 times
        ``2 / curvature at 0`` of each loss.
    seeds : sequence of int
        Seeds of the start.
    executor : concurrent.futures.Executor, optional
        As in `sweep`.
    store : str or Path, optional
        As in `sweep`.
    progress : bool, optional
        As in `sweep`.

    Returns
    -------
    tuple of Variant
        The talk's way first.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range.

    Examples
    --------
    >>> from overparam_edu import load_auto_mpg
    >>> cars = load_auto_mpg(standardized=True)
    >>> talk, *changed = one_change_at_a_time(cars.X, cars.y, seeds=[0], steps=1_000)
    >>> talk.gain > 2, [variant.name for variant in changed if variant.gain < 1.1]
    (True, ['mean squared error', 'shared learning rate'])
    """
    N = whole_number("depth", depth, lower=2)
    small, large = (float(positive("tolerance", tolerance)), float(positive("loose", loose)))
    loss = LpRegression(X, y, number("p", p, lower=2), reduction="mean")
    seeds = tuple(whole_number("seeds", seed, lower=0) for seed in seeds)
    record = tuple(log_spaced(steps, count=400).tolist())
    pair = partial(_pair, loss.X, loss.y, N, rates, seeds, record)
    runs = [
        *pair(WidthOneRun, loss.p, "near zero"),
        *pair(BiasedRun, loss.p, "near zero"),
        *pair(WidthOneRun, loss.p, "orthogonal"),
        *pair(WidthOneRun, 2.0, "near zero"),
    ]
    results = sweep(runs, executor, store=store, progress=progress)
    found = [run.curves(result) for run, result in zip(runs, results, strict=True)]
    talk, biased, orthogonal, squares = (found[i : i + 2] for i in range(0, 8, 2))
    least = least_loss(loss)
    with_bias = LpRegression(_with_ones(loss.X), loss.y, loss.p, reduction="mean")
    least_squares = least_loss(LpRegression(loss.X, loss.y, 2, reduction="mean"))
    level = (1 + small) * least
    first = _variant(*_WORDS[0], talk, level)
    return (
        first,
        _variant(*_WORDS[1], biased, (1 + small) * least_loss(with_bias)),
        _variant(*_WORDS[2], orthogonal, level),
        _variant(*_WORDS[3], squares, (1 + small) * least_squares),
        _at_one_rate(first, talk[1]),
        _variant(*_WORDS[5], talk, (1 + large) * least),
    )


def _pair(
    X: Array,
    y: Array,
    depth: int,
    rates: ArrayLike | None,
    seeds: tuple[int, ...],
    record: tuple[int, ...],
    kind: type[WidthOneRun],
    p: float,
    start: str,
) -> list[WidthOneRun]:
    """Return the runs of the linear model and of the deep network."""
    tried = 2 / curvature_at_zero(X, y, p) * _FACTORS if rates is None else rates
    grid = tuple(np.unique(positive("rates", tried)).tolist())
    make = partial(kind, X, y, p, optimizer="gradient descent", rates=grid)
    return [make(depth=N, seeds=seeds, record=record, start=start) for N in (1, depth)]


_WORDS = (
    ("the talk's way", "p above 2, no biases, near zero, own learning rates, small tolerance"),
    ("biases", "every layer has a bias, which the rule does not speed up"),
    ("orthogonal start", "layers start orthogonal, so that the network starts at length 1"),
    ("mean squared error", "p = 2"),
    ("shared learning rate", "the deep network runs at the rate that suits the linear model"),
    ("loose tolerance", "counted as arrived far from the minimum"),
)


def _variant(name: str, change: str, pair: Sequence[Curves], level: float) -> Variant:
    linear, deep = (arrivals(curves, level) for curves in pair)
    return Variant(name, change, linear, deep, _gain(linear, deep))


def _at_one_rate(talk: Variant, deep: Curves) -> Variant:
    linear = talk.linear
    at = int(np.argmin(np.abs(deep.rates - linear.rate)))
    steps = talk.deep.against_rate[:, at]
    shared = talk.deep._replace(rate=linear.rate, steps=steps)
    return Variant(*_WORDS[4], linear, shared, _gain(linear, shared))


def _gain(linear: Arrivals, deep: Arrivals) -> float:
    slow, fast = float(np.median(linear.steps)), float(np.median(deep.steps))
    return slow / fast if np.isfinite(slow) or np.isfinite(fast) else np.nan
