"""Exercises of notebook 05: why depth can be faster, and where it is not."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.classroom.forms import NUMBER, kind
from overparam_edu.dynamics.losses import LinearLoss, LpRegression, SeparableLp
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.training import descend, gradient_flow
from overparam_edu.dynamics.tuning import TunedLearningRate, tuned_learning_rate
from overparam_edu.experiments.depth_race import race_depths

_C, _Y = np.array([0.3, 4.0, 1.0]), np.array([0.4, 0.7, -1.6])


def _survives(rate: float, p: float) -> bool:
    """Return whether the loss of a run from 0 falls, on the library's loss of the same formula."""
    roots = _C ** (1 / p)
    loss = LpRegression(np.diag(roots), roots * _Y, p)
    run = descend(loss, 0 * _Y, optimizer=GradientDescent(rate), steps=200)
    return bool(run.diverged_at < 0 and run.losses[-1] < run.losses[0])


def _limits(f: Any, p: float) -> bool:
    rate = f(_C, _Y, p)
    return rate > 0 and _survives(0.98 * rate, p) and not _survives(1.02 * rate, p)


_BOUND = Exercise(
    name="largest_rate",
    notebook="05",
    kind="write",
    title="The largest stable learning rate",
    prompt=(
        r"Section 3, with a weight for each coordinate. Gradient descent (depth 1) on "
        r"$\sum_i\frac{c_i}p(w_i-y_i)^p$ starts at $w = 0$. Return the learning rate above which "
        "it diverges, for arrays `c` (positive) and `y` of any length and even `p`."
    ),
    solution=("def largest_rate(c, y, p):\n    return 2 / np.max(c * np.abs(y) ** (p - 2))"),
    properties={
        "for $p = 2$ only the largest weight counts": lambda f: close(f(_C, _Y, 2), 0.5),
        "the loss of a run from 0 falls at 98 % of it, and not at 102 %, for $p = 4$": lambda f: (
            _limits(f, 4)
        ),
        "the same for $p = 6$": lambda f: _limits(f, 6),
    },
    mistakes={
        "The weights are missing: coordinate $i$ steps by "
        r"$\eta c_i\Delta_i^{p-1}$.": lambda c, y, p: 2 / np.max(np.abs(y) ** (p - 2)),
        "The largest weight and the farthest target need not belong to one coordinate.": (
            lambda c, y, p: 2 / (c.max() * np.abs(y).max() ** (p - 2))
        ),
        "The farthest coordinate need not set the limit: its weight may be small.": (
            lambda c, y, p: 2 / (c[np.abs(y).argmax()] * np.abs(y).max() ** (p - 2))
        ),
        "The heaviest coordinate need not set the limit: it may be near.": lambda c, y, p: (
            2 / (c.max() * np.abs(y[c.argmax()]) ** (p - 2))
        ),
        "That is the rate of the least endangered coordinate. Which one diverges first?": (
            lambda c, y, p: 2 / np.min(c * np.abs(y) ** (p - 2))
        ),
        r"Only half of it: $|1 - \eta c\Delta^{p-2}| < 1$ allows the factor to be "
        r"negative.": lambda c, y, p: 1 / np.max(c * np.abs(y) ** (p - 2)),
        r"The power: divide the step $\eta c\Delta^{p-1}$ by "
        r"$\Delta$.": lambda c, y, p: 2 / np.max(c * np.abs(y) ** (p - 1)),
        "That is the loss's power; a step has one less, its factor two less.": lambda c, y, p: (
            2 / np.max(c * np.abs(y) ** p)
        ),
        "Coordinates do not add up: each has its own recurrence. Take the worst.": (
            lambda c, y, p: 2 / np.sum(c * np.abs(y) ** (p - 2))
        ),
        "Not the mean: one coordinate that diverges is enough.": lambda c, y, p: (
            2 / np.mean(c * np.abs(y) ** (p - 2))
        ),
        r"That is 2 over the curvature at 0. For $p>2$ a step may overshoot by more: "
        r"it is the factor $1-\eta c\Delta^{p-2}$ that counts, without $p-1$.": lambda c, y, p: (
            2 / ((p - 1) * np.max(c * np.abs(y) ** (p - 2)))
        ),
        "Upside down: far and heavy coordinates need **smaller** rates.": lambda c, y, p: (
            2 * np.max(c * np.abs(y) ** (p - 2))
        ),
    },
    hints=(
        r"One step: $\Delta_i \leftarrow \Delta_i(1-\eta c_i\Delta_i^{p-2})$.",
        r"The largest $c_i|y_i|^{p-2}$ decides.",
    ),
    praise="One coordinate decides, neither the farthest nor the heaviest, and all live with it.",
    probes=((_C, _Y, 4), (2 * _C, -_Y, 6), (_C[:2], _Y[:2], 2)),
    draw=lambda rng: (
        *np.exp(rng.normal(size=(1, d := int(rng.integers(1, 6))))),
        rng.normal(size=d),
        int(rng.choice([2, 4, 6, 8])),
    ),
)


