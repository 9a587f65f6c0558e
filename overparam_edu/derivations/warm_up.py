"""The warm-up of the talk: one extra scalar turns gradient descent into momentum.

``L(w)`` is minimised over ``w = w1 * omega2`` instead of over ``w``. Nothing about the loss
changes; the path of ``w`` does.
"""

from __future__ import annotations

from random import Random
from typing import Any

import sympy as sp

from overparam_edu.checks import whole_number
from overparam_edu.derivations.checker import Derivation, random_matrix, random_number
from overparam_edu.derivations.letters import Letters, slope
from overparam_edu.derivations.signs import Grad, Inner, Loss, equal, minus, plus, times
from overparam_edu.derivations.steps import Setting, Step
from overparam_edu.derivations.values import NUMBERS, Values

D, ETA = sp.Symbol("d", positive=True, integer=True), sp.Symbol("eta", positive=True)
P = sp.Symbol("p", positive=True, even=True)
OMEGA2, RHO, GAMMA = sp.Symbol("omega_2"), sp.Symbol("rho"), sp.Symbol("gamma")
W, W1, G, X = (sp.MatrixSymbol(name, D, 1) for name in ("w", "w_1", "g", "x"))
Y = sp.Symbol("y", real=True)
# The later lines hold for each coordinate of w separately; t counts the updates.
t, s, tau = sp.symbols("t s tau", integer=True)
w_, g_, rho_, gamma_, omega_, slope_ = map(
    sp.IndexedBase, ("w", "g", "rho", "gamma", "omega_2", "d")
)
mu_ = sp.IndexedBase("mu")


def _vectors(random: Random, turn: int) -> Values:
    """Return random vectors w1 and g of 3 entries, an omega2 and a small eta."""
    table: dict[Any, Any] = {name: random_matrix(random, 3, 1) for name in (W1, G)}
    table[OMEGA2] = random_number(OMEGA2, random)
    table[W] = table[W1] * table[OMEGA2]
    return Values(table, exact=False)


# Vectors of any length; g is the gradient of L at omega2 w1.
LETTERS = Letters()
GENERAL = Setting(
    "vectors of any length, L any differentiable function",
    (Letters({G: slope(LETTERS.worth(OMEGA2 * W1))}),),
)
PLAIN = Setting("vectors of any length", (LETTERS,), _vectors)


def _times(random: Random, turn: int) -> Values:
    """Return a time and an earlier one."""
    late = 1 + turn % 6
    early = random.randrange(late)
    return Values({t: NUMBERS.mpf(late), tau: NUMBERS.mpf(early)}, exact=False)


TIMES = Setting("any 0 <= tau < t", (Values({}),), _times, general=True)


