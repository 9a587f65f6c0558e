"""Near a minimum: the rule made linear, its condition number, and the depth that suits a bowl."""

from __future__ import annotations

from random import Random
from typing import Any

import sympy as sp

from overparam_edu.derivations.checker import Derivation, random_matrix
from overparam_edu.derivations.letters import Letters, letter
from overparam_edu.derivations.signs import Norm, equal, minus, plus, times
from overparam_edu.derivations.steps import Setting, Step, in_setting
from overparam_edu.derivations.values import NUMBERS, Values

D = sp.Symbol("d", positive=True, integer=True)
N, ETA, EPS, LAM, MU = sp.symbols("N eta epsilon lambda mu", positive=True)
H, P, R = (sp.MatrixSymbol(name, D, D) for name in ("H", "P", "R"))
END, OFF, Q, U, V = (sp.MatrixSymbol(name, D, 1) for name in ("w_*", "delta", "q", "u", "v"))
# In the plane, in the directions along and across w*: curvatures h and k, and what mixes them.
ALONG, ACROSS = sp.symbols("h k", positive=True)
MIXED, KAPPA, RHO = sp.Symbol("m", real=True), sp.Symbol("kappa", positive=True), sp.Symbol("r")
LARGE, SMALL = sp.symbols("lambda_1 lambda_2", positive=True)
BOWL = sp.Matrix([[ALONG, MIXED], [MIXED, ACROSS]])
STRETCH = sp.diag(N, 1)
RATE = Norm(END) ** (2 - 2 / N)


def _bowl(random: Random, turn: int) -> Values:
    """Return a random minimiser, a Hessian, and u and v along it and across."""
    size = (3, 2)[turn % 2]
    end, root = random_matrix(random, size, 1), random_matrix(random, size, size)
    length = NUMBERS.norm(end)
    u = end / length
    v = random_matrix(random, size, 1)
    v = v - u * (u.T * v)[0]
    table: dict[Any, Any] = {END: end, H: root.T * root, U: u, V: v, D: NUMBERS.mpf(size)}
    table |= {OFF: random_matrix(random, size, 1), Q: random_matrix(random, size, 1)}
    table[R] = random_matrix(random, size, size)
    return Values(table, exact=False)


def _axes(random: Random, turn: int) -> Values:
    """Return a bowl of which w* and v are axes, of curvatures lambda and mu."""
    values = _bowl(random, turn)
    u, v = values.table[U], values.table[V]
    lam, mu = (NUMBERS.mpf(random.randrange(1, 10**9)) / 10**8 for _ in range(2))
    return values.having({H: lam * u * u.T + mu * v * v.T / (v.T * v)[0], LAM: lam, MU: mu})


UNIT = letter(U, orthonormal=True)  # u^T u = 1
GENERAL = Setting("any number d of inputs", (Letters({U: UNIT}),), _bowl)
RANDOM = Setting("random w*, d = 2 and 3", sample=_bowl)
AXES = Setting("random bowls of which w* is an axis, d = 2 and 3", sample=_axes)


