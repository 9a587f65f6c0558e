"""When the rule's field is a gradient: the criterion behind "no regularizer"."""

from __future__ import annotations

import sympy as sp

from overparam_edu.derivations.checker import Derivation
from overparam_edu.derivations.end_to_end_rule import D
from overparam_edu.derivations.letters import Letters
from overparam_edu.derivations.preconditioning import PR, PROJECTION, VECTORS, N, g, w
from overparam_edu.derivations.signs import Grad, Inner, Loss, Norm, equal, over, plus, times
from overparam_edu.derivations.steps import Setting, Step
from overparam_edu.derivations.values import Values

A, LENGTH, RHO = sp.symbols("a s rho", positive=True)
H, TURN, Y, LOSS = sp.symbols("h h_theta Y L", real=True)
I_, J_, C = sp.symbols("w_i w_j c", real=True)
HERE, PUSH = sp.Function("h")(I_, J_), sp.Function("s")(I_, J_)
F_OF, L_OF = sp.Function("f")(RHO), sp.Function("L")(RHO)
PROFILE = sp.Function("h")
b = sp.MatrixSymbol("b", D, 1)
EXPONENT = equal(A, 2 - 2 / N)
VALUE, GRADIENT = equal(LOSS, Loss(w)), equal(g, Grad(Loss(w), w))
FIELD = times(Norm(w) ** A, plus(g, times(N - 1, PR, g)))
SPLIT = equal(H, Inner(w, g) - 2 / N * LOSS)


# Any differentiable loss of any number of variables.
ANY_LOSS = Setting("any loss of any number of variables", (Letters(),))


def _circle() -> Setting:
    """Any differentiable h of two coordinates, on the circle of radius rho."""
    t = sp.Symbol("t", real=True)
    on = {I_: RHO * sp.cos(t), J_: RHO * sp.sin(t)}
    slopes = {sp.Derivative(HERE, x): sp.diff(HERE, x).subs(on) for x in on}
    table = {HERE: HERE.subs(on), TURN: sp.diff(HERE.subs(on), t), **slopes, **on}
    return Setting("any differentiable h on a circle", (Values(table),), general=True)


KEPT = Setting("any functions", (Values({f: f for f in (HERE, PUSH, F_OF, L_OF)}),), general=True)


def _slopes(what: sp.Expr) -> sp.Expr:
    return J_ * sp.Derivative(what, I_) - I_ * sp.Derivative(what, J_)


