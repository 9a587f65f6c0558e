"""Why did others fail to see it? The experiment with one choice changed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overparam_edu.checks import (
    Array,
    affordable,
    comparable,
    number,
    positive,
    whole_number,
    whole_numbers,
)
from overparam_edu.dynamics.losses import Loss, LpRegression
from overparam_edu.dynamics.networks import LinearNetwork
from overparam_edu.dynamics.optimizers import GradientDescent, Optimizer
from overparam_edu.dynamics.training import Trajectory, train
from overparam_edu.experiments.compare import Arrivals, steps_to_level
from overparam_edu.experiments.curves import (
    Curves,
    WidthOneRun,
    least_loss,
    usual_rates,
)
from overparam_edu.experiments.sweep import sweep


@comparable
class Variant(NamedTuple):
    """What depth gains in the experiment with one choice changed."""

    name: str
    linear: Arrivals  # iterations to the level: of the linear model
    deep: Arrivals  # and of the deep network
    gain: float  # median iterations of the linear model by those of the deep network


@dataclass(frozen=True, eq=False)
class BiasedRun(WidthOneRun):
    """As `WidthOneRun` with gradient descent, and with a bias, at first 0, in every layer.

    A layer is then ``[[W, b], [0, 1]]``, on vectors with a 1 below, and keeps its last row.
    """

    def _train(self, network: LinearNetwork, optimizer: Optimizer) -> Trajectory:
        loss = LpRegression(_with_ones(self.X), self.y, self.p, reduction="mean")
        layers = []
        for W in network.weights:
            layer = np.zeros((*W.shape[:-2], W.shape[-2] + 1, W.shape[-1] + 1))
            layer[..., :-1, :-1], layer[..., -1, -1] = W, 1.0
            layers.append(layer)
        return train(
            LinearNetwork(tuple(layers)),
            _FirstRow(loss),
            **self._options(_KeepLastRow(optimizer.learning_rate)),
        )


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
    store: str | Path | None = None,
    progress: bool | None = None,
) -> tuple[Variant, ...]:
    r"""Measure what depth gains the talk's way, and with each of five choices changed.

    The talk's way: :math:`\ell_p` loss with p above 2, no biases, a start near zero, every depth
    at its own learning rate, and a small tolerance. A level is reached when the loss is within
    the tolerance, relative, of its minimum. The changes:

    - biases: every layer has a bias, which the rule does not speed up;
    - orthogonal start: layers start orthogonal, so that the network starts at length 1;
    - mean squared error: p = 2;
    - shared learning rate: the deep network runs at the rate that suits the linear model;
    - loose tolerance: a run counts as arrived far from the minimum.

    Parameters
    ----------
    X, y : array_like, shapes (n, d) and (n,)
        Examples, one a row, and targets; standardised, to compare with the talk.
    p : float, the power of the loss, above 2
    depth : int, layers of the deep network, at least 2
    tolerance, loose : float, the small and the large tolerance, above 0
    steps : int, iterations at most
    rates : array_like, shape (rates,), optional
        Learning rates to tune over. If not given, those of `learning_curves` for each loss.
    seeds : sequence of int, for the starts
    store, progress : str or Path, and bool, optional, as in `learning_curves`

    Returns
    -------
    tuple of Variant
        The talk's way first: ``name``; ``linear`` and ``deep``, as from `steps_to_level`; and
        ``gain``, the linear model's median iterations by the deep network's: 0 where only the
        linear model arrives, infinity where only the deep network does, NaN where neither does.

    Raises
    ------
    TypeError, ValueError
        If an argument is not finite, has the wrong shape or is out of range.
    """
    N = whole_number("depth", depth, lower=2)
    steps = whole_number("steps", steps, lower=1)
    affordable("steps", steps, seconds=steps * 1e-4)
    near = 1 + float(positive("tolerance", number("tolerance", tolerance)))
    far = 1 + float(positive("loose", number("loose", loose)))
    loss = LpRegression(X, y, number("p", p, lower=2), reduction="mean")
    if loss.y.ndim != 1:
        raise ValueError(f"y must have shape (n,); got {loss.y.shape}")
    squared = LpRegression(X, y, 2, reduction="mean")
    with_bias = LpRegression(_with_ones(loss.X), loss.y, loss.p, reduction="mean")

    def pair(
        kind: type[WidthOneRun] = WidthOneRun, p: float = loss.p, start: str = "near zero"
    ) -> list[WidthOneRun]:
        """Return the runs of the linear model and of the deep network."""
        tried = usual_rates(loss.X, loss.y, p) if rates is None else rates
        grid = tuple(np.unique(positive("rates", tried)).tolist())
        chosen = whole_numbers("seeds", seeds, lower=0)
        record = tuple(range(steps + 1))
        make = partial(kind, loss.X, loss.y, p, optimizer="gradient descent", rates=grid)
        return [make(depth=n, seeds=chosen, record=record, start=start) for n in (1, N)]

    runs = [*pair(), *pair(BiasedRun), *pair(start="orthogonal"), *pair(p=2.0)]
    results = sweep(runs, store=store, progress=progress)
    found = [run.curves(result) for run, result in zip(runs, results, strict=True)]
    plain, biased, orthogonal, squares = (found[i : i + 2] for i in range(0, 8, 2))
    least = least_loss(loss)
    talk = _variant("the talk's way", plain, near * least)
    linear_rate = talk.linear.rate
    at = int(np.argmin(np.abs(plain[1].rates - linear_rate)))
    shared = talk.deep._replace(rate=linear_rate, steps=talk.deep.against_rate[:, at])
    return (
        talk,
        _variant("biases", biased, near * least_loss(with_bias)),
        _variant("orthogonal start", orthogonal, near * least),
        _variant("mean squared error", squares, near * least_loss(squared)),
        Variant("shared learning rate", talk.linear, shared, _gain(talk.linear, shared)),
        _variant("loose tolerance", plain, far * least),
    )


def _variant(name: str, pair: Sequence[Curves], level: float) -> Variant:
    linear, deep = (steps_to_level(curves, level) for curves in pair)
    return Variant(name, linear, deep, _gain(linear, deep))


def _gain(linear: Arrivals, deep: Arrivals) -> float:
    """Return 0 where only the linear model arrives, infinity where only the other, else NaN."""
    slow, fast = float(np.median(linear.steps)), float(np.median(deep.steps))
    return slow / fast if np.isfinite(slow) or np.isfinite(fast) else np.nan
