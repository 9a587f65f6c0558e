"""Theorem 2, no regularizer: as the talk proves it, by work round a curve, and by the criterion."""

from __future__ import annotations

from random import Random

import sympy as sp

from overparam_edu.derivations.beyond_regularization import ANY_LOSS, FIELD, LOSS, A, b
from overparam_edu.derivations.checker import Derivation, random_matrix, random_number
from overparam_edu.derivations.end_to_end_rule import D
from overparam_edu.derivations.letters import Letters, letter
from overparam_edu.derivations.preconditioning import PR, PROJECTION, N, g, w
from overparam_edu.derivations.signs import Grad, Inner, Norm, equal, over, plus, times
from overparam_edu.derivations.steps import Setting, Step
from overparam_edu.derivations.values import NUMBERS, Values

n, v, y = (sp.MatrixSymbol(name, D, 1) for name in "nvy")
CURVED = sp.MatrixSymbol("H", D, D)


def _vectors(random: Random, turn: int) -> Values:
    size = (3, 2)[turn % 2]
    table = {vector: random_matrix(random, size, 1) for vector in (w, g, b, n, v, y)}
    # Where the projection is not spelled out, the line must hold for any matrix in its place.
    table |= {PR: random_matrix(random, size, size), D: NUMBERS.mpf(size)}
    return Values(table | {A: random_number(A, random)}, exact=False)


VECTORS = Setting("vectors of any length", (Letters(),), _vectors)


ANY_THETA = Setting("any continuous theta", (Values({}),), general=True)


