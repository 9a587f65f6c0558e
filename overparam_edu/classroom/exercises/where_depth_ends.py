"""Exercises of notebook 11: where depth ends, and when each part is learned."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.classroom.forms import Form, matrix
from overparam_edu.dynamics.losses import LpRegression
from overparam_edu.dynamics.mirror_flow import flow_limit
from overparam_edu.dynamics.networks import balanced_network
from overparam_edu.dynamics.optimizers import GradientDescent
from overparam_edu.dynamics.singular_values import learning_time
from overparam_edu.dynamics.training import train

_X, _Y = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([1.0, -0.5])
_START = np.array([0.3, 0.2, -0.4])


def _least(X: Any, y: Any) -> Any:
    return np.linalg.pinv(X) @ y


def _unseen(X: Any, w: Any) -> Any:
    """Return the part of w that the data don't see."""
    return w - np.linalg.pinv(X) @ (X @ w)


def _kept(X: Any, w: Any) -> Any:
    """Return that part of the mirror image of w, at depth 2."""
    return _unseen(X, w / np.linalg.norm(w) ** 0.5)


@cache
def _trained() -> Any:
    """Return where two layers of gradient descent end."""
    network = balanced_network(_START, 2)
    run = train(network, LpRegression(_X, _Y, 2), optimizer=GradientDescent(0.02), steps=4_000)
    return run.points[-1]


def _drawn_regression(rng: np.random.Generator) -> tuple[Any, ...]:
    n = int(rng.integers(1, 4))
    X = rng.standard_normal((n, n + int(rng.integers(1, 4))))
    return X, rng.standard_normal(n), rng.uniform(0.2, 2) * rng.standard_normal(X.shape[1])


_END = Exercise(
    name="end_at_depth_2",
    notebook="11",
    kind="write",
    title="The end, without the run",
    prompt=(
        "Return the solution of $Xw = y$ at which the flow of depth 2 ends, from `start` (not 0). "
        "`X` has fewer rows than columns, and they are independent. Two things are known of the "
        "end: it fits, and its mirror image $w/\\sqrt{\\|w\\|}$ agrees with that of the start "
        "where the data don't see. (Find the length of $w$ first: a quadratic equation.)"
    ),
    solution=(
        "def end_at_depth_2(X, y, start):\n"
        "    inverse = np.linalg.pinv(X)\n"
        "    least = inverse @ y\n"
        "    mirror = start / np.sqrt(np.linalg.norm(start))\n"
        "    kept = mirror - inverse @ (X @ mirror)\n"
        "    # w = least + sqrt(R) kept, and so R^2 = |least|^2 + R |kept|^2.\n"
        "    a, m = kept @ kept, least @ least\n"
        "    R = (a + np.sqrt(a**2 + 4 * m)) / 2\n"
        "    return least + np.sqrt(R) * kept"
    ),
    properties={
        "it fits the data": lambda f: close(_X @ f(_X, _Y, _START), _Y),
        "from a start along the rows it ends at least norm": lambda f: close(
            f(_X, _Y, np.array([0.1, -0.2, -0.1])), _least(_X, _Y)
        ),
        "the mirror image is the start's where the data don't see": lambda f: close(
            _kept(_X, f(_X, _Y, _START)), _kept(_X, _START)
        ),
        "two layers, trained by small steps, end there": lambda f: close(
            f(_X, _Y, _START), _trained(), 0.02
        ),
    },
    mistakes={
        "That is the end at depth 1, where the unseen part of $w$ itself is kept.": (
            lambda X, y, start: _least(X, y) + _unseen(X, start)
        ),
        "That is the solution of least norm: the end from ever smaller starts only.": (
            lambda X, y, start: _least(X, y)
        ),
        "What is kept belongs to the mirror image. On the way back it is multiplied by the root of "
        "the end's length.": lambda X, y, start: _least(X, y) + _kept(X, start),
        "The length that counts is that of the end, not of the solution of least norm.": (
            lambda X, y, start: _least(X, y) + np.linalg.norm(_least(X, y)) ** 0.5 * _kept(X, start)
        ),
        "That is the start.": lambda X, y, start: start,
    },
    hints=(
        "Write the end as `least` + $n$, with $n$ where the data don't see.",
        "The mirror image of the end is $(\\text{least} + n)/\\sqrt R$, $R$ its length: so "
        "$n = \\sqrt R$ `kept`.",
        "Pythagoras: $R^2 = \\|\\text{least}\\|^2 + R\\,\\|\\text{kept}\\|^2$.",
    ),
    praise=(
        "A run of thousands of steps, replaced by one square root: that is what an invariant is "
        "good for. For other depths the equation for $R$ has no closed form, but one solution."
    ),
    probes=(
        (_X, _Y, _START),
        (np.array([[0.8, 0.6]]), np.array([1.0]), np.array([-0.5, 0.7])),
        (np.array([[1.0, 2.0, 2.0]]), np.array([-3.0]), np.array([1.0, 0.0, 2.0])),
    ),
    draw=_drawn_regression,
)

