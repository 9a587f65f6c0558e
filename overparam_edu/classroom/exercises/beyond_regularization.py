"""Exercises of notebook 04: no regularizer can do what depth does, with exceptions."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close, has_potential
from overparam_edu.classroom.forms import Form
from overparam_edu.dynamics.loops import line_integral, work
from overparam_edu.dynamics.losses import LinearLoss, Loss, LpRegression, QuadraticLoss, SeparableLp

# Points away from 0 and from every symmetry of the losses that students try.
_POINTS = np.array([[0.7, 0.2], [-0.4, 0.9], [1.3, -0.6], [0.1, 0.33], [-0.8, -0.5]])


@cache
def _measured(N: float, r: float, R: float, angle: float) -> float:
    """Return the work round a slice of a ring by quadrature, for a loss that rises along a side."""
    corners = (0.0, 0.25, 0.5, 0.75, 1.0)

    def curve(t: Any) -> Any:
        radius = np.interp(t, corners, [r, R, R, r, r])
        phase = np.interp(t, corners, [0, 0, angle, angle, 0])
        return np.stack([radius * np.cos(phase), radius * np.sin(phase)], axis=1)

    return float(work(LinearLoss([1.0, 0.0]), N, curve, breaks=corners[1:4]).total)


def _form(
    out: Any = lambda N, q, c: N / q,
    back: Any = lambda N, q, c: -N * c / q,
    arcs: Any = lambda N, q, c: c - 1,
    power: Any = lambda N: 3 - 2 / N,
) -> Any:
    """Return a slice's work, with what its two sides and two arcs have before R^q - r^q."""

    def answer(N: float, r: float, R: float, angle: float) -> float:
        q, c = 3 - 2 / N, float(np.cos(angle))
        total = out(N, q, c) + back(N, q, c) + arcs(N, q, c)
        return float(total * (R ** power(N) - r ** power(N)))

    return answer


def _slice(rng: np.random.Generator) -> tuple[float, ...]:
    r, R = np.sort(rng.uniform(0.1, 2.5, 2))
    return float(rng.uniform(1, 6)), float(r), float(R), float(rng.uniform(0.2, 6))


