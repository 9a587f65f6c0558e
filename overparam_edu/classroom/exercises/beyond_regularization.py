"""Exercises of notebook 04: no regularizer can do what depth does, with exceptions."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.dynamics.curl import curl
from overparam_edu.dynamics.loops import line_integral
from overparam_edu.dynamics.losses import LinearLoss, Loss, LpRegression, QuadraticLoss, SeparableLp

# Points away from 0 and from every symmetry of the losses that students try.
_POINTS = np.array([[0.7, 0.2], [-0.4, 0.9], [1.3, -0.6], [0.1, 0.33], [-0.8, -0.5]])


def _plane(loss: Any) -> bool:
    return isinstance(loss, Loss) and loss.shape == (2,)


def _moves(loss: Any) -> bool:
    return bool(np.any(loss.gradient(_POINTS)))


def _turns(loss: Any, depth: float) -> float:
    """Return the largest curl of the rule's field, relative to the gradient."""
    size = np.abs(loss.gradient(_POINTS)).max()
    return float(np.abs(curl(loss, depth, _POINTS)).max() / size)


def _loop(N: float, r: float, R: float, scale: float = 1.0) -> float:
    return float(line_integral(LinearLoss([0.0, scale]), N, r, R).total)


def _form(factor: Any, power: Any = lambda N: 3 - 2 / N) -> Any:
    """Return a function of N, r and R of the closed form's kind."""
    return lambda N, r, R: factor(N) * (R ** power(N) - r ** power(N))


_LOOP = Exercise(
    name="linear_loop",
    notebook="04",
    kind="write",
    title="The closed form of the line integral",
    prompt=(
        r"For a linear loss $L(w) = \langle g, w\rangle$ with $\|g\| = 1$, work out the loop "
        r"integral of Theorem 2: on the axis $g$ has size 1, a segment counts $N$ times the "
        r"gradient's work, an arc once. Return $I(N, r, R)$. ($\int_r^R t^{2-2/N}dt$ is a power of "
        r"$R$ minus one of $r$.)"
    ),
    todo="two segments, two half circles",
    solution=(
        "def linear_loop(N, r, R):\n    q = 3 - 2 / N\n    segments = 2 * N * (R**q - r**q) / q\n"
        "    arcs = 2 * r**q - 2 * R**q\n    return segments + arcs"
    ),
    properties={
        "at depth 1 it is 0: the field is a gradient": lambda f: abs(f(1, 0.2, 1.0)) < 1e-9,
        "at depth 2 it is 0 too": lambda f: abs(f(2, 0.2, 1.0)) < 1e-9,
        "at depth 3 it is what Gauss-Legendre finds": lambda f: close(
            f(3, 0.2, 1.0), _loop(3, 0.2, 1.0)
        ),
        "a curve twice as large gives $2^{3-2/N}$ times as much": lambda f: close(
            f(4, 0.2, 1.2), 2**2.5 * f(4, 0.1, 0.6)
        ),
        "between depth 1 and 2 it is negative, as Gauss-Legendre finds": lambda f: close(
            f(1.5, 0.2, 1.0), _loop(1.5, 0.2, 1.0)
        ),
    },
    mistakes={
        "The power: integrating $t^{2-2/N}$ raises it by one.": _form(
            lambda N: 2 * N / (3 - 2 / N) - 2, lambda N: 2 - 2 / N
        ),
        "The segments count $N$ times: along them the projection part does work as well.": _form(
            lambda N: 2 / (3 - 2 / N) - 2
        ),
        "$N-1$ is the projection's part alone; with the gradient's own it is $N$.": _form(
            lambda N: 2 * (N - 1) / (3 - 2 / N) - 2
        ),
        "The half circles do work too: $2r^q$ and $-2R^q$.": _form(lambda N: 2 * N / (3 - 2 / N)),
        "There are two segments, on both sides of the origin.": _form(
            lambda N: N / (3 - 2 / N) - 2
        ),
        "The sign: you went round the other way. "
        "The first segment leads towards 0 along $g$.": _form(lambda N: 2 - 2 * N / (3 - 2 / N)),
        r"A half circle from $-r$ to $r$ gains $\phi(r)-\phi(-r) = 2r$, "
        r"twice what you have.": _form(lambda N: 2 * N / (3 - 2 / N) - 1),
        "The antiderivative also divides by its power.": _form(lambda N: 2 * N - 2),
    },
    hints=(
        r"Segments: $2N\int_r^R t^{2-2/N}dt$. Arcs: $2r\cdot r^{2-2/N} - 2R\cdot R^{2-2/N}$.",
        "With $q = 3-2/N$: $2N(R^q-r^q)/q + 2r^q - 2R^q$.",
    ),
    praise=r"It is $2(R^q-r^q)\frac{(N-1)(N-2)}{3N-2}$: not 0 for $N>2$, so no "
    r"regularizer; 0 at $N = 2$.",
    probes=((3, 0.2, 1.0), (4, 0.3, 0.8), (2.5, 0.1, 1.1)),
)

