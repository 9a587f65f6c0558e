"""Theorem 2 as the talk proves it: a closed curve on which the rule's field does work."""

from __future__ import annotations

from random import Random

import sympy as sp

from overparam_edu.derivations.checker import Derivation, random_number
from overparam_edu.derivations.layers import D, random_matrix
from overparam_edu.derivations.preconditioning import PR, PROJECTION, N, g, w
from overparam_edu.derivations.signs import Inner, Norm, over, plus, times
from overparam_edu.derivations.steps import Setting, Step
from overparam_edu.derivations.values import NUMBERS, Values

A, Q, C, R, SMALL_R, RHO, S, X = sp.symbols("a q c R r rho s x", positive=True)
EPS = sp.Symbol("epsilon", nonnegative=True)
I_, B, KAPPA = sp.symbols("I B kappa", real=True)
THETA, TH1, TH2, TH3, TH4 = sp.symbols("theta theta_1:5", real=True)
b, n, v, y = (sp.MatrixSymbol(name, D, 1) for name in "bnvy")
FIELD = times(Norm(w) ** A, plus(g, times(N - 1, PR, g)))
POWER = sp.Eq(Q, 3 - 2 / N)


def _vectors(random: Random, turn: int) -> Values:
    size = (3, 2)[turn % 2]
    table = {vector: random_matrix(random, size, 1) for vector in (w, g, b, n, v, y)}
    # Where the projection is not spelled out, the line must hold for any matrix in its place.
    table |= {PR: random_matrix(random, size, size), D: NUMBERS.mpf(size)}
    return Values(table | {A: random_number(A, random)}, exact=False)


VECTORS = Setting("random vectors", (), _vectors)


