"""Two layers of width 1 that are not balanced: the exact motion of their product."""

from __future__ import annotations

from random import Random
from typing import Any

import sympy as sp

from overparam_edu.derivations.checker import Derivation, random_matrix, random_number
from overparam_edu.derivations.letters import Letters, letter
from overparam_edu.derivations.signs import Grad, Inner, Loss, Norm, equal, minus, plus, times
from overparam_edu.derivations.steps import Setting, Step, in_setting
from overparam_edu.derivations.values import NUMBERS, Values

D = sp.Symbol("d", positive=True, integer=True)
OMEGA = sp.Symbol("omega_2", real=True)
SQUARE, LENGTH, SIZE, EPS, RATE = sp.symbols("x n S epsilon r", positive=True)
C = sp.Symbol("c", real=True)
W, W1, G, UNIT = (sp.MatrixSymbol(name, D, 1) for name in ("w", "w_1", "g", "e"))
PR = sp.MatrixSymbol("Pr_w", D, D)


def _layers(random: Random, turn: int) -> Values:
    size = (3, 2)[turn % 2]
    table: dict[Any, Any] = {name: random_matrix(random, size, 1) for name in (W1, W, G)}
    # Where w or the projection is not spelled out, the line must hold for any in its place.
    table[PR] = random_matrix(random, size, size)
    table |= {OMEGA: random_number(OMEGA, random), D: NUMBERS.mpf(size)}
    return Values(table, exact=False)


def _entries() -> Values:
    """Return two-entry vectors of symbols, with g the gradient got by differentiation of L."""
    first = sp.Matrix(sp.symbols("w_11 w_12", real=True))
    loss = sp.Function("L")(*(OMEGA * first))
    return Values({W1: first, G: sp.Matrix([loss.fdiff(i) for i in (1, 2)])})


def _on_a_slope(random: Random, turn: int) -> Values:
    values = _layers(random, turn)
    direction = random_matrix(random, int(values.table[D]), 1)
    return values.having({UNIT: direction / NUMBERS.norm(direction)})


UNIT_LETTER = letter(UNIT, orthonormal=True)  # e^T e = 1
SLOPE = Setting("any number d of inputs", (Letters({UNIT: UNIT_LETTER}),), _on_a_slope)
RANDOM = Setting("random layers, d = 2 and 3", sample=_layers)
LAYERS = Setting("layers of any number d of inputs", (Letters(),), _layers)
GENERAL = Setting("entries as symbols, d = 2, L a general differentiable function", (_entries(),))


