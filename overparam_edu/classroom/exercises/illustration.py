"""Exercises of notebook 05: why depth can be faster, and where it is not."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.dynamics.losses import LinearLoss, Loss, SeparableLp
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.training import descend
from overparam_edu.dynamics.tuning import TunedLearningRate, tuned_learning_rate

_Y = np.array([1.6, 0.1, 0.4])


def _survives(rate: float, targets: Any, p: float) -> bool:
    run = descend(SeparableLp(targets, p), 0 * targets, optimizer=GradientDescent(rate), steps=200)
    return bool(run.diverged_at < 0 and run.losses[-1] < run.losses[0])


_BOUND = Exercise(
    name="largest_rate",
    notebook="05",
    kind="write",
    title="The largest stable learning rate",
    prompt=(
        r"Gradient descent (depth 1) on $\sum_i\frac1p(w_i-y_i)^p$ starts at $w = 0$. Return the "
        "learning rate above which it diverges, for an array `y` of any length and even `p`."
    ),
    solution="def largest_rate(y, p):\n    return 2 / np.abs(y).max() ** (p - 2)",
    properties={
        "for $p = 2$ it is 2, whatever the targets": lambda f: close(f(_Y, 2), 2.0),
        "at 98 % of it the loss of a run from 0 falls": lambda f: _survives(0.98 * f(_Y, 4), _Y, 4),
        "at 102 % of it that loss does not fall": lambda f: not _survives(1.02 * f(_Y, 4), _Y, 4),
        "for $p = 6$ too": lambda f: (
            _survives(0.98 * f(_Y, 6), _Y, 6) and not _survives(1.02 * f(_Y, 6), _Y, 6)
        ),
        "signs of the targets do not matter": lambda f: close(f(-_Y, 4), f(_Y, 4)),
    },
    mistakes={
        "The **farthest** coordinate sets the limit, not the nearest.": lambda y, p: (
            2 / np.abs(y).min() ** (p - 2)
        ),
        r"Only half of it: $|1 - \eta\Delta^{p-2}| < 1$ allows the factor to be "
        r"negative.": lambda y, p: 1 / np.abs(y).max() ** (p - 2),
        r"The power: divide the step $\eta\Delta^{p-1}$ by "
        r"$\Delta$.": lambda y, p: 2 / np.abs(y).max() ** (p - 1),
        "That is the loss's power; a step has one less, its factor two less.": lambda y, p: (
            2 / np.abs(y).max() ** p
        ),
        "Coordinates do not add up: each has its own recurrence. Take the worst.": lambda y, p: (
            2 / np.abs(y).sum() ** (p - 2)
        ),
        "Not the mean: one coordinate that diverges is enough.": lambda y, p: (
            2 / np.abs(y).mean() ** (p - 2)
        ),
        "Coordinates do not mix, so the length of the vector is not what counts.": lambda y, p: (
            2 / np.linalg.norm(y) ** (p - 2)
        ),
        r"That is 2 over the curvature at 0. For $p>2$ a step may overshoot by more: "
        r"it is the factor $1-\eta\Delta^{p-2}$ that counts, without $p-1$.": lambda y, p: (
            2 / ((p - 1) * np.abs(y).max() ** (p - 2))
        ),
        "Upside down: far targets need **smaller** rates.": lambda y, p: (
            2 * np.abs(y).max() ** (p - 2)
        ),
    },
    hints=(
        r"One step: $\Delta \leftarrow \Delta(1-\eta\Delta^{p-2})$.",
        r"Bound the factor by 1 for the largest $|\Delta|$.",
    ),
    praise="The far coordinate decides, and the near one has to live with it.",
    probes=((_Y, 4), (2 * _Y, 6), (_Y[:2], 4)),
)


def _crawl(d: float, eta: float, p: float, t: float) -> float:
    return float((d ** (2 - p) + (p - 2) * eta * t) ** (-1 / (p - 2)))


def _obeys(f: Any) -> bool:
    """Return whether the path's slope is that of gradient flow, by central differences."""
    h = 1e-3
    slope = (f(0.2, 0.7, 4, 30 + h) - f(0.2, 0.7, 4, 30 - h)) / (2 * h)
    return close(slope, -0.7 * f(0.2, 0.7, 4, 30) ** 3, 1e-4)