def near_minimum() -> Derivation:
    r"""Derive when depth helps near a minimum.

    Near a minimiser :math:`w^* \ne 0` the rule multiplies the distance to it by
    :math:`I - \eta P H`, with :math:`P = \lVert w^*\rVert^{2-2/N}(I + (N-1)uu^\top)`. So its
    condition number decides, and in the plane the best number of layers is the curvature across
    :math:`w^*` over the curvature along it. This package's own; it uses Claim 2 of Arora, Cohen,
    Hazan (2018).

    Returns
    -------
    Derivation
    """
    identity = sp.Identity(D)
    named = equal(P, times(RATE, plus(identity, times(N - 1, U, U.T))))
    root = equal(R, times(Norm(END) ** (1 - 1 / N), plus(identity, times(sp.sqrt(N) - 1, U, U.T))))
    at = plus(END, times(EPS, OFF))
    gradient = plus(times(EPS, H, OFF), times(EPS**2, Q))
    field = times(
        Norm(at) ** (2 - 2 / N),
        plus(identity, times((N - 1) / Norm(at) ** 2, at, at.T)),
        gradient,
    )
    trace, determinant = N * ALONG + ACROSS, N * (ALONG * ACROSS - MIXED**2)
    kappa = equal(KAPPA, LARGE / SMALL)
    steps = (
        Step(
            "The rule, near w*",
            field,
            times(EPS, RATE, plus(identity, times(N - 1, U, U.T)), H, OFF),
            "At w* + epsilon delta the gradient is epsilon H delta and q of second order; so to "
            "first order all else, for depth N, may be taken at w*, whose direction is u.",
            "dropped order",
            small=EPS,
            order=2,
        ),
        Step(
            "The distance is multiplied by a matrix",
            plus(OFF, minus(ETA, RATE, plus(identity, times(N - 1, U, U.T)), H, OFF)),
            times(plus(identity, minus(ETA, P, H)), OFF),
            "Name the matrix P: one step multiplies the distance to the minimum by I - eta P H.",
            "definition",
            where=(named,),
        ),
        Step(
            "P stretches along w*",
            times(P, U),
            times(N, RATE, U),
            "u is w* divided by its length: along it P is N times the common factor.",
            where=(named,),
        ),
        Step(
            "And not across",
            times(P, V),
            times(RATE, V),
            "What is at right angles to w*, as v is, has no projection on it.",
            where=(named,),
            setting=RANDOM,
        ),
        Step(
            "A square root of P",
            P,
            times(R, R),
            "The same form, with the square roots of both factors.",
            where=(named, root),
        ),
        Step(
            "The eigenvalues are those of a symmetric matrix",
            times(P, H, R),
            times(R, R, H, R),
            "So if R H R x is lambda x, then P H has the eigenvalue lambda with the eigenvector "
            "R x: all are real and none is negative.",
            where=(equal(P, times(R, R)),),
        ),
        Step(
            "w* along an axis of the bowl",
            times(P, H, U),
            times(N, RATE, LAM, U),
            "If w* is an eigenvector of H, its curvature is multiplied by N, besides the factor "
            "that all share.",
            where=(named,),
            setting=AXES,
        ),
        Step(
            "The other axes",
            times(P, H, V),
            times(RATE, MU, V),
            "Their curvatures mu get the common factor only: depth helps where w* lies along a "
            "flat axis, and costs where it lies along a steep one.",
            where=(named,),
            setting=AXES,
        ),
    )
    plane = (
        Step(
            "In the plane, at any angle: the trace",
            sp.Trace(STRETCH * BOWL).doit(),
            trace,
            "Along and across w* the Hessian has entries h, k, m. The common factor of P cancels "
            "in a ratio of eigenvalues.",
        ),
        Step(
            "And the determinant",
            (STRETCH * BOWL).det(),
            determinant,
            "The determinant of a product is the product of the determinants.",
        ),
        Step(
            "From both to the condition number",
            sp.Add(KAPPA, 1 / KAPPA, 2, evaluate=False),
            (LARGE + SMALL) ** 2 / (LARGE * SMALL),
            "The trace is the sum of the eigenvalues, the determinant their product; the left side "
            "grows with kappa, since kappa is at least 1.",
            "definition",
            where=(kappa,),
        ),
        Step(
            "How it depends on depth",
            sp.Derivative(trace**2 / determinant, N),
            (N**2 * ALONG**2 - ACROSS**2) / (N**2 * (ALONG * ACROSS - MIXED**2)),
            "The bracket in the denominator is the determinant of H: positive.",
        ),
        Step(
            "The best number of layers",
            equal(N**2 * ALONG**2 - ACROSS**2, 0),
            equal(N, ACROSS / ALONG),
            "The derivative is negative before and positive after: best is the curvature across w* "
            "over the curvature along it, or 1 if that is less.",
            solves=N,
        ),
        Step(
            "What is left at the best depth",
            trace**2 / determinant,
            4 / (1 - RHO**2),
            "Depth cures all but the coupling of both directions, r.",
            where=(
                equal(N, ACROSS / ALONG),
                equal(RHO, MIXED / sp.sqrt(ALONG * ACROSS)),
            ),
        ),
        Step(
            "The best condition number",
            sp.Add(KAPPA, 1 / KAPPA, 2, evaluate=False),
            4 / (1 - RHO**2),
            "It is 1 where w* is an axis of the bowl, and large where flat and steep directions "
            "meet at w*.",
            where=(equal(KAPPA, (1 + RHO) / (1 - RHO)),),
        ),
        Step(
            "Steps",
            equal(1 - 2 / (LARGE + SMALL) * SMALL, (LARGE / SMALL - 1) / (LARGE / SMALL + 1)),
            equal(-(1 - 2 / (LARGE + SMALL) * LARGE), (LARGE / SMALL - 1) / (LARGE / SMALL + 1)),
            "At the rate 2 over the sum both extremes shrink by the same factor, and no rate does "
            "better: kappa is the price in steps.",
        ),
    )
    return Derivation(
        "near a minimum",
        "Near a minimum the rule is gradient descent with the condition number of $PH$: depth "
        "helps where the minimiser lies along a flat direction, and costs along a steep one.",
        in_setting(GENERAL, *steps) + plane,
        "this course; with Claim 2 of the paper",
    )
