"""Random layers: how large their product starts, and how long a small start waits."""

from __future__ import annotations

from itertools import product
from random import Random

import sympy as sp

from overparam_edu.derivations.checker import Derivation, random_matrix, random_number
from overparam_edu.derivations.letters import Letters
from overparam_edu.derivations.signs import Inner, Norm, equal, times
from overparam_edu.derivations.steps import Setting, Step, in_setting
from overparam_edu.derivations.values import NUMBERS, Values

# A row x of what is above, a layer A of n columns, N layers with hidden width m.
ROWS, COLS, OUT, J = sp.symbols("l n i j", positive=True, integer=True)
N, M, K, D = sp.symbols("N m k d", positive=True, integer=True)
S, SLOPE, T, LENGTH, FIRST = sp.symbols("s g t r r_0", positive=True)
DEPTH = sp.Symbol("N", positive=True)
X, A = sp.MatrixSymbol("x", ROWS, 1), sp.MatrixSymbol("A", ROWS, COLS)
MEAN = sp.MatrixSymbol("E", ROWS, ROWS)


def _layer(random: Random, turn: int) -> Values:
    """Return a row, a layer, and the mean of A A^T over all layers of entries s or -s."""
    rows, cols = ((3, 2), (2, 2))[turn % 2]
    s, mean = random_number(S, random), NUMBERS.zeros(rows, rows)
    for signs in product((-1, 1), repeat=rows * cols):
        layer = s * NUMBERS.matrix(rows, cols)
        for at, sign in enumerate(signs):
            layer[at // cols, at % cols] = s * sign
        mean += layer * layer.T / 2 ** (rows * cols)
    table = {X: random_matrix(random, rows, 1), A: random_matrix(random, rows, cols)}
    sizes = {ROWS: NUMBERS.mpf(rows), COLS: NUMBERS.mpf(cols)}
    return Values(table | sizes | {S: s, MEAN: mean}, exact=False)


LAYER = Setting("layers of any shape", (Letters(),), _layer)
DEPTHS = Setting(
    "N = 1, ..., 6 and k = 1, 2, 3",
    tuple(Values({N: sp.Integer(n), K: sp.Integer(k)}) for n in range(1, 7) for k in (1, 2, 3)),
)


def random_start() -> Derivation:
    r"""Derive how large the product of random layers starts, and what that costs.

    :math:`\mathrm E\|W\|_F^2 = k\,d\,s^{2N} m^{N-1}`, the critical scale :math:`s = 1/\sqrt m`,
    how uneven the draws are, and how long a small balanced start waits. Shamir (2019) shows that
    layers of width 1 can need a time exponential in depth, Du and Hu (2019) that wide ones at the
    critical scale do not.

    Returns
    -------
    Derivation
    """
    mean = K * D * S ** (2 * N) * M ** (N - 1)
    power = 1 - 2 / DEPTH
    layers = (
        Step(
            "A row times a layer",
            Norm(X.T * A) ** 2,
            Inner(X, times(A, A.T, X)),
            "The product W is built from the output down: x is a row of the layers above, A the "
            "next layer.",
        ),
        Step(
            "The mean of a layer",
            MEAN,
            times(COLS, S**2, sp.Identity(ROWS)),
            "E is the mean of A A^T. Independent entries of mean 0 and variance s^2 leave the "
            "diagonal alone: n squares each.",
            "assumption",
        ),
        Step(
            "One layer multiplies the mean square",
            Inner(X, times(MEAN, X)),
            times(COLS, S**2, Norm(X) ** 2),
            "Layers are independent, so the mean over A may be taken first: each layer multiplies "
            "by s^2 times its number of columns.",
            where=(equal(MEAN, times(COLS, S**2, sp.Identity(ROWS))),),
        ),
    )
    counted = (
        Step(
            "All layers, all outputs",
            sp.Sum(S**2 * D * sp.Product(S**2 * M, (J, 1, N - 1)), (OUT, 1, K)),
            mean,
            "N - 1 layers have m columns, the first has d; k rows add up. That is the formula.",
        ),
        Step(
            "One layer more",
            mean.subs(N, N + 1) / mean,
            S**2 * M,
            "It multiplies the mean by s^2 m: above 1 the start explodes with depth, below 1 it "
            "vanishes.",
        ),
    )
    rest = (
        Step(
            "The critical scale",
            equal(S**2 * M, 1),
            equal(S, 1 / sp.sqrt(M)),
            "There depth does not change the mean. At a fixed s the width decides on which side "
            "one is.",
            solves=S,
        ),
        Step(
            "How uneven is one layer?",
            sp.Add(3 * COLS, COLS * (COLS - 1), evaluate=False),
            COLS * (COLS + 2),
            "The mean of the squared sum of n squares of Gaussians of variance 1: n fourth powers "
            "with mean 3, and n(n-1) pairs with mean 1.",
        ),
        Step(
            "Compared with the square of the mean",
            COLS * (COLS + 2) / COLS**2,
            1 + 2 / COLS,
            "For wide layers nearly 1, so draws are alike; for width 1 it is 3.",
        ),
    )
    spread = (
        Step(
            "After N layers",
            (1 + 2 / D) * sp.Product(1 + 2 / M, (J, 1, N - 1)),
            (1 + 2 / D) * (1 + 2 / M) ** (N - 1),
            "The ratios multiply: about exp(2N/m). At width 1 it triples with each layer, so that "
            "a few huge draws carry the mean, and a typical one is far smaller.",
        ),
    )
    waits = (
        Step(
            "A small balanced start waits",
            -power * LENGTH ** (-power - 1) * (DEPTH * SLOPE * LENGTH ** (2 - 2 / DEPTH)),
            -(DEPTH - 2) * SLOPE,
            "Along a constant slope g the rule gives dr/dt = N g r^(2-2/N) for the length r of w: "
            "then r^(-(1-2/N)) falls at a constant speed.",
        ),
        Step(
            "until it is gone",
            equal(FIRST ** (-power) - (DEPTH - 2) * SLOPE * T, 0),
            equal(T, FIRST ** (-power) / ((DEPTH - 2) * SLOPE)),
            "At this time t the size r would be infinite: before it, the start has been left.",
            solves=T,
        ),
        Step(
            "Width 1: exponential in depth",
            FIRST ** (-power) / ((DEPTH - 2) * SLOPE),
            S ** (2 - DEPTH) / ((DEPTH - 2) * SLOPE),
            "N layers of size s have a product of size s^N: for s below 1 each layer more "
            "multiplies the wait by nearly 1/s.",
            where=(equal(FIRST, S**DEPTH),),
        ),
    )
    return Derivation(
        "random start",
        "The mean of $\\|W\\|_F^2$ over random layers is $k\\,d\\,s^{2N} m^{N-1}$: the width "
        "decides whether depth makes the start vanish, and a start that vanishes waits.",
        (
            *in_setting(LAYER, *layers),
            *in_setting(DEPTHS, *counted),
            *rest,
            *in_setting(DEPTHS, *spread),
            *waits,
        ),
        "after Shamir (2019) and Du and Hu (2019)",
    )