_CRAWL = Exercise(
    name="crawl",
    notebook="05",
    kind="write",
    title="The crawl",
    prompt=(
        r"Solve $\dot\Delta = -\eta\,\Delta^{p-1}$ from $\Delta(0) = \Delta_0 > 0$ for $p>2$. "
        r"Return $\Delta(t)$."
    ),
    solution=(
        "def crawl(delta0, eta, p, t):\n"
        "    return (delta0 ** (2 - p) + (p - 2) * eta * t) ** (-1 / (p - 2))"
    ),
    properties={
        r"at $t=0$ it is $\Delta_0$": lambda f: close(f(0.2, 0.7, 4, 0), 0.2),
        "it obeys the equation": _obeys,
        "long afterwards the start is forgotten": lambda f: close(
            f(0.2, 1.0, 4, 1e9), f(0.9, 1.0, 4, 1e9), 1e-6
        ),
        "for $p = 4$, a hundred times longer is ten times closer": lambda f: close(
            f(1.0, 1.0, 4, 1e8), f(1.0, 1.0, 4, 1e6) / 10, 1e-4
        ),
    },
    mistakes={
        "An exponential would need the same factor in each step. "
        "Here it gets closer to 1.": lambda d, eta, p, t: d * np.exp(-eta * t),
        "That is the limit for large $t$. The start is missing.": lambda d, eta, p, t: (
            ((p - 2) * eta * t) ** (-1 / (p - 2)) if t else np.inf
        ),
        r"The factor $p-2$ is missing: integrating $\Delta^{1-p}$ divides by "
        r"it.": lambda d, eta, p, t: (d ** (2 - p) + eta * t) ** (-1 / (p - 2)),
        r"The powers: $\int \Delta^{-(p-1)}d\Delta$ has the power "
        r"$-(p-2)$.": lambda d, eta, p, t: (d ** (1 - p) + (p - 1) * eta * t) ** (-1 / (p - 1)),
        "The outer power must undo the inner one: at $t = 0$ it should give back the "
        "start.": lambda d, eta, p, t: (d ** (2 - p) + (p - 2) * eta * t) ** (1 / (p - 2)),
        "The sign: as $t$ grows the bracket grows, and the distance falls.": Mistake(
            lambda d, eta, p, t: (d ** (2 - p) - (p - 2) * eta * t / 100) ** (-1 / (p - 2)),
            lambda f: f(0.2, 0.7, 4, 1) > 0.2,
        ),
        "A straight line would reach 0. The slope gets flatter on the way.": lambda d, eta, p, t: (
            d - eta * d ** (p - 1) * t
        ),
    },
    hints=(
        r"Separate: $\Delta^{1-p}\,d\Delta = -\eta\,dt$, and integrate both sides.",
        r"$\Delta^{2-p} = \Delta_0^{2-p} + (p-2)\eta t$; now solve for $\Delta$.",
    ),
    praise="A power law: ten times closer costs a hundred times the steps at $p=4$.",
    probes=((0.2, 0.7, 4, 3.0), (0.5, 0.2, 6, 10.0)),
)

_START = np.array([0.01, 0.01])


@cache
def _tuned(targets: tuple[float, ...], p: float, depths: tuple[float, ...]) -> TunedLearningRate:
    loss = SeparableLp(targets, p)
    aim = 0.01 * min(abs(y) for y in targets) ** p / p
    return tuned_learning_rate(loss, _START, depth=depths, target=aim)


def _fair() -> tuple[float, float]:
    """Return how many times fewer steps depth 3 takes, at tuned rates and at the shared rate."""
    tuned = _tuned((1.0, 0.1), 4, (1.0, 3.0))
    rate = float(np.min(tuned.largest_safe))
    run = descend(
        SeparableLp((1.0, 0.1), 4),
        _START,
        depth=[1, 3],
        optimizer=GradientDescent(rate),
        steps=5_000,
    )
    shared = run.steps_to(0.01 * 0.1**4 / 4)
    return float(tuned.steps[0] / tuned.steps[1]), float(shared[0] / shared[1])