def _flows(f: Any, p: float) -> bool:
    """Return whether the library's gradient flow is a fifth as far away at that time."""
    time = f(0.7, 0.5, p, 5.0)
    if time <= 0:
        return False
    run = gradient_flow(SeparableLp((0.0,), p), [0.7], times=[0, 0.5 * time])
    return close(run.points[-1], [0.14], 1e-5)


_CRAWL = Exercise(
    name="crawl_time",
    notebook="05",
    kind="write",
    title="How long the crawl takes",
    prompt=(
        r"A coordinate obeys $\dot\Delta = -\eta\,\Delta^{p-1}$ from $\Delta(0) = \Delta_0 > 0$, "
        "with any $p>2$. Return the time at which it is `closer` times as close: "
        r"$\Delta = \Delta_0\,/$ `closer`."
    ),
    solution=(
        "def crawl_time(delta0, eta, p, closer):\n"
        "    return (closer ** (p - 2) - 1) / ((p - 2) * eta * delta0 ** (p - 2))"
    ),
    properties={
        "to stay where it is takes no time": lambda f: close(f(0.2, 0.7, 4, 1.0), 0.0),
        "at $p = 4$ the library's gradient flow is there at that time": lambda f: _flows(f, 4),
        "at $p = 3$ as well": lambda f: _flows(f, 3),
        "twice the rate takes half the time": lambda f: close(
            f(0.3, 2.0, 5, 4.0), f(0.3, 1.0, 5, 4.0) / 2
        ),
    },
    mistakes={
        r"An exponential would shrink $\Delta$ by the same factor in each step. Here the factor "
        "gets closer to 1.": lambda d, eta, p, k: np.log(k) / eta,
        "The start is missing: the integral runs from $\\Delta_0$, not from infinity.": (
            lambda d, eta, p, k: (k / d) ** (p - 2) / ((p - 2) * eta)
        ),
        r"The factor $p-2$ is missing: integrating $\Delta^{1-p}$ divides by it.": (
            lambda d, eta, p, k: ((k / d) ** (p - 2) - d ** (2 - p)) / eta
        ),
        "The rate is missing.": lambda d, eta, p, k: (k ** (p - 2) - 1) / ((p - 2) * d ** (p - 2)),
        r"The start $\Delta_0$ is missing. Does it take as long from farther away?": (
            lambda d, eta, p, k: (k ** (p - 2) - 1) / ((p - 2) * eta)
        ),
        r"The powers: $\int \Delta^{-(p-1)}d\Delta$ has the power $-(p-2)$.": (
            lambda d, eta, p, k: (k ** (p - 1) - 1) / ((p - 1) * eta * d ** (p - 1))
        ),
        "The power of the start: farther away the slope is steeper, so it takes **less** time to "
        "get `closer` times as close.": lambda d, eta, p, k: (
            (k ** (p - 2) - 1) * d ** (p - 2) / ((p - 2) * eta)
        ),
        "At the speed of the start. But the slope gets flatter on the way.": (
            lambda d, eta, p, k: (d - d / k) / (eta * d ** (p - 1))
        ),
        "The sign: time runs forward.": lambda d, eta, p, k: (
            (1 - k ** (p - 2)) / ((p - 2) * eta * d ** (p - 2))
        ),
    },
    hints=(
        r"$\Delta(t)^{2-p} = \Delta_0^{2-p} + (p-2)\eta t$ (section 4). Where is $t$?",
        r"Put in $\Delta(t) = \Delta_0/$ `closer`, and take $\Delta_0^{2-p}$ out.",
    ),
    praise="A power of `closer`, where $p = 2$ has its logarithm: that is the crawl.",
    probes=((0.2, 0.7, 4, 3.0), (0.5, 0.2, 6, 10.0), (0.9, 1.3, 2.5, 1.0)),
    draw=lambda rng: (
        float(rng.uniform(0.1, 1.5)),
        float(rng.uniform(0.1, 2)),
        float(rng.choice([2.5, 3, 4, 5, 6])),
        float(rng.uniform(1.5, 20)),
    ),
)