def unbalanced() -> Derivation:
    r"""Derive how two layers of width 1 move their product, balanced or not.

    With :math:`c = \omega_2^2 - \lVert w_1\rVert^2` and :math:`S = \sqrt{c^2 + 4\lVert w\rVert^2}`,
    :math:`\dot w = -\tfrac{S+c}2 g - \tfrac{S-c}2 \operatorname{Pr}_w g`. After Tarmoun et al.
    (2021) and Domine et al. (2024).

    Returns
    -------
    Derivation
    """
    velocity_1, velocity_2 = minus(OMEGA, G), -Inner(W1, G)
    product = equal(W, times(OMEGA, W1))
    moves = plus(times(OMEGA, velocity_1), times(velocity_2, W1))
    conserved = equal(C, OMEGA**2 - Norm(W1) ** 2)
    size = equal(SIZE, sp.sqrt(C**2 + 4 * Norm(W) ** 2))
    projection = equal(PR, times(1 / Norm(W) ** 2, W, W.T))
    flow = plus(minus((SIZE + C) / 2, G), minus((SIZE - C) / 2, PR, G))
    # With the length n of w for ||w||.
    short = sp.sqrt(C**2 + 4 * LENGTH**2)
    steps = (
        Step(
            "The vector's velocity",
            Grad(Loss(OMEGA * W1), W1),
            times(OMEGA, G),
            "Chain rule: so gradient flow moves w_1 by minus omega_2 g.",
            setting=GENERAL,
        ),
        Step(
            "The scalar's velocity",
            sp.Derivative(Loss(OMEGA * W1), OMEGA),
            Inner(W1, G),
            "So gradient flow moves omega_2 by minus the work of g along w_1.",
            setting=GENERAL,
        ),
        Step(
            "What is conserved",
            plus(2 * OMEGA * velocity_2, -2 * Inner(W1, velocity_1)),
            plus(-2 * OMEGA * Inner(W1, G), 2 * OMEGA * Inner(W1, G)),
            "The time derivative of c = omega_2^2 - ||w_1||^2: both terms cancel. Each start "
            "has its own c, for ever.",
        ),
        Step(
            "The product moves",
            moves,
            plus(minus(OMEGA**2, G), minus(Inner(W1, G), W1)),
            "Product rule, with both velocities.",
        ),
        Step(
            "The second term is a projection",
            times(Inner(W1, G), W1),
            times(Norm(W1) ** 2, PR, G),
            "w_1 points along w, so this is the part of g along w.",
            where=(product, projection),
        ),
        Step(
            "The lengths",
            Norm(W) ** 2,
            OMEGA**2 * Norm(W1) ** 2,
            "The product of both squares is known from w, their difference is c.",
            where=(product,),
        ),
        Step(
            "Two numbers from product and difference",
            equal(SQUARE * (SQUARE - C), LENGTH**2),
            equal(SQUARE, (short + C) / 2),
            "A quadratic equation for x = omega_2^2, with n the length of w; its other solution is "
            "negative.",
            solves=SQUARE,
        ),
        Step(
            "The layers, from w and c alone",
            sp.Tuple(
                equal(OMEGA**2, (SIZE + C) / 2),
                equal(Norm(W1) ** 2, (SIZE - C) / 2),
            ),
            equal(OMEGA**2 + Norm(W1) ** 2, SIZE),
            "S is the sum of both squares.",
            where=(product, conserved, size),
            setting=RANDOM,
        ),
        Step(
            "The flow of the product",
            plus(minus(OMEGA**2, G), minus(Norm(W1) ** 2, PR, G)),
            flow,
            "So w knows where it goes without its layers: c is all that is left of them.",
            where=(product, conserved, size),
            setting=RANDOM,
        ),
        Step(
            "Balanced: the rule at depth 2",
            flow,
            minus(Norm(W), plus(G, times(PR, G))),
            "With c = 0 both factors are the length of w.",
            where=(equal(C, sp.Integer(0)), size),
        ),
    )
    limits = (
        Step(
            "c large: gradient descent",
            EPS * (1 / EPS + sp.sqrt(1 / EPS**2 + 4 * LENGTH**2)) / 2,
            sp.Integer(1),
            "With c = 1/epsilon the factor of g, divided by c, tends to 1. The layers barely move "
            "for what w does: the lazy side.",
            "dropped order",
            small=EPS,
            order=2,
        ),
        Step(
            "and no projection",
            EPS * (sp.sqrt(1 / EPS**2 + 4 * LENGTH**2) - 1 / EPS) / 2,
            sp.Integer(0),
            "The factor of the projection vanishes beside it; for c = -1/eps they change places, "
            "and only the length of w moves: the rich side.",
            "dropped order",
            small=EPS,
            order=2,
        ),
        Step(
            "The depth that turns g in the same way",
            short / ((short + C) / 2),
            1 + (short - C) / (short + C),
            "Along w the factor is S, across (S + c)/2. The rule at depth N has N for this ratio: "
            "2 at c = 0, between 1 and 2 above, any larger number below.",
        ),
        Step(
            "How layers leave zero",
            plus(-Inner(W1, G), Inner(UNIT, velocity_1)),
            RATE * (OMEGA + Inner(UNIT, W1)),
            "Near 0 g is constant, say -r e. Then omega_2 and the part of w_1 along e feed each "
            "other, and their sum grows as exp(rt): it decides when the layers leave.",
            where=(equal(G, times(-RATE, UNIT)),),
            setting=SLOPE,
        ),
    )
    return Derivation(
        "unbalanced layers",
        "Two layers of width 1 keep $c = \\omega_2^2 - \\|w_1\\|^2$, which decides how their "
        "product moves: from its length alone, over the rule, to gradient descent.",
        in_setting(LAYERS, *steps) + limits,
        "after Tarmoun et al. (2021) and Domine et al. (2024)",
    )