_FAIR = Exercise(
    name="fair_gain",
    notebook="05",
    kind="compare",
    title="A fair comparison",
    prompt=(
        r"On `oe.SeparableLp((1.0, 0.1), p=4)` from `[0.01, 0.01]`, with each depth at its **own** "
        r"tuned learning rate, count the steps until the loss is 1 % of $\frac14\,0.1^4$. How many "
        r"does depth 1 take for each one of depth 3? Compute it with `oe.tuned_learning_rate`."
    ),
    todo="steps at depth 1 divided by steps at depth 3",
    solution=(
        "easy = oe.SeparableLp((1.0, 0.1), p=4)\n"
        "raced = oe.tuned_learning_rate("
        "easy, [0.01, 0.01], depth=[1, 3], target=0.01 * 0.1**4 / 4)\n"
        "fair_gain = raced.steps[0] / raced.steps[1]"
    ),
    properties={
        "the ratio of the tuned steps": lambda x: close(float(x), _fair()[0], 0.05),
    },
    mistakes={
        "That is the ratio upside down: steps of depth 1 over steps of depth 3.": Mistake(
            145 / 407, lambda x: close(float(x), 1 / _fair()[0], 0.05)
        ),
        "That is the slide's factor $y_1^{2-2/N}$. "
        "It compares at a shared rate; measure instead.": 1.0,
        "That is a ratio of **learning rates**. A larger rate is not yet fewer steps.": Mistake(
            4.488 / 1.833,
            lambda x: any(
                close(float(x), ratio, 0.05)
                for rate in (_tuned((1.0, 0.1), 4, (1.0, 3.0)).fastest,)
                for ratio in (rate[0] / rate[1], rate[1] / rate[0])
            ),
        ),
        "That is the gain at a **shared** rate, which flatters one side. Tune each depth.": Mistake(
            1.13, lambda x: close(float(x), _fair()[1], 0.05)
        ),
        "Those are numbers of steps. Divide one by the other.": Mistake(
            325.0, lambda x: np.size(x) > 1 or float(x) > 20
        ),
        "That is the estimate. It leaves out the time it takes to leave the start: measure.": 3.14,
    },
    hints=(
        "`oe.tuned_learning_rate(loss, start, depth=[1, 3], target=...)` returns `.steps`.",
        "Divide `.steps[0]` by `.steps[1]`.",
    ),
    praise="At tuned rates and under a criterion that rules out luck: this is a number to quote.",
)


def _slower(loss: Any) -> bool:
    tuned = _tuned(tuple(loss.targets.tolist()), loss.p, (1.0, 2.0))
    return bool(tuned.steps[1] > tuned.steps[0])


def _race(loss: Any) -> bool:
    return isinstance(loss, SeparableLp) and loss.shape == (2,)


_SLOWER = Exercise(
    name="slower_with_depth",
    notebook="05",
    kind="find a counterexample",
    title="Where depth is slower",
    prompt=(
        "“Depth speeds up training.” Find a counterexample: an `oe.SeparableLp` with two targets, "
        "neither of them 0, on which depth 2 takes **more** steps than depth 1 from `[0.01, "
        "0.01]`, each at its own tuned rate."
    ),
    todo="oe.SeparableLp((y1, y2), p=...)",
    solution="slower_with_depth = oe.SeparableLp((1.0, 0.1), p=2)",
    properties={
        "it is an `oe.SeparableLp` with two targets": _race,
        "no target is 0": lambda loss: np.all(np.abs(loss.targets) > 0.02),
        "depth 2 takes more steps to 1 % of the near coordinate's loss": _slower,
    },
    mistakes={
        "There depth 2 is faster: the near coordinate crawls at depth 1. "
        "Which $p$ has no crawl?": Mistake(
            SeparableLp((1.0, 0.1), p=4),
            lambda loss: _race(loss) and loss.p > 2 and np.ptp(np.abs(loss.targets)) > 0.1,
        ),
        "A target of 0 (or nearly) is where the run starts, "
        "so there is nothing to race for.": Mistake(
            SeparableLp((1.0, 0.0), p=2),
            lambda loss: _race(loss) and np.any(np.abs(loss.targets) <= 0.02),
        ),
        "Two targets, please.": Mistake(
            SeparableLp((1.0, 0.5, 0.1), p=2),
            lambda loss: isinstance(loss, SeparableLp) and loss.shape != (2,),
        ),
        "Use `oe.SeparableLp`, so that every answer runs the same race.": Mistake(
            LinearLoss([1.0, 1.0]),
            lambda loss: isinstance(loss, Loss) and not isinstance(loss, SeparableLp),
        ),
        "A loss is asked for: `oe.SeparableLp((y1, y2), p=...)`.": Mistake(
            2, lambda loss: not isinstance(loss, Loss)
        ),
        "Depth 2 is still faster here: take the crawl away.": Mistake(
            SeparableLp((1.0, 0.95), p=6), _race
        ),
    },
    hints=("Depth helps where the near coordinate crawls. Take the crawl away.", "Try $p = 2$."),
    praise="At $p=2$ nothing crawls, so there is nothing to gain and depth only costs.",
)

EXERCISES = (_BOUND, _CRAWL, _FAIR, _SLOWER)