_START = np.array([0.01, 0.01])


def _aim(targets: tuple[float, ...], p: float) -> float:
    return float(0.01 * min(abs(y) for y in targets) ** p / p)


@cache
def _tuned(
    targets: tuple[float, ...], p: float, depths: tuple[float, ...], aim: float | None = None
) -> TunedLearningRate:
    target = aim or _aim(targets, p)
    return tuned_learning_rate(SeparableLp(targets, p), _START, depth=depths, target=target)


_FARTHER = (2.0, 0.2)


def _gain(targets: tuple[float, ...] = _FARTHER, aim: float | None = None) -> float:
    tuned = _tuned(targets, 4, (1.0, 3.0), aim)
    return float(tuned.steps[0] / tuned.steps[1])


@cache
def _raced(learning_rate: str) -> float:
    """Return the gain of the runs themselves, each at its tuned rate or both at the shared one."""
    loss = SeparableLp(_FARTHER, 4)
    race = race_depths(
        loss, _START, depths=[1, 3], target=_aim(_FARTHER, 4), learning_rate=learning_rate
    )
    return float(race.arrivals[0] / race.arrivals[1])


_FAIR = Exercise(
    name="fair_gain",
    notebook="05",
    kind="compare",
    title="A fair comparison",
    prompt=(
        r"Move both targets twice as far away, $y = (2, 0.2)$ at $p = 4$, and start from `[0.01, "
        "0.01]` as before. With each depth at its **own** tuned learning rate, count the steps "
        r"until the loss is 1 % of $\frac14\,y_2^4$. How many does depth 1 take for each one of "
        "depth 3? Compute it with `oe.tuned_learning_rate`."
    ),
    todo="steps at depth 1 divided by steps at depth 3",
    solution=(
        "wide = oe.SeparableLp((2.0, 0.2), p=4)\n"
        "raced = oe.tuned_learning_rate("
        "wide, [0.01, 0.01], depth=[1, 3], target=0.01 * 0.2**4 / 4)\n"
        "fair_gain = raced.steps[0] / raced.steps[1]"
    ),
    returns=NUMBER,
    properties={
        "it is the ratio of the tuned steps, to 2 %": lambda x: close(x, _gain(), 0.02),
    },
    mistakes={
        "That is the ratio upside down: steps of depth 1 over steps of depth 3.": Mistake(
            109 / 413, lambda x: close(x, 1 / _gain(), 0.02)
        ),
        "That is the slide's factor $y_1^{2-2/N}$. It compares at a shared rate; measure "
        "instead.": 2 ** (4 / 3),
        "That is a ratio of **learning rates**. A larger rate is not yet fewer steps.": Mistake(
            1.066,
            lambda x: any(
                close(x, ratio, 0.02)
                for rates in (_tuned(_FARTHER, 4, (1.0, 3.0)).fastest,)
                for ratio in (rates[0] / rates[1], rates[1] / rates[0])
            ),
        ),
        "That is the gain at a **shared** rate, which flatters one side. Tune each depth.": Mistake(
            2.975, lambda x: close(x, _raced("same"), 0.02)
        ),
        "That counts one run a depth. `tuned_learning_rate(...).steps` counts the slowest of a few "
        "neighbouring runs, so that no lucky step wins.": Mistake(
            3.425, lambda x: close(x, _raced("tuned"), 0.02)
        ),
        "That is the gain for the targets of section 6, $(1, 0.1)$.": Mistake(
            407 / 145, lambda x: close(x, _gain((1.0, 0.1)), 0.02)
        ),
        "The loss to reach is still that of section 6: $y_2$ is 0.2 now.": Mistake(
            3.5404, lambda x: close(x, _gain(_FARTHER, _aim((1.0, 0.1), 4)), 0.005)
        ),
        "That is a number of steps. Divide one by the other.": Mistake(
            413, lambda x: x in _tuned(_FARTHER, 4, (1.0, 3.0)).steps
        ),
        "That is an estimate, with the rate at its bound and a start that costs nothing: "
        "measure.": Mistake(
            # With and without the share of coordinate 1 in the loss at the end (section 6).
            4.215,
            lambda x: close(x, 4.215, 0.02) or close(x, 3.1417, 0.02),
        ),
    },
    hints=(
        "`oe.tuned_learning_rate(loss, start, depth=[1, 3], target=...)` returns `.steps`.",
        "Divide `.steps[0]` by `.steps[1]`.",
    ),
    praise="At tuned rates, and counted for the slowest of its neighbours: a number to quote.",
)