def beyond_regularization() -> Derivation:
    r"""Derive when the rule's field is a gradient.

    For :math:`N > 1`: if and only if :math:`h = \langle w, g\rangle - \tfrac2N L` depends on
    :math:`\lVert w\rVert` alone, where the loss is twice differentiable, away from 0, and w has two
    entries or more: with one every field is a gradient. This package's own criterion, behind the
    talk's "Beyond regularization".

    Returns
    -------
    Derivation
    """
    along = times(N - 1, Inner(w, g), Norm(w) ** (A - 2), w)
    length = sp.sqrt(I_**2 + J_**2 + C**2)
    integral = sp.Integral(PROFILE(LENGTH) * LENGTH ** (A - 1), (LENGTH, 1, Norm(w)))
    push = times(PROFILE(Norm(w)), Norm(w) ** (A - 2), w)
    homogeneous = RHO ** (2 / N) * Y
    steps = [
        Step(
            "The exponent is a multiple of N - 1",
            EXPONENT,
            equal(A, (N - 1) * over(2, N)),
            "a is the exponent of ||w|| in the field. At depth 1 it is 0, and the field is the "
            "gradient itself.",
            "definition",
        ),
        Step(
            "The field, written out",
            FIELD,
            plus(times(Norm(w) ** A, g), along),
            "The projection of g onto w is w times <w, g>, divided by the squared length.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
        Step(
            "A gradient that comes close",
            Grad(Norm(w) ** A * LOSS, w),
            plus(times(Norm(w) ** A, g), times(A, LOSS, Norm(w) ** (A - 2), w)),
            "The product rule. The first term is the field's; the second has a, a multiple of "
            "N - 1, where the field has N - 1.",
            where=(VALUE, GRADIENT),
            setting=ANY_LOSS,
        ),
        Step(
            "What is left over",
            FIELD,
            plus(
                times(Norm(w) ** A, g),
                times(A, LOSS, Norm(w) ** (A - 2), w),
                times(N - 1, H, Norm(w) ** (A - 2), w),
            ),
            "The field is the gradient above and a push along w; h says how strong the push is.",
            where=(PROJECTION, EXPONENT, SPLIT),
            setting=VECTORS,
        ),
        Step(
            "The curl of a push along w",
            sp.Derivative(PUSH * J_, I_) - sp.Derivative(PUSH * I_, J_),
            _slopes(PUSH),
            "A gradient has no curl; so that of the field is that of the push, for each pair of "
            "coordinates i and j.",
            setting=KEPT,
        ),
        Step(
            "A factor that depends on the length alone",
            _slopes(length ** (A - 2) * HERE),
            length ** (A - 2) * _slopes(HERE),
            "Turning w in the plane of i and j keeps its length: the factor passes through; c "
            "stands for the other coordinates.",
            setting=KEPT,
        ),
        Step(
            "What the bracket measures",
            TURN,
            sp.Add(I_ * sp.Derivative(HERE, J_), -J_ * sp.Derivative(HERE, I_), evaluate=False),
            "On a circle w moves in the direction (-w_j, w_i): this is how h changes along it, by "
            "the chain rule.",
            setting=_circle(),
        ),
        Step(
            "The curl of the field",
            (N - 1) * RHO ** (A - 2) * _slopes(HERE),
            -(N - 1) * RHO ** (A - 2) * TURN,
            "With rho the length of w: for N > 1 the curl is 0 everywhere if and only if no turn "
            "changes h, that is if h depends on rho alone.",
            setting=_circle(),
        ),
        Step(
            "The push is then a gradient too",
            Grad(integral, w),
            push,
            "If h depends on the length alone: integrate h(s) s^(a-1) up to the length of w.",
            setting=ANY_LOSS,
        ),
        Step(
            "The potential",
            Grad(Norm(w) ** A * LOSS + (N - 1) * integral, w),
            plus(times(Norm(w) ** A, g), times(A, LOSS, Norm(w) ** (A - 2), w), times(N - 1, push)),
            "That is the field, as it was left over above: such a loss has a regularizer.",
            where=(VALUE, GRADIENT),
            setting=ANY_LOSS,
        ),
        Step(
            "Losses that pass",
            RHO * sp.Derivative(homogeneous + F_OF, RHO) - 2 / N * (homogeneous + F_OF),
            RHO * sp.Derivative(F_OF, RHO) - 2 / N * F_OF,
            "A part that grows like ||w||^(2/N) in every direction, Y being any function of the "
            "direction, drops out of h; what depends on the length alone may stay.",
            setting=KEPT,
        ),
        Step(
            "No others do",
            sp.Derivative(RHO ** (-2 / N) * L_OF, RHO),
            RHO ** (-2 / N - 1) * (RHO * sp.Derivative(L_OF, RHO) - 2 / N * L_OF),
            "The bracket is h: if it is the same in all directions, L / rho^(2/N) changes alike in "
            "all of them, so L is of the form above.",
            setting=KEPT,
        ),
        Step(
            "Smooth losses",
            equal(2 / N, 1),
            equal(N, 2),
            "If L has a power series at 0, the first part is of whole degree 2/N < 2: linear, at "
            "depth 2. At other depths L must depend on the length alone.",
            solves=N,
        ),
    ]
    return Derivation(
        "beyond regularization",
        "For N > 1 and w of two entries or more the rule's field is the gradient of some function "
        "if and only if "
        r"$h(w) = \langle w, g(w)\rangle - \tfrac2N L(w)$ depends on the length of $w$ alone.",
        tuple(steps),
        'talk, "Beyond regularization"; criterion: this package',
    )