def theorem_2_by_line_integral() -> Derivation:
    r"""Derive Theorem 2 as the talk does: work round a closed curve, bounded from below.

    On the curve of `overparam_edu.line_integral` near 0 the work is
    :math:`2c(R^q - r^q)\frac{(N-1)(N-2)}{3N-2}` up to a part that is small against it, with
    :math:`q = 3 - \tfrac2N` and :math:`c = \lVert g(0)\rVert`. Talk, "Beyond regularization";
    paper, proof of Theorem 2. Needs a gradient that is continuous at 0 and not 0 there, N > 2, and
    two entries of w or more (with one every field is a gradient). For 1 < N < 2 the signs turn and
    the integral is negative; at N = 2 the lines say nothing.

    Returns
    -------
    Derivation
    """
    q, c, R, r, rho, s, x = sp.symbols("q c R r rho s x", positive=True)
    eps = sp.Symbol("epsilon", nonnegative=True)
    total, B, kappa = sp.symbols("I B kappa", real=True)
    th1, th2, th3, th4 = sp.symbols("theta_1:5", real=True)
    theta = sp.Symbol("theta", real=True)
    at = sp.Function("theta")(x)
    power = equal(q, 3 - 2 / N)
    across = times(plus(sp.Identity(D), times(sp.Integer(-1), PR)), y)
    ring = R**q - r**q
    straight = equal(s, over(N, q) * ring)
    turns = s * (th1 + th3) + 2 * r**q * th2 - 2 * R**q * th4
    constant = equal(kappa, (N - 1) * (N - 2) / (3 * N - 2))
    pieces = (
        s * (c + eps * th1),
        2 * r**q * (c + eps * th2),
        s * (c + eps * th3),
        -2 * R**q * (c + eps * th4),
    )
    along, over_all = (sp.Integral(at * x ** (q - 1), (x, r, end)) for end in (rho, R))
    across_it = sp.Integral(at, (x, -rho, rho))
    means = (equal(th1, over(q * over_all, ring)), equal(th2, across_it / (2 * rho)))
    split = equal(total, 2 * c * (s + r**q - R**q) + eps * turns)
    bound = equal(B, 2 * c * kappa * ring - 2 * eps * (s + r**q + R**q))
    bracket = c * kappa * (1 - x) - eps * (over(N, q) * (1 - x) + 1 + x)
    signs = zip((th1, th2, th3, th4), (-1, -1, -1, 1), strict=True)
    steps = [
        Step(
            "Work is the field times the velocity",
            Inner(FIELD, v),
            Norm(w) ** A * Inner(g, v) + (N - 1) * Norm(w) ** A * Inner(times(PR, g), v),
            "v is the velocity of a walk, g the gradient, Pr_w projects onto w, a = 2 - 2/N. A "
            "gradient does no work on a closed curve: up is paid back by down.",
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
            c + eps * theta,
            "g(0) = b is not 0, and the gradient is continuous: on a small enough curve it "
            "differs from b by epsilon n, with n no longer than 1, and theta is between -1 and 1.",
            "assumption",
            where=(
                equal(g, plus(b, times(eps, n))),
                equal(c, Norm(b)),
                equal(theta, over(Inner(n, b), Norm(b))),
            ),
            setting=VECTORS,
        ),
        Step(
            "theta is between -1 and 1",
            Norm(plus(times(Norm(b) ** 2, n), times(-Inner(n, b), b))) ** 2,
            Norm(b) ** 4 * (Norm(n) ** 2 - theta**2),
            "A square is not negative, so theta is at most the length of n in size, and that is at "
            "most 1.",
            where=(equal(theta, over(Inner(n, b), Norm(b))),),
            setting=VECTORS,
        ),
        Step(
            "A straight piece",
            sp.Derivative(N * (c * over(rho**q, q) + eps * along), rho),
            N * (c + eps * at.subs(x, rho)) * rho ** (2 - 2 / N),
            "The piece goes from distance r out to rho. Right is the work per length there, where "
            "theta has a value of its own.",
            where=(power,),
            setting=ANY_THETA,
        ),
        Step(
            "A straight piece by its mean slope",
            N * (c * over(ring, q) + eps * over_all),
            s * (c + eps * th1),
            "The whole piece, from r to R: theta_1 is the mean of theta along it, each place "
            "with the weight x^(q-1).",
            "definition",
            where=(straight, means[0]),
            setting=ANY_THETA,
        ),
        Step(
            "The mean is between -1 and 1 too",
            sp.Integral((1 - at) * x ** (q - 1), (x, r, R)),
            (1 - th1) * over(ring, q),
            "Nothing on the left is negative, so neither is the right: the mean is at most 1. With "
            "1 + theta, it is at least -1.",
            where=means[:1],
            setting=ANY_THETA,
        ),
        Step(
            "A half circle",
            rho ** (2 - 2 / N) * sp.Integral(c + eps * at, (x, -rho, rho)),
            2 * rho**q * (c + eps * th2),
            "The power of ||w|| is constant on it. What remains is the gain of L from one end to "
            "the other: the length 2 rho of the straight way times the mean slope.",
            where=(power, means[1]),
            setting=ANY_THETA,
        ),
        Step(
            "And so is that mean",
            sp.Integral(1 - at, (x, -rho, rho)),
            2 * rho * (1 - th2),
            "As before: nothing on the left is negative.",
            where=means[1:],
            setting=ANY_THETA,
        ),
        Step(
            "Once round",
            equal(total, sp.Add(*pieces, evaluate=False)),
            split,
            "I is the work once round: in along a straight piece, of work s for a slope of 1; "
            "half round; out; and back on the large half circle, against the slope. Sort by "
            "epsilon.",
        ),
        Step(
            "The constant",
            s + r**q - R**q,
            kappa * ring,
            "The number kappa is positive for N > 2, negative between 1 and 2, and 0 at N = 1 and "
            "at N = 2.",
            where=(power, straight, constant),
        ),
        Step(
            "A linear loss",
            split,
            equal(total, 2 * c * kappa * ring),
            "Its slope is c everywhere, so epsilon is 0 and this is the whole integral.",
            where=(power, straight, constant, equal(eps, 0)),
        ),
        Step(
            "The worst case",
            equal(B, 2 * c * kappa * ring + eps * turns),
            bound,
            "The integral grows with the first three theta and falls with the last: it is at least "
            "B.",
            where=tuple(equal(angle, sign) for angle, sign in signs),
        ),
        Step(
            "Small and large radius",
            bound,
            equal(B, 2 * R**q * bracket),
            "x is between 0 and 1: the inner radius against the outer one.",
            where=(equal(r, R * x ** (1 / q)), straight),
        ),
        Step(
            "Where the bound is 0",
            equal(bracket, 0),
            equal(eps, c * kappa * (1 - x) / (over(N, q) * (1 - x) + 1 + x)),
            "For smaller epsilon the bound is positive, if N > 2. Fix x, say at 1/2, and shrink "
            "the curve: epsilon falls below this, since the gradient is continuous.",
            solves=eps,
        ),
    ]
    return Derivation(
        "Theorem 2 by a line integral",
        "If the gradient at 0 is not 0 and w has two entries or more, then for N > 2 the rule's "
        "field does work round a closed curve near 0: no function has it as its gradient.",
        tuple(steps),
        'talk, "Beyond regularization"; paper, proof of Theorem 2',
    )


def _near_zero(random: Random, turn: int) -> Values:
    size = (3, 2)[turn % 2]
    half = random_matrix(random, size, size)
    table = {b: random_matrix(random, size, 1), CURVED: half + half.T, D: NUMBERS.mpf(size)}
    return Values(table | {w: random_matrix(random, size, 1)}, exact=False)


NEAR_ZERO = Setting(
    "any gradient b and any curvature H at 0",
    (Letters({CURVED: letter(CURVED, symmetric=True)}),),
    _near_zero,
)


