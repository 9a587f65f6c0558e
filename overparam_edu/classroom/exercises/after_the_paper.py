"""Exercises of notebook 10: bowls and layers that are not balanced."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, close
from overparam_edu.dynamics.near_minimum import best_depth
from overparam_edu.dynamics.networks import near_zero_network
from overparam_edu.dynamics.random_start import expected_square
from overparam_edu.dynamics.rule import single_output_direction
from overparam_edu.dynamics.unbalanced import unbalanced_direction


def _drawn_bowl(rng: np.random.Generator) -> tuple[Any, Any]:
    A = rng.standard_normal((2, 2))
    return A @ A.T + 0.05 * np.eye(2), rng.uniform(0.3, 3) * rng.standard_normal(2)


def _along(H: Any, w: Any) -> tuple[float, float]:
    """Return the curvatures along and across w."""
    along = float(w @ H @ w / (w @ w))
    return along, float(np.trace(H)) - along


def _nearly(H: Any, w: Any, N: float) -> bool:
    """Return whether the best whole depth is next to N."""
    return abs(best_depth(H, w) - float(N)) < 1


_TURNED = np.array([[1.0, 0.6], [0.6, 4.0]])

_BOWL = Exercise(
    name="layers_for_a_bowl",
    notebook="10",
    kind="write",
    title="Order layers for a bowl",
    prompt=(
        "Return the best number of layers near the minimum `w` (not 0) of a bowl in the plane with "
        "the Hessian `H`, as a real number of at least 1. `w` need not lie along an axis, or have "
        "length 1."
    ),
    solution=(
        "def layers_for_a_bowl(H, w):\n"
        "    u = w / np.linalg.norm(w)\n"
        "    along = u @ H @ u\n"
        "    return max(1.0, (np.trace(H) - along) / along)"
    ),
    properties={
        "along the flat axis of a bowl with curvatures 0.1 and 1 it is 10": lambda f: close(
            f(np.diag([0.1, 1.0]), np.array([1.0, 0.0])), 10.0
        ),
        "along the steep axis it is 1: there is no network of fewer layers": lambda f: close(
            f(np.diag([0.1, 1.0]), np.array([0.0, 1.0])), 1.0
        ),
        "the length of `w` does not matter": lambda f: close(
            f(_TURNED, np.array([2.0, 0.2])), f(_TURNED, np.array([1.0, 0.1]))
        ),
        "it is next to what `oe.best_depth` finds by search": lambda f: all(
            _nearly(H, np.array(w), f(H, np.array(w)))
            for H in (_TURNED, np.diag([1.0, 6.0]))
            for w in ([1.0, 0.1], [0.7, -0.3], [0.2, 1.0])
        ),
    },
    mistakes={
        "Below 1 there is nothing: where `w` lies along a steep direction one layer is best.": (
            lambda H, w: _along(H, w)[1] / _along(H, w)[0]
        ),
        "That is the inverse: depth multiplies the curvature **along** `w`.": lambda H, w: max(
            1.0, _along(H, w)[0] / _along(H, w)[1]
        ),
        "That is the condition number of the bowl. It is best only if `w` lies along the flat "
        "axis.": lambda H, w: np.linalg.cond(H),
        "`w` need not have length 1: divide by its length first.": lambda H, w: max(
            1.0, (np.trace(H) - w @ H @ w) / (w @ H @ w)
        ),
        "The trace is the sum of both curvatures: take the one along `w` away.": lambda H, w: max(
            1.0, np.trace(H) / _along(H, w)[0]
        ),
        "Depth multiplies the curvature along `w` by $N$, not by $N^2$: no root.": lambda H, w: (
            max(1.0, _along(H, w)[1] / _along(H, w)[0]) ** 0.5
        ),
        "A real number is wanted: don't round.": lambda H, w: float(
            round(max(1.0, _along(H, w)[1] / _along(H, w)[0]))
        ),
        "Those are the entries of `H`. Take the curvatures along and across `w`.": lambda H, w: max(
            1.0, H[1, 1] / H[0, 0]
        ),
    },
    hints=(
        "In the directions along and across `w` the Hessian has the entries $h$, $k$ and $m$.",
        "$h = u^\\top H u$ with $u = w/\\|w\\|$; the trace of $H$ is $h + k$ in any axes.",
        "$N = k/h$, or 1 if that is less.",
    ),
    praise=(
        "That is all that depth can know of a bowl. What remains, $m$, it can't cure: only a full "
        "preconditioner could."
    ),
    probes=(
        (np.diag([0.1, 1.0]), np.array([1.0, 0.0])),
        (np.diag([0.1, 1.0]), np.array([0.0, 2.0])),
        (_TURNED, np.array([2.0, 0.2])),
        (_TURNED, np.array([-0.3, 0.4])),
    ),
    draw=_drawn_bowl,
)


def _drawn_layers(rng: np.random.Generator) -> tuple[Any, float]:
    d = int(rng.integers(1, 5))
    return rng.uniform(0.2, 2) * rng.standard_normal(d), float(
        rng.choice([-1, 1]) * rng.uniform(0.3, 3)
    )


def _turns_alike(f: Any, w1: Any, omega2: float) -> bool:
    """Return whether the rule at the depth given has the step's direction of the two layers."""
    w1, g = np.asarray(w1), np.array([1.0, -0.4])
    step = unbalanced_direction(omega2 * w1, g, omega2**2 - w1 @ w1)
    rule = single_output_direction(omega2 * w1, g, float(f(w1, omega2)))
    return close(rule / np.linalg.norm(rule), step / np.linalg.norm(step))


