"""Exercises of notebook 06: regression on real data."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.classroom.forms import kind
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.tuning import tuned_learning_rate
from overparam_edu.experiments.compare import contest_on_cars

_RNG = np.random.default_rng(6)
_X, _Y, _V = _RNG.standard_normal((9, 3)) + 1.0, _RNG.standard_normal(9), np.array([0.4, -0.7, 0.2])


def _gradient(X: Any, y: Any, w: Any, p: float) -> Any:
    return LpRegression(X, y, p, reduction="mean").gradient(w)


_GRADIENT = Exercise(
    name="mean_gradient",
    notebook="06",
    kind="write",
    title="The gradient of the mean loss",
    prompt=(
        r"Return the gradient in $w$ of $\frac1n\sum_{i=1}^n \frac1p|\langle x_i, w\rangle - "
        r"y_i|^p$ for any $p \ge 2$. `X` has one example per row; no loop is needed."
    ),
    todo="two lines: the residuals, then their powers",
    solution=(
        "def mean_gradient(X, y, w, p):\n    r = X @ w - y\n"
        "    return X.T @ (np.abs(r) ** (p - 2) * r) / len(y)"
    ),
    properties={
        "for $p=2$ it is that of least squares": lambda f: close(
            f(_X, _Y, _V, 2), _X.T @ (_X @ _V - _Y) / 9
        ),
        "for $p=4$ it is that of the library": lambda f: close(
            f(_X, _Y, _V, 4), _gradient(_X, _Y, _V, 4)
        ),
        "for $p=3$ signs are right as well": lambda f: close(
            f(_X, _Y, _V, 3), _gradient(_X, _Y, _V, 3)
        ),
        "a perfect fit has none": lambda f: close(f(_X, _X @ _V, _V, 4), np.zeros(3)),
        "with every example twice the mean stays the same": lambda f: close(
            f(np.vstack([_X, _X]), np.append(_Y, _Y), _V, 4), f(_X, _Y, _V, 4)
        ),
    },
    mistakes={
        "This is the gradient of the **sum**. The mean divides by $n$.": lambda X, y, w, p: (
            _gradient(X, y, w, p) * len(y)
        ),
        "The sign: the residual is prediction minus target.": lambda X, y, w, p: (
            -_gradient(X, y, w, p)
        ),
        r"The factor $p$ cancels with the $\frac1p$ of the "
        r"loss.": lambda X, y, w, p: _gradient(X, y, w, p) * p,
        "The sign of the residual got lost in $|r|^{p-1}$.": lambda X, y, w, p: (
            X.T @ np.abs(X @ w - y) ** (p - 1) / len(y)
        ),
        "That is the gradient for $p = 2$. "
        "The residuals are raised to a power.": lambda X, y, w, p: X.T @ (X @ w - y) / len(y),
        "The power: differentiating takes one off, so $|r|^{p-1}$ with the sign of "
        "$r$.": lambda X, y, w, p: X.T @ (np.abs(X @ w - y) ** (p - 1) * (X @ w - y)) / len(y),
        "You divided by the number of features. The mean is over the "
        "examples.": lambda X, y, w, p: _gradient(X, y, w, p) * len(y) / X.shape[1],
    },
    hints=(
        "`r = X @ w - y`; the derivative of $|r|^p/p$ is $|r|^{p-2}r$.",
        "`X.T @ (np.abs(r) ** (p - 2) * r) / len(y)`.",
    ),
    praise="For $p=4$ the largest residuals rule: they set the rate at the start, too low for the "
    "end.",
    probes=((_X, _Y, _V, 4), (_X[:5], _Y[:5], 2 * _V, 3)),
    draw=lambda rng: (
        rng.standard_normal((n := int(rng.integers(2, 8)), d := int(rng.integers(1, 5)))),
        rng.standard_normal(n),
        rng.standard_normal(d),
        float(rng.choice([2, 2.5, 3, 4, 5])),
    ),
)

_START = np.array([0.05, 0.05])


@cache
def _race(loss: LpRegression) -> tuple[float, float]:
    """Return the tuned steps of depth 1 and 2 until 0.1 % of the way down is left."""
    orthogonal, rows = np.linalg.qr(loss.X)  # The same loss but for a constant, of two examples.
    loss = LpRegression(rows, orthogonal.T @ loss.y, 2)
    w = np.linalg.lstsq(loss.X, loss.y, rcond=None)[0]
    least, first = float(loss.value(w)), float(loss.value(_START))
    target = least + 1e-3 * (first - least)
    tuned = tuned_learning_rate(loss, _START, depth=[1, 2], target=target)
    return float(tuned.steps[0]), float(tuned.steps[1])


def _two_thirds(loss: LpRegression) -> bool:
    one, two = _race(loss)
    return 0 < two <= 2 / 3 * min(one, 5_000)


_FLAT = Exercise(
    name="gain_in_least_squares",
    notebook="06",
    kind="find a counterexample",
    title="Depth and least squares",
    prompt=(
        "“For $p = 2$ extra layers only cost time.” They do on the two data sets of this lesson, "
        "in runs of its length; a law it is not. Find a counterexample: an "
        "`oe.LpRegression(X, y, p=2)` with two features on which depth 2 takes at most **two "
        "thirds** of depth 1's steps from (0.05, 0.05) until 0.1 % of the way down to the least "
        "loss is left, each at its own tuned rate. Design it: "
        r"along $w$ the rule's step is $N$ times as long as across. In which direction should the "
        r"minimum $w^*$ lie?"
    ),
    todo="oe.LpRegression(X, y, p=2)",
    solution=(
        "# Flat along axis 1, on which the minimum (1, 0.05) nearly lies.\n"
        "gain_in_least_squares = oe.LpRegression([[0.1, 0], [0, 1]], [0.1, 0.05], p=2)"
    ),
    returns=kind(
        "an `oe.LpRegression` with two features and one target",
        LpRegression,
        holds=lambda loss: loss.shape == (2,),
    ),
    properties={
        "$p$ is 2": lambda loss: loss.p == 2,
        "depth 2 takes at most two thirds of the steps": _two_thirds,
    },
    mistakes={
        "Least squares is asked for: $p = 2$.": Mistake(
            LpRegression(np.eye(2), [1.0, 0.1], 4), lambda loss: loss.p != 2
        ),
        "Two features: two columns of `X`, and one target a row.": Mistake(
            LpRegression(np.eye(3), np.ones(3), 2),
            lambda loss: isinstance(loss, LpRegression) and loss.shape != (2,),
        ),
        "Depth 1 arrives in a few steps: nothing is left to gain. Stretch the bowl.": Mistake(
            LpRegression(np.eye(2), [1.0, 1.0], 2), lambda loss: _race(loss)[0] <= 6
        ),
        "Neither arrives within 5,000 steps. Stretch the bowl less.": Mistake(
            LpRegression(np.diag([0.01, 1.0]), [0.01, 0.1], 2),
            lambda loss: _race(loss) == (np.inf, np.inf),
        ),
        "Depth 2 is even slower here. Is the bowl flat or steep along $w^*$?": Mistake(
            LpRegression(np.diag([0.1, 1.0]), [0.1, 1.0], 2),
            lambda loss: _race(loss)[1] > _race(loss)[0],
        ),
        "Depth 2 is faster, but not by a third. Turn $w^*$ further into the flat "
        "direction, or stretch the bowl less.": Mistake(
            LpRegression(np.diag([0.1, 1.0]), [0.1, 0.3], 2),
            lambda loss: 2 / 3 * _race(loss)[0] < _race(loss)[1] < _race(loss)[0] < np.inf,
        ),
    },
    hints=(
        "`X = [[0.1, 0], [0, 1]]` makes a bowl that is flat along axis 1: slow for depth 1.",
        "Near $w^*$ the flat direction gets $N$ times as fast if $w^*$ lies along it.",
    ),
    praise=lambda loss: (
        "Steps at depth 1 and 2: {:.0f} and {:.0f}. ".format(*_race(loss))
        + "“$p = 2$ gains nothing” is true of some losses only: what counts is where $w^*$ lies."
    ),
)

_NAN = float("nan")
# Seeds by rates: the second rate is best on average, the third wins by one seed alone, and the
# fourth diverged for one seed.
_LOSSES = np.array([[0.50, 0.30, 0.90, 0.05], [0.52, 0.33, 0.10, _NAN], [0.51, 0.27, 0.80, 0.22]])
_TAME = np.array([[0.2, 0.9, 0.6], [0.8, 0.3, 0.1]])


def _drawn_table(rng: np.random.Generator) -> tuple[Any, ...]:
    """Return losses of unequal seeds, with NaN at any place but in one column at least."""
    losses = rng.uniform(0, 1, (int(rng.integers(1, 6)), int(rng.integers(1, 6)))) ** 2
    diverged = rng.random(losses.shape) < 0.15
    diverged[:, rng.integers(losses.shape[1])] = False
    return (np.where(diverged, _NAN, losses),)


_BEST = Exercise(
    name="fair_loss",
    notebook="06",
    kind="compare",
    title="A fair best learning rate",
    prompt=(
        "`losses` holds the final loss for each seed (row) and learning rate (column); NaN means "
        "that the run diverged. Return the loss to quote: the mean over seeds at the best rate, "
        "among rates at which **no** seed diverged."
    ),
    solution="def fair_loss(losses):\n    return np.nanmin(losses.mean(axis=0))",
    properties={
        "a table with a lucky seed and a diverged run": lambda f: close(f(_LOSSES), 0.30),
        "a single seed and rate": lambda f: close(f(np.array([[0.7]])), 0.7),
        "the order of the seeds does not matter": lambda f: close(f(_LOSSES[::-1]), f(_LOSSES)),
        "nor does the order of the rates": lambda f: close(f(_LOSSES[:, ::-1]), f(_LOSSES)),
    },
    mistakes={
        "One mean for each rate: right so far. Still to do: the smallest of them.": Mistake(
            lambda L: L.mean(axis=0),
            lambda f: np.array_equal(f(_LOSSES), _LOSSES.mean(axis=0), equal_nan=True),
        ),
        "One mean for each rate, but of the survivors: a rate at which a seed diverged is out.": (
            Mistake(
                lambda L: np.nanmean(L, axis=0),
                lambda f: np.array_equal(f(_LOSSES), np.nanmean(_LOSSES, axis=0)),
            )
        ),
        "That has one number for each seed. One rate is chosen for all seeds: `axis=0` runs over "
        "them.": Mistake(
            lambda L: L.min(axis=1), lambda f: np.shape(f(_LOSSES)) == (len(_LOSSES),)
        ),
        "The smallest of all: that is one lucky seed. Average over seeds first.": np.nanmin,
        "The smallest at each rate is one lucky seed's. Average over seeds first.": lambda L: (
            np.nanmin(L.min(axis=0))
        ),
        "You forgave the diverged seed: averaging the survivors makes a wild rate look "
        "good.": lambda L: np.nanmin(np.nanmean(L, axis=0)),
        "NaN comes out. A rate that diverged is out of the race: `np.nanmin`.": Mistake(
            lambda L: np.min(L.mean(axis=0)),
            lambda f: np.isnan([f(_LOSSES), f(_LOSSES[:, ::-1])]).any() and close(f(_TAME), 0.35),
        ),
        "The median over seeds. Asked for is their mean.": lambda L: np.nanmin(
            np.median(L, axis=0)
        ),
        "That averages each seed's own best rate. "
        "In practice one rate is chosen for all seeds.": lambda L: np.nanmean(np.nanmin(L, axis=1)),
        "The mean over everything: bad rates count too.": np.nanmean,
        "The axis: seeds are rows, so average over `axis=0`.": lambda L: np.nanmin(L.mean(axis=1)),
        "That is the worst rate.": lambda L: np.nanmax(L.mean(axis=0)),
        "That is the first rate, not the best.": Mistake(
            lambda L: L.mean(axis=0)[0], lambda f: close([f(_LOSSES), f(_TAME)], [0.51, 0.5])
        ),
        "The sum over seeds. Asked for is their mean.": lambda L: np.nanmin(L.sum(axis=0)),
        "That is the number of the best rate. Asked for is the loss there.": lambda L: np.nanargmin(
            L.mean(axis=0)
        ),
    },
    hints=(
        "First `losses.mean(axis=0)`: NaN where any seed diverged.",
        "Then `np.nanmin` of that.",
    ),
    praise="A stated criterion: no lucky seed, no survivors' mean. Half of all disputes end here.",
    probes=((_LOSSES,), (_TAME,)),
    draw=_drawn_table,
)


@cache
def _gain(p: float) -> float:
    """Return steps of depth 1 over steps of depth 2 on Auto MPG, to 1e-4 above the minimum."""
    first, second = contest_on_cars(p, deepest=3).arrivals[0, -1, 1:3, 1]
    return float(first / second)


_SQUARES = Exercise(
    name="gain_at_two",
    notebook="06",
    kind="predict",
    title="Least squares",
    prompt=(
        "On Auto MPG with $p=2$, each depth at its best learning rate: how many iterations does "
        "depth 1 take for each one of depth 2? (1 is a draw; 2 means that depth 2 is twice as "
        "fast, 0.5 half as fast.)"
    ),
    solution="gain_at_two = 0.8",
    properties={
        "within 25 % of the measured ratio": lambda x: close(x, _gain(2), 0.25),
    },
    mistakes={
        "That is about the gain for $p = 4$, where the loss flattens towards its minimum.": Mistake(
            2.6, lambda x: 2.2 <= x < 2.9
        ),
        "Twice as fast would need a minimum that lies along a flat direction. On these data it "
        "does not.": Mistake(2, lambda x: 1.5 <= x < 2.2),
        "A gain? On these data depth 2 takes a little longer.": Mistake(
            1.2, lambda x: 1.03 < x < 1.5
        ),
        "Far too much: that is more than even $p = 4$ gains here.": Mistake(10, lambda x: x >= 2.9),
        "Slower, yes, but not by that much.": Mistake(0.4, lambda x: 0.25 < x < 0.617),
        "Slower, yes, but it does get there.": Mistake(0.1, lambda x: 0 <= x <= 0.25),
        "That would mean going backwards: give a ratio above 0.": Mistake(-1, lambda x: x < 0),
    },
    hints=("Which of the two has to leave the neighbourhood of 0 first?",),
    praise=lambda x: (
        f"Measured: {_gain(2):.2f}, a little slower. Besides the start, depth worsens the "
        "conditioning near the minimum here: it does not lie along a flat direction."
    ),
)

EXERCISES = (_GRADIENT, _FLAT, _BEST, _SQUARES)
