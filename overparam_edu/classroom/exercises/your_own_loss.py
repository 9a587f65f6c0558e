"""Exercises of notebook 09: a loss of your own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.dynamics.tuning import tuned_learning_rate

if TYPE_CHECKING:
    from overparam_edu.derivations.own_loss import SymbolicLoss

_P = np.array([0.7, -0.3])


def _value(w: Any) -> Any:
    return np.exp(w[0]) * np.sin(2 * w[1]) + w[1] ** 4


def _slope(w: Any) -> Any:
    return np.array(
        [np.exp(w[0]) * np.sin(2 * w[1]), 2 * np.exp(w[0]) * np.cos(2 * w[1]) + 4 * w[1] ** 3]
    )


def _differences(value: Any, w: Any, h: float, forth: float, back: float, over: float) -> Any:
    nudges = np.eye(len(w)) * h
    return np.array([(value(w + forth * n) - value(w - back * n)) / over for n in nudges])


_NUMERICAL = Exercise(
    name="numerical_gradient",
    notebook="09",
    kind="write",
    title="Check a gradient without algebra",
    prompt=(
        "Return the gradient of any function `value` at `w` by **central** differences, "
        r"$\partial_i L \approx \frac{L(w + h e_i) - L(w - h e_i)}{2h}$."
    ),
    solution=(
        "def numerical_gradient(value, w, h=1e-4):\n    nudges = h * np.eye(len(w))\n"
        "    return np.array([(value(w + n) - value(w - n)) / (2 * h) for n in nudges])"
    ),
    properties={
        "it is exact for a linear function, up to rounding": lambda f: close(
            f(lambda w: 3 * w[0] - w[1], _P, 0.1), [3.0, -1.0]
        ),
        "it is exact for a parabola too: that is what central means": lambda f: close(
            f(lambda w: w[0] ** 2 + 5 * w[1] ** 2, _P, 0.1), [1.4, -3.0]
        ),
        "a function with products": lambda f: close(f(_value, _P, 1e-4), _slope(_P), 1e-6),
        "three variables": lambda f: close(f(lambda w: w @ w, np.ones(3), 1e-3), 2 * np.ones(3)),
    },
    mistakes={
        "That is a forward difference: its error is of order $h$. Go both ways.": lambda v, w, h: (
            _differences(v, w, h, 1, 0, h)
        ),
        "From $w-h$ to $w+h$ it is $2h$.": lambda v, w, h: _differences(v, w, h, 1, 1, h),
        "The difference is not divided by the distance yet.": lambda v, w, h: _differences(
            v, w, h, 1, 1, 1
        ),
        "The sign: forward minus backward.": lambda v, w, h: _differences(v, w, h, 1, 1, -2 * h),
        "You moved all coordinates at once. One at a time.": lambda v, w, h: np.full(
            len(w), (v(w + h) - v(w - h)) / (2 * h)
        ),
        "One number for each coordinate, not their sum.": Mistake(
            lambda v, w, h: _differences(v, w, h, 1, 1, 2 * h).sum(),
            lambda f: np.ndim(f(_value, _P, 1e-3)) == 0,
        ),
        "That is a backward difference, exact to order $h$ only. Go both ways.": lambda v, w, h: (
            _differences(v, w, h, 0, 1, h)
        ),
    },
    hints=(
        "`np.eye(len(w)) * h` has the nudges as rows.",
        "`(value(w + n) - value(w - n)) / (2 * h)` for each.",
    ),
    praise="Five lines that find most wrong gradients, in any code of yours.",
    probes=((_value, _P, 0.1), (_value, 2 * _P, 0.05)),
)


@cache
def _parsed(text: str) -> SymbolicLoss:
    from overparam_edu.derivations.own_loss import SymbolicLoss

    return SymbolicLoss(text)


def _is_loss(text: Any) -> bool:
    return isinstance(text, str) and _parsed(text).shape == (2,)


def _slopes(text: str) -> bool:
    return not _parsed(text).expression.is_number


@cache
def _answer(text: str, depth: int) -> bool:
    from overparam_edu.derivations.potential import find_potential

    return bool(find_potential(_parsed(text), depth).exists)


_TEXT = {
    'Give the loss as text, such as `"(w1 - 1)^2 + w2^2"`.': Mistake(
        lambda w: w[0], lambda text: not isinstance(text, str)
    ),
    "A constant moves nothing. Let it depend on `w1` and `w2`.": Mistake(
        "1", lambda text: not _slopes(text)
    ),
}

_RADIAL = Exercise(
    name="potential_at_three",
    notebook="09",
    kind="find a counterexample",
    title="A loss that depth only reshapes",
    prompt=(
        r"Theorem 2 has a condition: $g(0) \neq 0$. Give a loss in `w1` and `w2`, as text, for "
        "which the rule's field at **depth 3** is a gradient after all."
    ),
    todo='such as "(w1 - 1)^2 + w2^2", but one that works',
    solution='potential_at_three = "(w1^2 + w2^2 - 1)^2"',
    properties={
        "it is a loss of `w1` and `w2`, as text": _is_loss,
        "it is not constant": _slopes,
        "`oe.find_potential` finds a potential at depth 3": lambda text: _answer(text, 3),
    },
    mistakes={
        **_TEXT,
        "Linear losses have a potential at depth 2, not at 3: the gradient at 0 is not 0.": Mistake(
            "w1 + 2*w2", lambda text: all(s.is_number for s in _parsed(text).slopes)
        ),
        "Round, but not about 0. From where does the rule measure lengths?": Mistake(
            "(w1 - 1)^2 + w2^2", lambda text: _answer(text, 2) and not _answer(text, 3)
        ),
        "Its minimum is at 0, but not all directions are alike.": Mistake(
            "w1^2 + 2*w2^2",
            lambda text: (
                _is_loss(text)
                and not np.any(_parsed(text).gradient(np.zeros(2)))
                and not _answer(text, 3)
            ),
        ),
        r"$h = \langle w, g\rangle - \frac23 L$ must depend on $\|w\|$ alone. Does it "
        r"here?": Mistake("w1^4 + w2^2 + w1", lambda text: _is_loss(text) and not _answer(text, 3)),
    },
    hints=(
        "Which losses look the same from 0 in all directions?",
        "Any function of `w1^2 + w2^2`.",
    ),
    praise=(
        r"A loss of $\|w\|$ alone: then the rule moves along $w$ only, and its field is a gradient."
    ),
)

_START = np.array([0.05, 0.05])


@cache
def _race(text: str) -> tuple[float, float]:
    """Return the tuned steps of depth 1 and 2 until 0.1 % of the way down is left."""
    loss = _parsed(text)
    if not np.all(np.isfinite(loss.gradient(_START))):
        return np.inf, np.inf
    least = loss.value([1.0, 1.0])
    target = float(least + 1e-3 * (loss.value(_START) - least))
    tuned = tuned_learning_rate(loss, _START, depth=[1, 2], target=target, steps=2_000)
    return float(tuned.steps[0]), float(tuned.steps[1])


def _lowest_at_one(text: str) -> bool:
    loss = _parsed(text)
    down = loss.value([1.0, 1.0]) < min(loss.value([0.0, 0.0]), loss.value(_START))
    return bool(down and np.abs(loss.gradient([1.0, 1.0])).max() < 1e-9)


_FASTER = Exercise(
    name="faster_at_two",
    notebook="09",
    kind="find a counterexample",
    title="Your own acceleration",
    prompt=(
        "“Extra layers can only slow training down.” Refute it with a loss of your own: text in "
        "`w1` and `w2` with its minimum at (1, 1), on which depth 2 takes at most **two thirds** "
        "of depth 1's steps until 0.1 % of the way down is left, from (0.05, 0.05), each at its "
        "own tuned rate."
    ),
    todo='such as "(w1 - 1)^2 + (w2 - 1)^2", but one that works',
    solution='faster_at_two = "(w1 - 1)^4 + (w2 - 1)^4 / 100"',
    properties={
        "it is a loss of `w1` and `w2`, as text": _is_loss,
        "it is not constant": _slopes,
        "the loss is flat at (1, 1), and lower than at the start": _lowest_at_one,
        "depth 2 takes at most two thirds of the steps": lambda text: (
            np.isfinite(_race(text)[0]) and _race(text)[1] <= 2 / 3 * _race(text)[0]
        ),
    },
    mistakes={
        **_TEXT,
        "Its minimum is not at (1, 1).": Mistake(
            "(w1 - 2)^4 + w2^2", lambda text: _is_loss(text) and not _lowest_at_one(text)
        ),
        "Round and quadratic: depth 1 arrives at once. Nothing is left to gain.": Mistake(
            "(w1 - 1)^2 + (w2 - 1)^2", lambda text: _race(text)[0] <= 4
        ),
        "Depth 2 is not that much faster here. "
        "Is your steep direction flatter near its minimum?": Mistake(
            "(w1 - 1)^2 + (w2 - 1)^2 / 20", lambda text: _race(text)[1] > 2 / 3 * _race(text)[0]
        ),
    },
    hints=(
        "The steep direction limits the rate at the start; it must become harmless later: power 4.",
        "Two fourth powers, one with a small factor.",
    ),
    praise="The model can express nothing more, and yet it arrives sooner.",
)

EXERCISES = (_NUMERICAL, _RADIAL, _FASTER)