_SLICE = Exercise(
    name="slice_of_the_ring",
    notebook="04",
    kind="write",
    title="Another curve",
    prompt=(
        r"The loss is linear, $L(w) = \langle e, w\rangle$ with $\|e\| = 1$. Walk round a slice of "
        "a ring: straight from $re$ to $Re$, on the circle of radius $R$ through `angle` (in "
        "radians), straight in to radius $r$, and on that circle back to $re$. Return the work of "
        r"$F_N$, $I(N, r, R, \text{angle})$. Section 5 says what counts how often."
    ),
    todo="two sides, two arcs",
    solution=(
        "def slice_of_the_ring(N, r, R, angle):\n    q = 3 - 2 / N\n    along = np.cos(angle)\n"
        "    sides = N * (1 - along) * (R**q - r**q) / q\n"
        "    arcs = (along - 1) * R**q + (1 - along) * r**q\n    return sides + arcs"
    ),
    properties={
        "at depth 1 it is 0: the field is a gradient": lambda f: abs(f(1, 0.2, 1.0, 2.0)) < 1e-9,
        "at depth 2 it is 0 too": lambda f: abs(f(2, 0.2, 1.3, 2.0)) < 1e-9,
        "through half a turn it is the work round Theorem 2's curve": lambda f: close(
            f(3, 0.2, 1.3, np.pi), line_integral(LinearLoss([1.0, 0.0]), 3, 0.2, 1.3).total
        ),
        "a slice twice as large gives $2^{3-2/N}$ times as much": lambda f: close(
            f(4, 0.4, 2.4, 1.0), 2**2.5 * f(4, 0.2, 1.2, 1.0)
        ),
        "for $N = 3$ and an angle of 1 it is what `oe.work` finds": lambda f: close(
            f(3, 0.2, 1.3, 1.0), _measured(3, 0.2, 1.3, 1.0)
        ),
        "between depth 1 and 2 it is negative, as `oe.work` finds": lambda f: close(
            f(1.5, 0.2, 1.3, 2.0), _measured(1.5, 0.2, 1.3, 2.0)
        ),
    },
    mistakes={
        "That is Theorem 2's curve, half a turn. Here the angle counts.": _form(
            back=lambda N, q, c: N / q, arcs=lambda N, q, c: -2
        ),
        "On the second side the loss rises by $\\cos(\\text{angle})$ for each unit of length, not "
        "by 1.": _form(back=lambda N, q, c: -N / q),
        "The second side leads **inwards**: what is gained on the way out at this angle is paid "
        "back.": _form(back=lambda N, q, c: N * c / q),
        "The second side does work, too, unless the angle is a right one.": _form(
            back=lambda N, q, c: 0
        ),
        "The sides count $N$ times: along them the projection part does work as well.": _form(
            lambda N, q, c: 1 / q, lambda N, q, c: -c / q
        ),
        "$N-1$ is the projection's part alone; with the gradient's own it is $N$.": _form(
            lambda N, q, c: (N - 1) / q, lambda N, q, c: -(N - 1) * c / q
        ),
        "The arcs do work too: $R^{2-2/N}$ times what $L$ gains on the outer one.": _form(
            arcs=lambda N, q, c: 0
        ),
        "On an arc the projection does no work: the arcs count once, not $N$ times.": _form(
            arcs=lambda N, q, c: N * (c - 1)
        ),
        "The sign: you went round the other way. The first side leads outwards along $e$.": _form(
            lambda N, q, c: -N / q, lambda N, q, c: N * c / q, lambda N, q, c: 1 - c
        ),
        "The antiderivative of $t^{2-2/N}$ also divides by the new power.": _form(
            lambda N, q, c: N, lambda N, q, c: -N * c
        ),
        "The power: integrating $t^{2-2/N}$ raises it by one, and an arc's $L$ brings another "
        "$R$.": _form(power=lambda N: 2 - 2 / N),
    },
    hints=(
        r"Out: $N\int_r^R t^{2-2/N}dt$. Back in the slope along the way is $-\cos(\text{angle})$.",
        r"Outer arc: $R^{2-2/N}$ times the gain $R\cos(\text{angle}) - R$; the inner one likewise.",
    ),
    praise=(
        r"It is $(1-\cos\alpha)(R^q-r^q)\frac{(N-1)(N-2)}{3N-2}$: however thin the slice, not 0 "
        r"for $N>2$, so no regularizer; always 0 at $N = 2$."
    ),
    probes=((3, 0.2, 1.3, 1.0), (4, 0.3, 0.8, 2.5), (2.5, 0.1, 1.1, 4.0)),
    draw=_slice,
)


def _read(answer: Any) -> Loss:
    from overparam_edu.derivations.own_loss import SymbolicLoss

    if not isinstance(answer, (Loss, str)):
        raise TypeError
    return answer if isinstance(answer, Loss) else SymbolicLoss(answer)


_A_LOSS = Form("a loss, such as `oe.LinearLoss([1, 2])` or `oe.SymbolicLoss('w1 + 2*w2')`", _read)


def _moves(loss: Any) -> bool:
    return bool(np.any(loss.gradient(_POINTS)))


def _loop(loss: Any) -> float:
    """Return the work round Theorem 2's curve at depth 2, relative to its largest part.

    The closed form asks for the loss on the axis alone: a kink elsewhere does it no harm.
    """
    loop = line_integral(loss, 2, 0.2, 1.0)
    return abs(float(np.asarray(loop.closed_form))) / float(np.abs(loop.segments).max())