_CLOCK = Exercise(
    name="time_to_share",
    notebook="11",
    kind="write",
    title="When is a share learned?",
    prompt=(
        "Depth 2, $\\dot s = 2s\\,(\\sigma - s)$ from $s(0) = $ `s0`. Section 6 has the time at "
        "which half of $\\sigma$ is learned. Return the time at which the share `q` of `sigma` is, "
        "$s = q\\,\\sigma$, for any `q` between 0 and 1 that is not reached already."
    ),
    solution=(
        "def time_to_share(sigma, s0, q):\n"
        "    return np.log((sigma / s0 - 1) * q / (1 - q)) / (2 * sigma)"
    ),
    properties={
        "for half it is the time of section 6": lambda f: close(f(2.0, 0.01, 0.5), np.log(199) / 4),
        "what is reached at the start takes no time": lambda f: abs(f(2.0, 0.5, 0.25)) < 1e-9,
        "from 10 to 90 per cent it takes $\\ln(81)/(2\\sigma)$": lambda f: close(
            f(3.0, 0.01, 0.9) - f(3.0, 0.01, 0.1), np.log(81) / 6
        ),
        "it agrees with `oe.learning_time`": lambda f: close(
            f(0.7, 0.02, 0.8), float(learning_time(0.7, 0.02, 2, share=0.8))
        ),
    },
    mistakes={
        "That is the time for half, whatever `q` is.": lambda sigma, s0, q: (
            np.log(sigma / s0 - 1) / (2 * sigma)
        ),
        "That is pure exponential growth. It slows down as $s$ nears $\\sigma$.": (
            lambda sigma, s0, q: np.log(q * sigma / s0) / (2 * sigma)
        ),
        "At depth 2 the growth rate at first is $2\\sigma$, not $\\sigma$.": lambda sigma, s0, q: (
            np.log((sigma / s0 - 1) * q / (1 - q)) / sigma
        ),
        "The share is upside down: more of it must take longer.": lambda sigma, s0, q: (
            np.log((sigma / s0 - 1) * (1 - q) / q) / (2 * sigma)
        ),
        "That is depth 1.": lambda sigma, s0, q: np.log((1 - s0 / sigma) / (1 - q)),
        "The start is missing: a smaller one takes longer.": lambda sigma, s0, q: (
            np.log(q / (1 - q)) / (2 * sigma)
        ),
    },
    hints=(
        "What changes evenly in time is $\\ln\\frac{s}{\\sigma - s}$: differentiate it.",
        "At the end $\\frac{s}{\\sigma-s} = \\frac{q}{1-q}$, at the start "
        "$\\frac{s_0}{\\sigma-s_0}$.",
    ),
    praise=(
        "The start and the share enter apart, each in a logarithm of its own: a smaller start "
        "delays everything by the same time, and the jump keeps its shape."
    ),
    probes=((2.0, 0.01, 0.5), (1.0, 1e-4, 0.9), (0.5, 0.1, 0.3)),
    draw=lambda rng: (
        (sigma := float(rng.uniform(0.3, 3))),
        sigma * float(rng.uniform(0.001, 0.2)),
        float(rng.uniform(0.25, 0.95)),
    ),
)