def theorem_2_by_criterion() -> Derivation:
    r"""Derive Theorem 2, and its exception, from the criterion.

    Near 0, :math:`h = \mathrm{const} + (1 - \tfrac2N)\langle g(0), w\rangle + \dots`, for a loss
    that is twice differentiable at 0 with a gradient there that is not 0, of w with two entries or
    more. Paper, Theorem 2; this proof and the exceptions are this package's own.

    Returns
    -------
    Derivation
    """
    eps, bend = sp.symbols("epsilon lambda", positive=True)
    level, c1, c2 = sp.symbols("L_0 c_1 c_2", real=True)
    p = sp.Symbol("p", even=True, positive=True)
    second_order = (
        equal(g, plus(b, times(CURVED, w))),
        equal(LOSS, level + Inner(b, w) + Inner(w, times(CURVED, w)) / 2),
    )
    slope = (1 - 2 / N) * Inner(b, w)
    curved = (1 - 1 / N) * Inner(w, times(CURVED, w))
    unit = times(eps / Norm(b), b)
    square = bend / 2 * Norm(w) ** 2
    field = times(Norm(w), plus(g, times(PR, g)))
    bowl = plus(times(bend, w), b)
    k1, k2, w1, w2 = sp.symbols("lambda_1 lambda_2 w_1 w_2", real=True)
    bent = (k1 * w1**2 + k2 * w2**2) / 2
    far = [x * (x - c) ** (p - 1) - (x - c) ** p / p for x, c in ((w1, c1), (w2, c2))]
    steps = [
        Step(
            "h to second order",
            sp.Add(Inner(w, g), -2 / N * LOSS, evaluate=False),
            sp.Add(-2 / N * level, slope, curved, evaluate=False),
            "Put the loss's expansion at 0 into h; b is its gradient there and H its Hessian.",
            where=second_order,
            setting=NEAR_ZERO,
        ),
        Step(
            "Close to 0 the linear part leads",
            sp.Add(-2 / N * level, slope, curved, evaluate=False),
            sp.Add(-2 / N * level, (1 - 2 / N) * eps * Norm(b), evaluate=False),
            "At distance epsilon in the direction of b.",
            "dropped order",
            where=(equal(w, unit),),
            setting=NEAR_ZERO,
            small=eps,
            order=2,
        ),
        Step(
            "Against the direction of b",
            sp.Add(-2 / N * level, slope, curved, evaluate=False),
            sp.Add(-2 / N * level, -(1 - 2 / N) * eps * Norm(b), evaluate=False),
            "At the same distance on the other side h is another: it does not depend on the "
            "length of w alone.",
            "dropped order",
            where=(equal(w, times(-1, unit)),),
            setting=NEAR_ZERO,
            small=eps,
            order=2,
        ),
        Step(
            "Unless the factor is 0",
            equal(1 - 2 / N, 0),
            equal(N, 2),
            "So wherever the gradient at 0 is not 0, no function has the field as its gradient, "
            "for any real N > 1 except 2: more than the paper's N > 2.",
            solves=N,
        ),
        Step(
            "Depth 2: h for a quadratic loss",
            sp.Add(-2 / N * level, (1 - 2 / N) * Inner(b, w), evaluate=False)
            + (1 - 1 / N) * Inner(w, times(CURVED, w)),
            sp.Add(-level, Inner(w, times(CURVED, w)) / 2, evaluate=False),
            "The linear part has left h.",
            where=(equal(N, 2),),
            setting=NEAR_ZERO,
        ),
        Step(
            "A linear loss has a potential",
            Grad(Norm(w) * Inner(b, w), w),
            times(Norm(w), plus(b, times(PR, b))),
            "h is constant, and the field at depth 2 is the gradient of ||w|| L.",
            where=(PROJECTION,),
            setting=ANY_LOSS,
        ),
        Step(
            "So has an isotropic bowl",
            Grad(Norm(w) * (square + Inner(b, w)) + bend / 6 * Norm(w) ** 3, w),
            field,
            "The same curvature lambda in all directions makes h depend on the length alone; the "
            "talk's illustration with p = 2 is such a loss.",
            where=(equal(g, bowl), PROJECTION),
            setting=ANY_LOSS,
        ),
        Step(
            "Another bowl has none",
            w2 * sp.Derivative(bent, w1) - w1 * sp.Derivative(bent, w2),
            (k1 - k2) * w1 * w2,
            "With two different curvatures the curl is not 0 off the axes.",
        ),
        Step(
            "Nor has the l_p loss, for p > 2",
            w2 * sp.Derivative(sum(far), w1) - w1 * sp.Derivative(sum(far), w2),
            (p - 1) * w1 * w2 * sp.Add((w1 - c1) ** (p - 2), -((w2 - c2) ** (p - 2))),
            "Each coordinate adds w (w - c)^(p-1) - (w - c)^p / p to h. The turn is 0 everywhere "
            "for p = 2 alone.",
        ),
    ]
    return Derivation(
        "Theorem 2 from the criterion",
        "If the gradient at 0 is not 0 and w has two entries or more, no function has the rule's "
        "field as its gradient, for any N > 1 except N = 2, where linear losses and isotropic "
        "bowls have one.",
        tuple(steps),
        'talk, "Beyond regularization"; paper, Theorem 2; this proof: this package',
    )
