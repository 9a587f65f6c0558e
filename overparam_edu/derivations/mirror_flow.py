"""Where the rule ends when many solutions fit: depth as a mirror flow with a clock of its own."""

from __future__ import annotations

from typing import Any

import sympy as sp

from overparam_edu.derivations.checker import Derivation
from overparam_edu.derivations.end_to_end_rule import D
from overparam_edu.derivations.letters import Letters
from overparam_edu.derivations.preconditioning import PR, PROJECTION, RATE, N, g, w
from overparam_edu.derivations.signs import Grad, Inner, Norm, equal, minus, over, plus, times
from overparam_edu.derivations.steps import Setting, Step, in_setting

ROWS = sp.Symbol("n", positive=True, integer=True)
v = sp.MatrixSymbol("v", D, 1)
FIRST_LAYER = sp.MatrixSymbol("w_1", D, 1)
a, b, c = (sp.MatrixSymbol(name, D, 1) for name in "abc")
X, RESIDUAL = sp.MatrixSymbol("X", ROWS, D), sp.MatrixSymbol("r", ROWS, 1)
# The start, the end of the flow and another solution, with psi and its gradient there.
START, END, OTHER = (sp.MatrixSymbol(name, D, 1) for name in ("w_0", "w_e", "u"))
Z_START, Z_END = (sp.MatrixSymbol(name, D, 1) for name in ("z_0", "z_e"))
PSI_START, PSI_END, PSI_OTHER = sp.symbols("psi_0 psi_e psi_u", real=True)
LENGTH_START, LENGTH_END, BLIND_START, BLIND_END = sp.symbols("R_0 R_e b_0 b_e", positive=True)

MIRROR = times(Norm(w) ** (1 / N - 1), w)
VECTORS = Setting("vectors of any length", (Letters(),))


def _bent(power: Any, vector: Any) -> Any:
    """Return ``||w||^power (I - (1 - 1/N) Pr) vector``."""
    return times(Norm(w) ** power, plus(sp.Identity(D), minus(1 - 1 / N, PR)), vector)


def _divergence(psi: Any, at: Any, psi_from: Any, slope: Any, origin: Any) -> Any:
    return psi - psi_from - Inner(slope, plus(at, minus(origin)))


def _twist(power: Any) -> Any:
    """Return what is 0 for all a, b, c if the metric of this power is a Hessian, and only then."""
    metric = (Inner(first, _bent(power, b)) for first in (a, c))
    one, other = (Grad(entry, w) for entry in metric)
    return Inner(c, one) - Inner(a, other)