def _steps(loss: SeparableLp) -> tuple[float, float]:
    tuned = _tuned(tuple(loss.targets.tolist()), loss.p, (1.0, 2.0))
    return float(tuned.steps[0]), float(tuned.steps[1])


def _why_slower(loss: SeparableLp) -> str:
    one, two = (f"{n:.0f}" if np.isfinite(n) else "more than 5,000" for n in _steps(loss))
    no_crawl = "At $p=2$ depth 1 shrinks both distances by the same factor, so no crawl is saved."
    reason = no_crawl if loss.p == 2 else "One loss is enough: speed is no law of depth."
    return f"Steps at depth 1: {one}; at depth 2: {two}. {reason}"


_SLOWER = Exercise(
    name="slower_with_depth",
    notebook="05",
    kind="find a counterexample",
    title="Where depth is slower",
    prompt=(
        "“Depth speeds up training.” Find a counterexample: an `oe.SeparableLp` with two targets, "
        "both at least 0.02 away from 0, on which depth 2 takes **more** steps than depth 1 from "
        "`[0.01, 0.01]` until the loss is 1 % of the nearer target's, $\\frac1p|y|^p$, each at its "
        "own tuned rate."
    ),
    todo="oe.SeparableLp((y1, y2), p=...)",
    solution="slower_with_depth = oe.SeparableLp((1.0, 0.1), p=2)",
    returns=kind(
        "an `oe.SeparableLp` with two targets",
        SeparableLp,
        holds=lambda loss: loss.shape == (2,),
    ),
    properties={
        "both targets are at least 0.02 away from 0": lambda loss: np.all(
            np.abs(loss.targets) >= 0.02
        ),
        "depth 2 takes more steps than depth 1": lambda loss: _steps(loss)[1] > _steps(loss)[0],
    },
    mistakes={
        "Two targets, please.": Mistake(
            SeparableLp((1.0, 0.5, 0.1), p=2),
            lambda loss: isinstance(loss, SeparableLp) and loss.shape != (2,),
        ),
        "Use `oe.SeparableLp`, so that every answer runs the same race.": Mistake(
            LinearLoss([1.0, 1.0]),
            lambda loss: hasattr(loss, "gradient") and not isinstance(loss, SeparableLp),
        ),
        "A target of 0 (or nearly) is where the run starts, "
        "so there is nothing to race for.": Mistake(
            SeparableLp((1.0, 0.0), p=2), lambda loss: np.any(np.abs(loss.targets) < 0.02)
        ),
        "Neither arrives within 5,000 steps. Take a smaller $p$, or targets closer to each "
        "other.": Mistake(
            SeparableLp((1.0, 0.1), p=8), lambda loss: _steps(loss) == (np.inf, np.inf)
        ),
        "A draw: both take the same number of steps.": Mistake(
            SeparableLp((1.0, 0.5), p=3), lambda loss: _steps(loss)[0] == _steps(loss)[1] < np.inf
        ),
        "There depth 2 is faster. Which $p$ has no crawl that it could save?": Mistake(
            SeparableLp((1.0, 0.1), p=4),
            lambda loss: loss.p > 2 and _steps(loss)[1] < _steps(loss)[0],
        ),
    },
    hints=("Depth helps where both coordinates crawl. Take the crawl away.", "Try $p = 2$."),
    praise=_why_slower,
)

EXERCISES = (_BOUND, _CRAWL, _FAIR, _SLOWER)