def warm_up(*, updates: int = 4) -> Derivation:
    r"""Derive the learning rate and the momentum hidden in one extra scalar.

    With :math:`w = \omega_2 w_1` and gradient descent on both factors,
    :math:`w' = w - \rho_t \nabla_t - \sum_{\tau<t} \mu_{t,\tau} \nabla_\tau` up to
    :math:`O(\eta^2)` per update. Talk, "Warm-up"; Arora, Cohen, Hazan (2018), section 3. The
    unrolled lines drop a start near zero; `rebuild_from_gradients` measures what that and
    :math:`O(\eta^2)` cost in a real run.

    Parameters
    ----------
    updates : int, default 4
        How many updates are unrolled with numbers for indices (1 to 6).

    Returns
    -------
    Derivation

    Raises
    ------
    TypeError, ValueError
        If `updates` is not a whole number from 1 to 6.
    """
    updates = whole_number("updates", updates, lower=1, upper=6)
    # The gradients.
    product, error = OMEGA2 * W1, Inner(X, W) - Y
    # One update: the new w, and the terms of its update by their order in eta.
    new = sp.MatrixSymbol("w'", D, 1)
    new_omega2, new_w1 = sp.Symbol("omegaprime_2"), sp.MatrixSymbol("wprime_1", D, 1)
    next_omega2 = plus(OMEGA2, -ETA * Inner(W1, G))
    next_w1 = plus(W1, minus(ETA, OMEGA2, G))
    stepped = times(next_omega2, next_w1)
    terms = (times(OMEGA2, W1), minus(ETA, OMEGA2**2, G), minus(ETA, Inner(W1, G), W1))
    second = times(ETA**2, OMEGA2, Inner(W1, G), G)
    in_w = (W, terms[1], minus(ETA, Inner(W1, G) / OMEGA2, W))
    named = plus(times(1 - GAMMA, W), minus(RHO, G))
    # Many updates: what is left of a gradient, the memory, and w as a sum of past gradients.
    fade = sp.Product(1 - gamma_[s], (s, tau + 1, t - 1))
    mu = equal(mu_[t, tau], -gamma_[t] * rho_[tau] * fade)
    recurrence: Any = sp.Integer(0)
    for n in range(updates):
        recurrence = (1 - gamma_[n]) * recurrence - rho_[n] * g_[n]
    past = sp.Sum(rho_[tau] * fade * g_[tau], (tau, 0, t - 1))
    line = plus(w_[t], -rho_[t] * g_[t], -sp.Sum(mu_[t, tau] * g_[tau], (tau, 0, t - 1)))
    steps = [
        Step(
            "Overparameterize",
            Loss(W),
            Loss(product),
            "Replace the vector w by a vector w_1 times one extra scalar omega_2: the model can "
            "still be any w, so nothing is gained or lost in what it can say.",
            "definition",
            where=(equal(W, product),),
            setting=GENERAL,
        ),
        Step(
            "Gradient in the vector",
            Grad(Loss(product), W1),
            OMEGA2 * G,
            "Chain rule: moving w_1 moves w omega_2 times as far; g is the gradient of L at w.",
            setting=GENERAL,
        ),
        Step(
            "Gradient in the scalar",
            sp.Derivative(Loss(product), OMEGA2),
            Inner(W1, G),
            "Chain rule again: moving omega_2 moves w along w_1, so only the part of g along "
            "w_1 counts.",
            setting=GENERAL,
        ),
        Step(
            "The talk's loss",
            Grad(error**P / P, W),
            error ** (P - 1) * X,
            "For the l_p loss of one example, with input x and target y, g is the error to the "
            "power p - 1 times the input.",
            setting=Setting("vectors of any length", (LETTERS,)),
        ),
        Step(
            "One step of gradient descent on both",
            equal(new, sp.MatMul(new_omega2, new_w1)),
            equal(new, stepped),
            "Each factor takes its own gradient step with the learning rate eta; the new w is "
            "the product of the new factors.",
            "definition",
            where=(equal(new_omega2, next_omega2), equal(new_w1, next_w1)),
            setting=PLAIN,
        ),
        Step(
            "Multiply out",
            equal(new, stepped),
            equal(new, plus(*terms, second)),
            "Two brackets give four terms: one without eta, two with eta, one with eta squared.",
            setting=PLAIN,
        ),
        Step(
            "Write w for the product",
            equal(new, plus(*terms, second)),
            equal(new, plus(*in_w, second)),
            "w_1 is w / omega_2, so the third term is a multiple of w itself.",
            where=(equal(W, OMEGA2 * W1),),
            setting=PLAIN,
        ),
        Step(
            "Drop the square of eta",
            equal(new, plus(*in_w, second)),
            equal(new, plus(*in_w)),
            "Learning rates are small, and eta squared is much smaller than eta.",
            "dropped order",
            setting=PLAIN,
            small=ETA,
            order=2,
        ),
        Step(
            "Name the two coefficients",
            equal(new, plus(*in_w)),
            equal(new, named),
            "rho is a learning rate that adapts itself; gamma shrinks w, or stretches it if < 0.",
            "definition",
            where=(equal(RHO, ETA * OMEGA2**2), equal(GAMMA, ETA * Inner(W1, G) / OMEGA2)),
            setting=PLAIN,
        ),
        Step(
            f"Follow {updates} updates from w = 0",
            equal(w_[updates], recurrence),
            equal(w_[updates], -past.subs(t, updates)),
            "Each update adds one gradient and multiplies all earlier ones by 1 - gamma: after t "
            "updates w_t is a weighted sum of every gradient it has seen, g_0 the first.",
        ),
        Step(
            "And every further one",
            equal(w_[t + 1], plus((1 - gamma_[t]) * w_[t], -rho_[t] * g_[t])),
            equal(w_[t + 1], -past.subs(t, t + 1)),
            "Induction: if w_t is that sum for t updates, one more update makes it the sum for "
            "t + 1.",
            where=(equal(w_[t], -past),),
            setting=TIMES,
        ),
        Step(
            "The weight of an old gradient",
            (1 - gamma_[t]) * (-rho_[tau] * fade),
            -rho_[tau] * fade - mu_[t, tau],
            "In the update at time t the old gradient g_tau already has the weight "
            "-rho_tau times the product; what the update adds to it is -mu.",
            "definition",
            where=(mu,),
        ),
        Step(
            "Momentum appears",
            equal(w_[t + 1], plus((1 - gamma_[t]) * w_[t], -rho_[t] * g_[t])),
            equal(w_[t + 1], line),
            "Put the weighted sum in for w in the term gamma w: every past gradient pushes again, "
            "with its own mu.",
            where=(equal(w_[t], -past), mu),
            setting=TIMES,
        ),
        Step(
            "gamma is the relative change of the scalar",
            plus(omega_[t], -ETA * slope_[t]),
            (1 - gamma_[t]) * omega_[t],
            "With d_t the derivative of L in omega_2, the scalar's own step multiplies it by 1 - "
            "gamma: gamma is negative just when the scalar grows in size, and then mu is "
            "positive, as for momentum.",
            where=(equal(gamma_[t], ETA * slope_[t] / omega_[t]),),
        ),
        Step(
            "The memory does not fade",
            sp.Product(1 - gamma_[s], (s, tau + 1, t - 1)),
            omega_[t] / omega_[tau + 1],
            "The factors are ratios of neighbours, so the product telescopes: an old gradient "
            "keeps its weight as long as the scalar does not shrink, however old it is.",
            where=(equal(gamma_[t], 1 - omega_[t + 1] / omega_[t]),),
            setting=TIMES,
        ),
        Step(
            "The memory in closed form",
            mu_[t, tau],
            -(ETA**2) * slope_[t] * omega_[tau] ** 2 / omega_[tau + 1],
            "Insert rho, gamma and the telescoped product: mu needs the scalar and its "
            "derivative alone.",
            where=(
                equal(mu_[t, tau], -gamma_[t] * rho_[tau] * (omega_[t] / omega_[tau + 1])),
                equal(gamma_[t], ETA * slope_[t] / omega_[t]),
                equal(rho_[t], ETA * omega_[t] ** 2),
            ),
        ),
    ]
    return Derivation(
        "warm-up",
        "One extra scalar makes gradient descent adapt its learning rate and remember every past "
        "gradient, as momentum does.",
        tuple(steps),
        'talk, "Warm-up"; paper, section 3',
    )