_ROW, _ACROSS = np.array([[0.8, 0.6]]), np.array([-0.6, 0.8])


def _on_line(w: Any) -> bool:
    return bool(abs(_ROW[0] @ w - 1) < 0.1)


def _in_sight(w: Any) -> bool:
    return bool(abs(_ACROSS @ w) < 0.1)


def _ratio(w: Any) -> float:
    """Return how far from least norm depth 3 ends, relative to depth 1."""
    one, three = (abs(flow_limit(_ROW, [1.0], w, N) @ _ACROSS) for N in (1, 3))
    return float(three / one)


_HELPS = Exercise(
    name="start_that_helps",
    notebook="11",
    kind="find a counterexample",
    title="A start that depth forgets faster",
    prompt=(
        "“The deeper the network, the further it ends from the solution of least norm.” Find a "
        "counterexample for $0.8\\,w_1 + 0.6\\,w_2 = 1$: a start $(w_1, w_2)$ from which depth 3 "
        "ends **at least a tenth nearer** to it than depth 1. Let $0.8\\,w_1 + 0.6\\,w_2$ differ "
        "from 1 by 0.1 or more, and the part that the data don't see, $0.8\\,w_2 - 0.6\\,w_1$, "
        "from 0."
    ),
    todo="[w1, w2]",
    solution="start_that_helps = [2.0, 1.0]",
    returns=Form("two numbers, such as `[0.5, -0.2]`", matrix(2).read),
    properties={
        "it is no solution yet: $0.8\\,w_1 + 0.6\\,w_2$ is 0.1 or more away from 1": lambda w: (
            not _on_line(w)
        ),
        "there is something that the data don't see: $0.8\\,w_2 - 0.6\\,w_1$ is 0.1 or more away "
        "from 0": lambda w: not _in_sight(w),
        "depth 3 ends at least a tenth nearer to least norm than depth 1": lambda w: (
            _ratio(w) <= 0.9
        ),
    },
    mistakes={
        "That start solves the equation already, or nearly: no depth moves it far.": Mistake(
            [0.8, 0.6], _on_line
        ),
        "From exactly 0 depth 3 never moves.": Mistake([0, 0], lambda w: not np.any(w)),
        "Of this start the data see nearly all: both depths end nearly at least norm.": Mistake(
            [1.6, 1.2], lambda w: not _on_line(w) and np.any(w) and _in_sight(w)
        ),
        "Every solution is at least 1 long, this start is shorter: $w$ grows, and depth multiplies "
        "the unseen part. What does it do where $w$ shrinks?": Mistake(
            [-0.1, 0.2],
            lambda w: not _on_line(w) and not _in_sight(w) and np.linalg.norm(w) < 1,
        ),
        "Long enough, but it ends longer, or nearly as long. The unseen part is multiplied by a "
        "power of $\\|w_{\\text{end}}\\|/\\|w_0\\|$.": Mistake(
            [-0.9, 1.2],
            lambda w: (
                not _on_line(w) and not _in_sight(w) and np.linalg.norm(w) >= 1 and _ratio(w) > 0.9
            ),
        ),
    },
    hints=(
        "The unseen part is multiplied by $(\\|w_{\\text{end}}\\|/\\|w_0\\|)^{2/3}$.",
        "Start further away from 0 than where it ends.",
    ),
    praise=(
        "From a long start $w$ shrinks, and depth shrinks with it what the data don't see. "
        "“Small start” is half of the story that depth prefers small solutions."
    ),
)

EXERCISES = (_END, _CLOCK, _HELPS)
