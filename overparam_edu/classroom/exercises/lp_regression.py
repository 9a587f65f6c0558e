"""Exercises of notebook 06: regression on real data."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.experiments.compare import steps_to_level
from overparam_edu.experiments.curves import learning_curves, least_loss
from overparam_edu.experiments.datasets import load_auto_mpg

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
        r"y_i|^p$. `X` has one example per row; no loop is needed."
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
    praise="For $p=4$ the largest residuals rule: far examples set the rate, near ones crawl.",
    probes=((_X, _Y, _V, 4), (_X[:5], _Y[:5], 2 * _V, 3)),
)

_STANDARD = Exercise(
    name="standardized",
    notebook="06",
    kind="write",
    title="Prepare the data",
    prompt=(
        "Return `X` with every **column** shifted and scaled to mean 0 and standard deviation 1 "
        "(NumPy's `std`)."
    ),
    solution="def standardized(X):\n    return (X - X.mean(axis=0)) / X.std(axis=0)",
    properties={
        "columns have mean 0": lambda f: np.allclose(np.mean(f(_X), axis=0), 0),
        "columns have standard deviation 1": lambda f: np.allclose(np.std(f(_X), axis=0), 1),
        "it is a shift and a scale: order and shape stay": lambda f: close(
            f(_X), (_X - _X.mean(0)) / _X.std(0)
        ),
        "other units give the same": lambda f: close(f(_X * [3, 0.1, 7]), f(_X)),
    },
    mistakes={
        "That standardises rows. Features are columns: `axis=0`.": lambda X: (
            (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
        ),
        "Scaled, but not shifted: the means are not 0.": lambda X: X / X.std(axis=0),
        "Shifted, but not scaled.": lambda X: X - X.mean(axis=0),
        "You divided by the variance; it is its root that has the units of `X`.": lambda X: (
            (X - X.mean(axis=0)) / X.var(axis=0)
        ),
        "One mean and one scale for the whole table. Each column needs its own: "
        "`axis=0`.": lambda X: (X - X.mean()) / X.std(),
        "That maps each column to [0, 1].": lambda X: (
            (X - X.min(axis=0)) / (X.max(axis=0) - X.min(axis=0))
        ),
        r"You divided by the length of the centred column: a factor of $\sqrt n$ is "
        r"missing.": lambda X: (X - X.mean(axis=0)) / np.linalg.norm(X - X.mean(axis=0), axis=0),
        "You divided by $n - 1$ (`ddof=1`). Here NumPy's default is asked for.": lambda X: (
            (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
        ),
    },
    hints=(
        "`X.mean(axis=0)` is the mean of each column.",
        "`(X - X.mean(axis=0)) / X.std(axis=0)`.",
    ),
    praise="Without it the learning rate is set by whichever feature has the largest unit.",
    probes=((_X,),),
)

_NAN = float("nan")
# Seeds by rates: the second rate is best on average, the third wins by one seed alone, and the
# fourth diverged for one seed.
_LOSSES = np.array([[0.50, 0.30, 0.90, 0.20], [0.52, 0.31, 0.10, _NAN], [0.51, 0.29, 0.80, 0.22]])

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
        "The smallest of all: that is one lucky seed. Average over seeds first.": np.nanmin,
        "You forgave the diverged seed: averaging the survivors makes a wild rate look "
        "good.": lambda L: np.nanmin(np.nanmean(L, axis=0)),
        "NaN comes out. A rate that diverged is out of the race: `np.nanmin`.": Mistake(
            lambda L: np.min(L.mean(axis=0)), lambda f: np.isnan(f(_LOSSES))
        ),
        "That averages each seed's own best rate. "
        "In practice one rate is chosen for all seeds.": lambda L: np.nanmean(np.nanmin(L, axis=1)),
        "The mean over everything: bad rates count too.": np.nanmean,
        "The axis: seeds are rows, so average over `axis=0`.": lambda L: np.nanmin(L.mean(axis=1)),
        "That is the worst rate.": lambda L: np.nanmax(L.mean(axis=0)),
        "That is the first rate, not the best.": lambda L: L.mean(axis=0)[0],
    },
    hints=(
        "First `losses.mean(axis=0)`: NaN where any seed diverged.",
        "Then `np.nanmin` of that.",
    ),
    praise="A stated criterion: no lucky seed, no survivors' mean. Half of all disputes end here.",
    probes=((_LOSSES,),),
)


@cache
def _gain(p: float) -> float:
    """Return steps of depth 1 over steps of depth 2 on Auto MPG, to 1e-4 above the minimum."""
    cars = load_auto_mpg(standardized=True)
    least = least_loss(LpRegression(cars.X, cars.y, p, reduction="mean"))
    curves = learning_curves(cars.X, cars.y, p=p, depths=(1, 2), seeds=(0,), steps=400)
    first, second = (float(steps_to_level(c, least * (1 + 1e-4)).steps[0]) for c in curves)
    return first / second


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
        "within 25 % of the measured ratio": lambda x: close(float(x), _gain(2), 0.25),
    },
    mistakes={
        "That is about the gain for $p = 4$. Least squares has no crawl to save.": Mistake(
            2.6, lambda x: 2.2 <= float(x) < 3.2
        ),
        "Twice as fast? For $p=2$ each direction converges at its own fixed rate.": Mistake(
            2, lambda x: 1.5 <= float(x) < 2.2
        ),
        "A gain for $p=2$? Nothing falls off near the minimum.": Mistake(
            1.2, lambda x: 1 < float(x) < 1.5
        ),
        "Far too much: depth has no such gain anywhere on these data.": Mistake(
            10, lambda x: float(x) >= 3.2
        ),
        "Slower, yes, but not by that much: only the start costs.": Mistake(
            0.4, lambda x: 0.25 < float(x) < 0.7
        ),
        "Slower, yes, but it does get there.": Mistake(0.1, lambda x: 0 <= float(x) <= 0.25),
        "That would mean going backwards: give a ratio above 0.": Mistake(
            -1, lambda x: float(x) < 0
        ),
    },
    hints=("Which of the two has to leave the neighbourhood of 0 first?",),
    praise="A little slower: for $p = 2$ depth only costs its start.",
)

EXERCISES = (_GRADIENT, _STANDARD, _BEST, _SQUARES)