def theorem_2_by_line_integral() -> Derivation:
    r"""Derive Theorem 2 as the talk does: work round a closed curve, bounded from below.

    On the curve of `overparam_edu.line_integral` near 0 the work is
    :math:`2c(R^q - r^q)\frac{(N-1)(N-2)}{3N-2}` up to a part that is small against it, with
    :math:`q = 3 - \tfrac2N` and :math:`c = \lVert g(0)\rVert`. Talk, "Beyond regularization";
    paper, proof of Theorem 2.

    Returns
    -------
    Derivation
        The steps, checked by ``.verify()``.

    Notes
    -----
    Needs a gradient that is continuous at 0 and not 0 there, and N > 2. For 1 < N < 2 the same
    lines with the signs turned give a negative integral; at N = 2 they say nothing.

    Examples
    --------
    >>> theorem_2_by_line_integral().steps[7].where[-1]
    Eq(kappa, (N - 2)*(N - 1)/(3*N - 2))
    """
    across = times(plus(sp.Identity(D), times(sp.Integer(-1), PR)), y)
    ring = R**Q - SMALL_R**Q
    straight = sp.Eq(S, over(N, Q) * ring)
    turns = S * (TH1 + TH3) + 2 * SMALL_R**Q * TH2 - 2 * R**Q * TH4
    constant = sp.Eq(KAPPA, (N - 1) * (N - 2) / (3 * N - 2))
    pieces = (
        S * (C + EPS * TH1),
        2 * SMALL_R**Q * (C + EPS * TH2),
        S * (C + EPS * TH3),
        -2 * R**Q * (C + EPS * TH4),
    )
    split = sp.Eq(I_, 2 * C * (S + SMALL_R**Q - R**Q) + EPS * turns)
    bound = sp.Eq(B, 2 * C * KAPPA * ring - 2 * EPS * (S + SMALL_R**Q + R**Q))
    bracket = C * KAPPA * (1 - X) - EPS * (over(N, Q) * (1 - X) + 1 + X)
    signs = zip((TH1, TH2, TH3, TH4), (-1, -1, -1, 1), strict=True)
    steps = [
        Step(
            "Work is the field times the velocity",
            Inner(FIELD, v),
            Norm(w) ** A * Inner(g, v) + (N - 1) * Norm(w) ** A * Inner(times(PR, g), v),
            "On a closed curve a gradient does no work in all: up is paid back by down. So one "
            "curve with work refutes every regularizer.",
            setting=VECTORS,
        ),
        Step(
            "On the half circles",
            Inner(FIELD, across),
            Norm(w) ** A * Inner(g, across),
            "There one walks at right angles to w, in a direction (I - Pr)y. The projection points "
            "along w: it does no work.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
        Step(
            "On the straight pieces",
            Inner(FIELD, w),
            N * Norm(w) ** A * Inner(g, w),
            "There one walks along w, which the projection keeps: the gradient's work counts N "
            "times.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
        Step(
            "Near 0 the slope is nearly c",
            over(Inner(g, b), Norm(b)),
            C + EPS * THETA,
            "g(0) = b is not 0, and the gradient is continuous: on a small enough curve it "
            "differs from b by at most epsilon, and theta is between -1 and 1.",
            "assumption",
            where=(
                sp.Eq(g, plus(b, times(EPS, n))),
                sp.Eq(C, Norm(b)),
                sp.Eq(THETA, over(Inner(n, b), Norm(b))),
            ),
            setting=VECTORS,
        ),
        Step(
            "A straight piece",
            sp.Derivative(N * (C + EPS * THETA) * over(RHO**Q, Q), RHO),
            N * (C + EPS * THETA) * RHO ** (2 - 2 / N),
            "Right is the work per length at distance rho from 0. From r to R it adds up to "
            "N(c + epsilon theta)(R^q - r^q)/q, with theta a mean along the piece.",
            where=(POWER,),
        ),
        Step(
            "A half circle",
            RHO ** (2 - 2 / N) * (2 * RHO * (C + EPS * THETA)),
            2 * RHO**Q * (C + EPS * THETA),
            "The power of ||w|| is constant on it. What remains is the gain of L from one end to "
            "the other: the length 2 rho of the straight way times the mean slope.",
            where=(POWER,),
        ),
        Step(
            "Once round",
            sp.Eq(I_, sp.Add(*pieces, evaluate=False)),
            split,
            "In along a straight piece, of work s for a slope of 1; half round; out; and back on "
            "the large half circle, against the slope. Sort by c and epsilon.",
        ),
        Step(
            "The constant",
            S + SMALL_R**Q - R**Q,
            KAPPA * ring,
            "The number kappa is positive for N > 2, negative between 1 and 2, and 0 at N = 1 and "
            "at N = 2.",
            where=(POWER, straight, constant),
        ),
        Step(
            "A linear loss",
            split,
            sp.Eq(I_, 2 * C * KAPPA * ring),
            "Its slope is c everywhere, so epsilon is 0 and this is the whole integral.",
            where=(POWER, straight, constant, sp.Eq(EPS, 0)),
        ),
        Step(
            "The worst case",
            sp.Eq(B, 2 * C * KAPPA * ring + EPS * turns),
            bound,
            "The integral grows with the first three theta and falls with the last: it is at least "
            "B.",
            where=tuple(sp.Eq(theta, sign) for theta, sign in signs),
        ),
        Step(
            "Small and large radius",
            bound,
            sp.Eq(B, 2 * R**Q * bracket),
            "x is between 0 and 1: the inner radius against the outer one.",
            where=(sp.Eq(SMALL_R, R * X ** (1 / Q)), straight),
        ),
        Step(
            "Where the bound is 0",
            sp.Eq(bracket, 0),
            sp.Eq(EPS, C * KAPPA * (1 - X) / (over(N, Q) * (1 - X) + 1 + X)),
            "For smaller epsilon the bound is positive, if N > 2. Fix x, say at 1/2, and shrink "
            "the curve: epsilon falls below this, since the gradient is continuous.",
            solves=EPS,
        ),
    ]
    return Derivation(
        "Theorem 2 by a line integral",
        "If the gradient at 0 is not 0, then for N > 2 the rule's field does work round a closed "
        "curve near 0: no function has it as its gradient.",
        tuple(steps),
        'talk, "Beyond regularization"; paper, proof of Theorem 2',
    )
