"""Exercises of notebook 09: a loss of your own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close, has_potential
from overparam_edu.classroom.forms import WrongForm, kind
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.losses import LinearLoss
from overparam_edu.dynamics.rule import single_output_direction
from overparam_edu.dynamics.tuning import tuned_learning_rate

if TYPE_CHECKING:
    from overparam_edu.derivations.own_loss import SymbolicLoss

_P = np.array([0.7, -0.3])
_LINEAR = LinearLoss([1.0, -0.5])


def _rule(w: Any) -> Any:
    return single_output_direction(w, _LINEAR.gradient(w), 3)


def _bent(w: Any) -> Any:
    return np.array([w[0] * w[1] ** 2 - 2 * w[1], np.exp(w[0]) + w[0] ** 2 * w[1] - w[1] ** 3])


def _drawn_field(rng: np.random.Generator) -> tuple[Any, Any, float]:
    """Return a field that is not quadratic, a place, and a step that is not small."""
    A, B = rng.standard_normal((2, 2, 2))
    return lambda w: np.sin(A @ w) + (B @ w) ** 3, rng.standard_normal(2), rng.uniform(0.05, 0.4)


def _turns(forth: float, back: float, over: float, sign: float = -1, of: Any = (1, 0)) -> Any:
    """Return what differences of two entries of a field give, from `forth` h to `back` h away."""

    def answer(field: Any, w: Any, h: float) -> Any:
        along = [
            field(w + forth * n)[i] - field(w - back * n)[i]
            for n, i in zip(h * np.eye(2), of, strict=True)
        ]
        return (along[0] + sign * along[1]) / (over * h)

    return answer


_CURL = Exercise(
    name="numerical_curl",
    notebook="09",
    kind="write",
    title="Check for a gradient without algebra",
    prompt=(
        "In the plane a smooth field is a gradient only if its curl $\\partial_1 F_2 - \\partial_2 "
        "F_1$ is 0. Return the curl of any field at `w`: `field(w)` is an array of two numbers. "
        r"Take **central** differences, $\partial_i F_j \approx \frac{F_j(w + h e_i) - F_j(w - h "
        r"e_i)}{2h}$."
    ),
    solution=(
        "def numerical_curl(field, w, h):\n"
        "    right, up = h * np.eye(2)\n"
        "    across = field(w + right)[1] - field(w - right)[1]\n"
        "    return (across - field(w + up)[0] + field(w - up)[0]) / (2 * h)"
    ),
    properties={
        "a field that turns about 0": lambda f: close(f(lambda w: w[::-1] * [-1, 1], _P, 0.1), 2.0),
        "a gradient has none": lambda f: abs(f(lambda w: w * [2, 6], _P, 0.1)) < 1e-9,
        "exact for a quadratic field: that is what central means": lambda f: close(
            f(lambda w: np.array([w[1] ** 2, 3 * w[0] ** 2]), _P, 0.1), 4.2 + 0.6
        ),
        "for the rule's field at depth 3 it is that of `oe.curl`": lambda f: close(
            f(_rule, _P, 1e-3), curl(_LINEAR, 3, _P), 1e-4
        ),
    },
    mistakes={
        "That is a forward difference: its error is of order $h$. Go both ways.": _turns(1, 0, 1),
        "That is a backward difference: its error is of order $h$. Go both ways.": _turns(0, 1, 1),
        "From $w-he_i$ to $w+he_i$ it is $2h$.": _turns(1, 1, 1),
        "The difference is not divided by the distance yet.": lambda f, w, h: (
            2 * h * _turns(1, 1, 2)(f, w, h)
        ),
        "The sign: $\\partial_1 F_2$ minus $\\partial_2 F_1$.": _turns(1, 1, -2),
        "One of the two is subtracted.": _turns(1, 1, 2, sign=1),
        "That is the divergence: each entry along its own axis.": _turns(
            1, 1, 2, sign=1, of=(0, 1)
        ),
        "Entry and axis are exchanged: along axis 1 it is $F_2$ that counts.": _turns(
            1, 1, 2, of=(0, 1)
        ),
        "Only $\\partial_1 F_2$ so far.": _turns(1, 1, 2, sign=0),
    },
    hints=(
        "`right, up = h * np.eye(2)` are the two nudges.",
        "`field(w + right)[1] - field(w - right)[1]`, and the like for `up` and entry 0.",
    ),
    praise="Four calls that find most fields that are no gradients, and most wrong formulas.",
    probes=((_bent, _P, 0.1), (_rule, 2 * _P, 0.05)),
    draw=_drawn_field,
)

_TEXT = kind('a loss as text, such as `"(w1 - 1)^2 + w2^2"`', str)


@cache
def _parsed(text: str) -> SymbolicLoss:
    """Return the loss that a text stands for, or raise what tells a student why it is none."""
    from overparam_edu.derivations.own_loss import SymbolicLoss

    try:
        return SymbolicLoss(text)
    except ValueError as why:
        raise WrongForm(f"`oe.SymbolicLoss` can't read it: {why}.") from None


def _reads(text: str) -> bool:
    return _parsed(text).shape == (2,)


def _moves(text: str) -> bool:
    return not _parsed(text).expression.is_number


_CONSTANT = {
    "A constant moves nothing. Let it depend on `w1` and `w2`.": Mistake(
        "1", lambda text: not _moves(text)
    )
}
_PROPERTIES = {"it is a loss of `w1` and `w2`": _reads, "it is not constant": _moves}


def _quadratic(text: str) -> bool:
    """Return whether third differences vanish, along lines in many directions."""
    start, step = np.random.default_rng(9).uniform(0.05, 0.3, (2, 20, 1, 2))
    values = _parsed(text).value(start + np.arange(-6, 7)[:, None] * step)
    return bool(np.abs(np.diff(values, 3)).max() < 1e-9 * np.abs(values).max())


@cache
def _potential(text: str, depth: int) -> bool:
    return has_potential(_parsed(text), depth)


_ONLY = Exercise(
    name="only_at_two",
    notebook="09",
    kind="find a counterexample",
    title="A loss that depth 2 only reshapes",
    prompt=(
        "“At depth 2 the rule's field is a gradient for linear losses, round bowls, losses of "
        r"$\|w\|$ alone, and for no others.” Find a counterexample: a loss in `w1` and `w2`, as "
        "text and not quadratic, whose field is a gradient at **depth 2** and none at **depth 3**."
    ),
    todo='such as "(w1 - 1)^4 + w2^2", but one that works',
    solution='only_at_two = "w1 + (w1^2 + w2^2)^2"',
    returns=_TEXT,
    properties={
        **_PROPERTIES,
        "it is not quadratic": lambda text: not _quadratic(text),
        "`oe.find_potential` finds a potential at depth 2": lambda text: _potential(text, 2),
        "`oe.find_potential` finds none at depth 3": lambda text: not _potential(text, 3),
    },
    mistakes={
        **_CONSTANT,
        "True at depth 2, but it is linear or a round bowl: lesson 04 knew it. What could you "
        "add?": Mistake(
            "(w1 - 1)^2 + w2^2",
            lambda text: _quadratic(text) and _potential(text, 2) and not _potential(text, 3),
        ),
        "It has a potential at depth 3 as well. Break the symmetry, but only as far as depth 2 "
        "allows.": Mistake(
            "(w1^2 + w2^2 - 1)^2", lambda text: _potential(text, 2) and _potential(text, 3)
        ),
        "It has one at depth 3 and none at depth 2: the other way round.": Mistake(
            "(w1^4 + w2^4)^(1/6)", lambda text: not _potential(text, 2) and _potential(text, 3)
        ),
        r"No potential at depth 2: $h = \langle w, g\rangle - L$ does not depend on $\|w\|$ alone. "
        "And it is quadratic.": Mistake(
            "w1*w2", lambda text: _quadratic(text) and not _potential(text, 2)
        ),
        r"No potential at depth 2: $h = \langle w, g\rangle - L$ does not depend on $\|w\|$ alone. "
        "What does each of its terms add to $h$?": Mistake(
            "w1^4 + w2^2 + w1",
            lambda text: not (_quadratic(text) or _potential(text, 2) or _potential(text, 3)),
        ),
    },
    hints=(
        r"$h = \langle w, g\rangle - L$ of a sum is the sum of the $h$. For which losses is $h$ 0?",
        r"A linear loss has $h = 0$. Add any function of `w1^2 + w2^2`.",
    ),
    praise=r"$h$ adds up: what has $h = 0$, such as a linear part, can be added to any loss that "
    "works.",
)

_START = np.array([0.05, 0.05])
_STEPS = 2_000


def _race(text: str) -> tuple[float, float]:
    """Return the tuned steps of depth 1 and 2 until 0.1 % of the way down is left."""
    return _raced(text)[:2]


@cache
def _raced(text: str) -> tuple[float, float, float]:
    """Return the two numbers of steps, and the largest safe rate of depth 1."""
    loss = _parsed(text)
    least, first = float(loss.value(np.ones(2))), float(loss.value(_START))
    target = least + 1e-3 * (first - least)
    tuned = tuned_learning_rate(loss, _START, depth=[1, 2], target=target, steps=_STEPS)
    return float(tuned.steps[0]), float(tuned.steps[1]), float(tuned.largest_safe[0])


def _two_thirds(text: str) -> bool:
    """Return whether depth 2 gains so much, also over a depth 1 that does not arrive."""
    one, two, safe = _raced(text)
    return bool(np.isfinite(safe) and two <= 2 / 3 * min(one, _STEPS))


def _lowest_at_one(text: str) -> bool:
    """Return whether the loss is flat at (1, 1), and nowhere near or far lower."""
    loss = _parsed(text)
    axis = np.linspace(-2, 4, 121)
    far = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    near = 1 + 0.01 * np.stack([np.cos(far[:, 0]), np.sin(far[:, 0])], axis=-1)
    least = loss.value(np.ones(2))
    values = loss.value(np.concatenate([far, near]))
    flat = np.abs(loss.gradient(np.ones(2))).max() < 1e-9
    # NaN is where the loss has no value.
    return bool(flat and loss.value(_START) > least and not np.any(values < least - 1e-12))


def _interact(text: str) -> bool:
    """Return whether the loss is more than one function of w1 and one of w2, added up."""
    a, b = np.random.default_rng(9).uniform(0.1, 1.9, (2, 20, 2))
    one, other = np.stack([a[:, 0], b[:, 1]], axis=1), np.stack([b[:, 0], a[:, 1]], axis=1)
    value = _parsed(text).value
    mixed = value(a) + value(b) - value(one) - value(other)
    return bool(np.nanmax(np.abs(mixed)) > 1e-9 * np.nanmax(np.abs(value(a))))


_FASTER = Exercise(
    name="faster_at_two",
    notebook="09",
    kind="find a counterexample",
    title="Your own acceleration",
    prompt=(
        "“Extra layers can only slow training down.” Refute it with a loss of your own, unlike "
        "those of section 4: text in which `w1` and `w2` **interact** (it is not one function of "
        "`w1` plus one of `w2`), with its least value at (1, 1), on which depth 2 takes at most "
        "**two thirds** of depth 1's steps until 0.1 % of the way down is left, from (0.05, 0.05), "
        "each at its own tuned rate."
    ),
    todo='such as "(w1 - 1)^2 + (w1 - w2)^2", but one that works',
    solution='faster_at_two = "(w1 - 1)^4 + (w1 - w2)^2 / 10"',
    returns=_TEXT,
    properties={
        **_PROPERTIES,
        "the loss is flat at (1, 1), and nowhere lower": _lowest_at_one,
        "`w1` and `w2` interact": _interact,
        "depth 2 takes at most two thirds of the steps": _two_thirds,
    },
    mistakes={
        **_CONSTANT,
        "Its least value is not at (1, 1).": Mistake(
            "(w1 - 2)^4 + w1*w2", lambda text: not _lowest_at_one(text)
        ),
        "One function of `w1` plus one of `w2`: let the two interact, as in `(w1 - w2)^2`.": (
            Mistake("(w1 - 1)^4 + (w2 - 1)^4 / 100", lambda text: not _interact(text))
        ),
        "Depth 1 arrives in a few steps: nothing is left to gain.": Mistake(
            "((w1 - 1)^2 + (w2 - 1)^2)^2", lambda text: _race(text)[0] <= 4
        ),
        f"Neither arrives within {_STEPS:,} steps. Make it less flat near (1, 1).": Mistake(
            "(w1 - 1)^2 + 1000*(w2 - w1^2)^2",
            lambda text: _race(text) == (np.inf, np.inf),
        ),
        "Depth 2 is slower here. What is flat at (1, 1), and steep at the start?": Mistake(
            "(w1 - 1)^2 + (w1 - w2)^2 / 30", lambda text: _race(text)[1] > _race(text)[0]
        ),
        "Depth 2 is faster, but not by a third. Is your steep direction flatter near (1, "
        "1)?": Mistake(
            "(w1 - w2)^2 + (w1 - 1)^2 / 100",
            lambda text: 2 / 3 * _race(text)[0] < _race(text)[1] < _race(text)[0] < np.inf,
        ),
    },
    hints=(
        "The steep direction limits the rate at the start; it must become harmless later: power 4.",
        "A fourth power of `w1 - 1`, and a flat square of `w1 - w2`.",
    ),
    praise=lambda text: (
        "Steps at depth 1 and 2: {:.0f} and {:.0f}. ".format(*_race(text))
        + "The model can express nothing more, and yet it arrives sooner."
    ),
)

EXERCISES = (_CURL, _ONLY, _FASTER)