_COMMON = {
    "This asks for a loss of two variables, such as `oe.QuadraticLoss([[1, 0], [0, 1]])`.": Mistake(
        "w1 + w2", lambda loss: not isinstance(loss, Loss)
    ),
    "A loss of exactly two variables, please: the loop lies in a plane.": Mistake(
        SeparableLp((1.0, 0.5, 0.2)), lambda loss: isinstance(loss, Loss) and loss.shape != (2,)
    ),
    "A loss without a slope moves nothing. Take one with a gradient.": Mistake(
        LinearLoss([0.0, 0.0]), lambda loss: _plane(loss) and not _moves(loss)
    ),
}

_POTENTIAL = Exercise(
    name="potential_at_two",
    notebook="04",
    kind="find a counterexample",
    title="Depth 2 is an exception",
    prompt=(
        "“Depth is never a regularizer.” Find a counterexample: a loss of two variables for which "
        "the rule's field at **depth 2** *is* a gradient. Any of the library's losses, or your "
        "own as `oe.SymbolicLoss(...)`."
    ),
    todo="a loss",
    solution="potential_at_two = oe.SeparableLp((1.0, 0.1), p=2)",
    properties={
        "it is a loss of two variables, with a slope": lambda L: _plane(L) and _moves(L),
        "the curl of $F_2$ is 0 everywhere": lambda L: _turns(L, 2) < 1e-7,
    },
    mistakes={
        **_COMMON,
        "For $p = 4$ the loop is not 0 at depth 2 either. Try the simplest losses.": Mistake(
            SeparableLp((1.0, 0.1), p=4), lambda loss: isinstance(loss, SeparableLp) and loss.p > 2
        ),
        "A quadratic, but not a round one: "
        "its loop on the axis is 0, another loop is not.": Mistake(
            QuadraticLoss([[2.0, 0.0], [0.0, 1.0]]), lambda loss: isinstance(loss, QuadraticLoss)
        ),
        r"Look at $h = \langle w, g\rangle - L$: it must depend on $\|w\|$ "
        r"alone.": Mistake(LpRegression([[1.0, 0.0], [1.0, 1.0]], [1.0, 0.5], p=4), _plane),
    },
    hints=(
        r"What is $\langle w, g\rangle - L(w)$ for a linear loss?",
        "A linear loss, or a round quadratic such as `oe.SeparableLp((1.0, 0.1), p=2)`.",
    ),
    praise=(
        "For linear and round quadratic losses depth 2 does have a regularizer. The theorem needs "
        "$N>2$."
    ),
)


def _axis_loop(loss: Any) -> float:
    """Return the loop of Theorem 2 at depth 2, relative to the work on its outer arc."""
    loop = line_integral(loss, 2, 0.2, 1.0)
    return float(abs(loop.total) / np.abs(loop.segments).max())


_QUIET = Exercise(
    name="quiet_loop",
    notebook="04",
    kind="find a counterexample",
    title="A loop of 0 proves nothing",
    prompt=(
        "“The loop of Theorem 2 gives 0, so the field is a gradient.” Find a counterexample at "
        "**depth 2**: a loss of two variables whose loop is 0 although $F_2$ is no gradient."
    ),
    todo="a loss",
    solution="quiet_loop = oe.QuadraticLoss([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.5])",
    properties={
        "it is a loss of two variables, with a slope": lambda L: _plane(L) and _moves(L),
        "its gradient at 0 is not 0": lambda L: np.any(L.gradient(np.zeros(2))),
        "its loop at depth 2 gives 0": lambda L: _axis_loop(L) < 1e-9,
        "its curl at depth 2 is not 0 everywhere": lambda L: _turns(L, 2) > 1e-3,
    },
    mistakes={
        **_COMMON,
        "For a linear loss $F_2$ is a gradient: the loop is right to be 0.": Mistake(
            LinearLoss([0.0, 1.0]), lambda loss: isinstance(loss, LinearLoss)
        ),
        "This quadratic is round, and $F_2$ is then a gradient. Squeeze it.": Mistake(
            SeparableLp((1.0, 0.1), p=2), lambda loss: _plane(loss) and _turns(loss, 2) <= 1e-3
        ),
        r"Here the loop is not 0. "
        r"It is 0 if $\phi(t) - \phi(-t)$ is linear in $t$.": Mistake(
            SeparableLp((1.0, 0.1), p=4), lambda loss: _plane(loss) and _axis_loop(loss) >= 1e-9
        ),
        "The loop needs a direction $g(0)$; this loss is flat at 0. Move its minimum.": Mistake(
            QuadraticLoss([[2.0, 0.0], [0.0, 1.0]]),
            lambda loss: _plane(loss) and not np.any(loss.gradient(np.zeros(2))),
        ),
    },
    hints=(
        "At $N=2$ every quadratic loss has a loop of 0. Which quadratics have no potential?",
        "One with two different curvatures, and its minimum away from 0.",
    ),
    praise="One loop can refute a potential; only the curl, everywhere, can confirm one.",
)

EXERCISES = (_LOOP, _POTENTIAL, _QUIET)