_DEPTH = Exercise(
    name="depth_of_two_layers",
    notebook="10",
    kind="write",
    title="Which depth do they imitate?",
    prompt=(
        "Two layers $\\omega_2 w_1$ of width 1 turn the gradient, at this moment, exactly as the "
        "balanced rule of some real depth $N$ does. Return $N$, from the vector `w1` and the "
        "number `omega2`, not 0."
    ),
    solution=(
        "def depth_of_two_layers(w1, omega2):\n"
        "    # Across w the factor is omega2^2, along w the other square is added.\n"
        "    return 1 + w1 @ w1 / omega2**2"
    ),
    properties={
        "balanced layers are two layers": lambda f: close(f(np.array([0.6, 0.8]), 1.0), 2.0),
        "a scalar far larger than the vector makes it nearly depth 1": lambda f: (
            1 < float(f(np.array([0.1, 0.0]), 10.0)) < 1.01
        ),
        "the rule at that depth steps in the same direction": lambda f: all(
            _turns_alike(f, w1, omega2)
            for w1 in ([0.6, 0.8], [2.0, -1.0], [0.1, 0.05])
            for omega2 in (0.5, -1.5)
        ),
    },
    mistakes={
        "The other way round: it is $\\|w_1\\|^2$ that drives the projection.": lambda w1, omega2: (
            1 + omega2**2 / (w1 @ w1)
        ),
        "$N$ for the balanced rule is the factor along over the factor across, which is 1 more "
        "than that.": lambda w1, omega2: w1 @ w1 / omega2**2,
        "The squares count, not the lengths.": lambda w1, omega2: (
            1 + np.linalg.norm(w1) / abs(omega2)
        ),
        "Only balanced layers are always 2.": lambda w1, omega2: 2.0,
        "That is the difference $c$. A depth has no units: take a ratio.": lambda w1, omega2: (
            1 + w1 @ w1 - omega2**2
        ),
        "$\\|w_1\\|$ is squared, $\\omega_2$ must be so too.": lambda w1, omega2: (
            1 + w1 @ w1 / abs(omega2)
        ),
        "Compare along with across, not across with the sum of both.": lambda w1, omega2: (
            omega2**2 / (omega2**2 + w1 @ w1)
        ),
    },
    hints=(
        "The rule at depth $N$ multiplies the gradient along `w` by $N$ times as much as across.",
        "The two layers move $w$ by $-\\omega_2^2\\, g - \\|w_1\\|^2\\,\\mathrm{Pr}_w\\, g$.",
        "Across $\\omega_2^2$; along $\\omega_2^2 + \\|w_1\\|^2$.",
    ),
    praise=(
        "Any real depth above 1 is possible, from lazy (near 1) to rich (large). As $\\|w\\|$ "
        "grows both squares do, $c$ stays, and $N$ goes to 2."
    ),
    probes=(
        (np.array([0.6, 0.8]), 1.0),
        (np.array([2.0, -1.0]), 0.5),
        (np.array([0.3]), -1.5),
    ),
    draw=_drawn_layers,
)


@cache
def _measured_factor() -> float:
    """Return by how much the mean square grows from width 16 to 32, over 400 draws."""
    narrow, wide = (
        np.mean(
            [
                np.square(
                    near_zero_network((4, *[m] * 7, 1), 0.2, rng=seed).end_to_end_matrix
                ).sum()
                for seed in range(400)
            ]
        )
        for m in (16, 32)
    )
    return float(wide / narrow)


_WIDER = Exercise(
    name="wider_start",
    notebook="10",
    kind="predict",
    title="Twice as wide",
    prompt=(
        "A network of eight layers, all entries independent with one standard deviation. Now all "
        "its hidden layers are made twice as wide, at the same standard deviation. By what factor "
        "does the mean of $\\|W\\|_F^2$ at the start grow?"
    ),
    solution="wider_start = 2**7",
    properties={
        "the formula, with seven hidden layers": lambda x: close(
            x,
            expected_square((4, *[6] * 7, 1), 0.3) / expected_square((4, *[3] * 7, 1), 0.3),
            1e-3,
        ),
        "draws of such networks": lambda x: abs(np.log(x / _measured_factor())) < np.log(1.3),
    },
    mistakes={
        "Eight layers have **seven** hidden widths between them.": 256,
        "Each of the hidden widths doubles, and their product counts.": 2,
        "The widths multiply, they don't add.": 14,
        "The rule does not see the width. Random starts do.": 1,
        "The mean of the **square** has one factor $m$ for each hidden layer, not two.": 16384,
        "That is the factor of the length. The square was asked for.": 11.3,
        "Count the hidden layers again: $N - 1$.": 64,
    },
    hints=(
        "Where does $m$ stand in $k\\,d\\,s^{2N}m^{N-1}$?",
        "$2^{N-1}$ with $N = 8$.",
    ),
    praise=(
        "Two orders of magnitude, from a change that the rule does not even see. At the scale "
        "$s = 1/\\sqrt m$, which shrinks as layers get wider, nothing would grow with depth."
    ),
)

EXERCISES = (_BOWL, _DEPTH, _WIDER)