_COMMON = {
    "A loss of exactly two variables, please: the loop lies in a plane.": Mistake(
        SeparableLp((1.0, 0.5, 0.2)), lambda loss: loss.shape != (2,)
    ),
    "A loss without a slope moves nothing. Take one with a gradient.": Mistake(
        LinearLoss([0.0, 0.0]), lambda loss: not _moves(loss)
    ),
}
_IN_THE_PLANE = {
    "it is a loss of two variables": lambda loss: loss.shape == (2,),
    "it has a slope": _moves,
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
        **_IN_THE_PLANE,
        "`oe.find_potential` finds a potential of $F_2$": lambda loss: has_potential(loss, 2),
    },
    mistakes={
        **_COMMON,
        "With this $p$ the loop of Theorem 2 is not 0 at depth 2 either. Try the simplest "
        "losses.": Mistake(
            SeparableLp((1.0, 0.1), p=4),
            lambda loss: isinstance(loss, (SeparableLp, LpRegression)) and _loop(loss) > 1e-6,
        ),
        "A quadratic, but not a round one: $h$ depends on the direction of $w$.": Mistake(
            QuadraticLoss([[2.0, 0.0], [0.0, 1.0]]), lambda loss: isinstance(loss, QuadraticLoss)
        ),
        r"Look at $h = \langle w, g\rangle - L$: it must depend on $\|w\|$ alone, and here it "
        r"doesn't.": Mistake(
            LpRegression([[1.0, 0.0], [1.0, 1.0]], [1.0, 0.5], p=2),
            lambda loss: not has_potential(loss, 2),
        ),
    },
    hints=(
        r"What is $\langle w, g\rangle - L(w)$ for a linear loss?",
        "A linear loss, or a round quadratic such as `oe.SeparableLp((1.0, 0.1), p=2)`.",
    ),
    praise=(
        r"For this loss depth 2 is a regularizer, $R = \Phi - L$ with the $\Phi$ that "
        "`oe.find_potential` finds. The theorem needs $N>2$."
    ),
    returns=_A_LOSS,
)

_QUIET = Exercise(
    name="quiet_loop",
    notebook="04",
    kind="find a counterexample",
    title="A loop of 0 proves nothing",
    prompt=(
        "“The loop of Theorem 2 gives 0, so the field is a gradient.” Find a counterexample at "
        "**depth 2**: a loss of two variables whose loop (with $r = 0.2$ and $R = 1$) is 0 "
        "although $F_2$ is no gradient."
    ),
    todo="a loss",
    solution="quiet_loop = oe.QuadraticLoss([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.5])",
    properties={
        **_IN_THE_PLANE,
        "its gradient at 0 is not 0": lambda loss: np.any(loss.gradient(np.zeros(2))),
        "its loop at depth 2 gives 0": lambda loss: _loop(loss) < 1e-9,
        "`oe.find_potential` finds no potential of $F_2$": lambda loss: not has_potential(loss, 2),
    },
    mistakes={
        **_COMMON,
        "The loop needs a direction $g(0)$; this loss is flat at 0.": Mistake(
            QuadraticLoss([[2.0, 0.0], [0.0, 1.0]]),
            lambda loss: not np.any(loss.gradient(np.zeros(2))),
        ),
        r"Here the loop is not 0. "
        r"It is 0 if $\varphi(t) - \varphi(-t)$ is linear in $t$.": Mistake(
            SeparableLp((1.0, 0.1), p=4), lambda loss: _loop(loss) >= 1e-9
        ),
        "For a linear loss $F_2$ is a gradient: the loop is right to be 0.": Mistake(
            LinearLoss([0.0, 1.0]), lambda loss: isinstance(loss, LinearLoss)
        ),
        "This quadratic is round, and $F_2$ is then a gradient. Try a stretched one.": Mistake(
            SeparableLp((1.0, 0.1), p=2),
            lambda loss: (
                isinstance(loss, (SeparableLp, QuadraticLoss, LpRegression))
                and has_potential(loss, 2)
            ),
        ),
        "`oe.find_potential` finds a potential: $F_2$ is a gradient, and the loop is right to be "
        "0.": Mistake("w1 + (w1^2 + w2^2)^2", lambda loss: has_potential(loss, 2)),
    },
    hints=(
        "At $N=2$ every quadratic loss has a loop of 0. Which quadratics have no potential?",
        "One with two different curvatures, and its minimum away from 0.",
    ),
    praise="One loop can refute a potential. Only all of them, or the curl everywhere, confirm "
    "one.",
    returns=_A_LOSS,
)

EXERCISES = (_SLICE, _POTENTIAL, _QUIET)