def mirror_flow() -> Derivation:
    r"""Derive where the flow of the rule ends on a regression with many solutions.

    :math:`\frac{d}{dt} \nabla\psi(w) = -\lVert w\rVert^{1-1/N} g` with :math:`\psi = \tfrac{N}{N+1}
    \lVert w\rVert^{1+1/N}`: a mirror flow whose clock runs at the speed :math:`\lVert
    w\rVert^{1-1/N}`. So the flow ends at the solution of least Bregman divergence from the start
    (Azulay et al. 2021). Needs w different from 0 on the way.

    Returns
    -------
    Derivation

    Examples
    --------
    >>> mirror_flow().verify().ok
    True
    """
    flow = equal(v, minus(RATE, plus(g, times(N - 1, PR, g))))
    away = plus(OTHER, minus(END))
    to_start = _divergence(PSI_OTHER, OTHER, PSI_START, Z_START, START)
    end_to_start = _divergence(PSI_END, END, PSI_START, Z_START, START)
    to_end = _divergence(PSI_OTHER, OTHER, PSI_END, Z_END, END)
    turn = Inner(w, c) * Inner(a, b) - Inner(w, a) * Inner(c, b)
    steps = in_setting(
        VECTORS,
        Step(
            "A potential of the length alone",
            Grad(N / (N + 1) * Norm(w) ** (1 + 1 / N), w),
            MIRROR,
            "Call it psi, and its gradient the mirror image of w: along w, but with the N-th root "
            "of its length.",
        ),
        Step(
            "Its Hessian, applied to any vector",
            Grad(Inner(MIRROR, a), w),
            _bent(1 / N - 1, a),
            "Applied to a, any vector: across w the mirror image stretches with the factor in "
            "front, along w N times less.",
            where=(PROJECTION,),
        ),
        Step(
            "Psi is convex",
            Inner(a, _bent(1 / N - 1, a)),
            times(
                Norm(w) ** (1 / N - 1),
                Norm(times(plus(sp.Identity(D), minus(PR)), a)) ** 2 + Norm(times(PR, a)) ** 2 / N,
            ),
            "A sum of squares, 0 for a = 0 only: so each gradient belongs to one w.",
            where=(PROJECTION,),
        ),
        Step(
            "The flow of the rule",
            v,
            flow.rhs,
            "The velocity of w for small learning rates, with g the gradient: Claim 2, in the "
            "time eta times steps.",
            "definition",
            where=(flow,),
        ),
        Step(
            "N times and one N-th",
            times(
                plus(sp.Identity(D), minus(1 - 1 / N, PR)),
                plus(g, times(N - 1, PR, g)),
            ),
            g,
            "The rule stretches g along w N times; the Hessian of psi takes just that back.",
            where=(PROJECTION,),
        ),
        Step(
            "How the mirror image moves",
            _bent(1 / N - 1, v),
            minus(Norm(w) ** (1 - 1 / N), g),
            "By the chain rule its velocity is the Hessian times that of w. What is left points "
            "along the gradient: only the clock runs at a speed of its own.",
            where=(PROJECTION, flow),
        ),
        Step(
            "The way back",
            times(Norm(MIRROR) ** (N - 1), MIRROR),
            w,
            "So w at any time is known from the weighted sum of all gradients so far: the memory "
            "of the warm-up, exact, at any depth.",
        ),
        Step(
            "It is the first layer",
            MIRROR,
            FIRST_LAYER,
            "With hidden layers of width 1, balanced, each other layer is a number as large as the "
            "first layer is long.",
            where=(equal(w, times(Norm(FIRST_LAYER) ** (N - 1), FIRST_LAYER)),),
        ),
        Step(
            "Data see their rows only",
            Inner(a, times(X.T, RESIDUAL)),
            Inner(times(X, a), RESIDUAL),
            "A regression's gradient is X^T times the residuals r. In a direction a with X a = 0 "
            "the mirror image never moves.",
        ),
        Step(
            "Three points",
            to_start - end_to_start - to_end,
            Inner(plus(Z_END, minus(Z_START)), away),
            "z is the mirror image of w, at the start (0) and end (e). The divergence from w_0 is "
            "what psi lies above its tangent there. Compare the end with any solution u.",
        ),
        Step(
            "The last term is 0",
            Inner(times(X.T, RESIDUAL), away),
            Inner(RESIDUAL, plus(times(X, OTHER), minus(X, END))),
            "The mirror image has moved along rows, by some X^T r, and both solutions fit: X u = "
            "X w_e. So no other solution is as near to the start.",
        ),
        Step(
            "A small start is forgotten",
            Norm(MIRROR),
            Norm(w) ** (1 / N),
            "From a start near 0 the mirror image begins near 0, and the divergence from it is "
            "psi: the solution of least norm. But the N-th root of a small length is not small.",
        ),
        Step(
            "What the data don't see grows",
            equal(LENGTH_END ** (1 / N - 1) * BLIND_END, LENGTH_START ** (1 / N - 1) * BLIND_START),
            equal(BLIND_END, over(LENGTH_END, LENGTH_START) ** (1 - 1 / N) * BLIND_START),
            "b is the part of w across the rows, R the length of w. The mirror image keeps its "
            "part: so depth multiplies b as soon as w has grown.",
            solves=BLIND_END,
        ),
        Step(
            "Without the clock it is no mirror flow",
            _twist(2 / N - 2),
            -(1 - 1 / N) * Norm(w) ** (2 / N - 4) * turn,
            "A mirror flow needs a metric, here the inverse of what depth multiplies g by, that "
            "is a Hessian: derivatives along a and c commute. For N > 1 in a plane it is not.",
            where=(PROJECTION,),
        ),
        Step(
            "With the clock it is one",
            _twist(1 / N - 1),
            sp.Integer(0),
            "One factor of the length less, and the metric is the Hessian of psi.",
            where=(PROJECTION,),
        ),
    )
    return Derivation(
        "mirror flow",
        "Depth moves the gradient of psi against the gradient of the loss, on a clock of its own. "
        "On a regression with many solutions that fixes which of them the flow ends at.",
        steps,
        "Azulay et al. (2021)",
    )
