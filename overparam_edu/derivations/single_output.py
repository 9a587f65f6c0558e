"""Claim 2: with a single output the rule is a learning rate and a momentum along w."""

from __future__ import annotations

from random import Random
from typing import Any

import sympy as sp

from overparam_edu.derivations.board_rule import ETA, D, random_matrix, rule_term
from overparam_edu.derivations.derivation import Derivation
from overparam_edu.derivations.notation import NUMBERS, Values
from overparam_edu.derivations.signs import Inner, Norm, minus, plus, times
from overparam_edu.derivations.step import Setting, Step

N = sp.Symbol("N", positive=True)
COUNT, J = sp.symbols("N j", positive=True, integer=True)
POWER = sp.Symbol("s", positive=True)
w, g = sp.MatrixSymbol("w", D, 1), sp.MatrixSymbol("g", D, 1)
ROW, ROW_G = sp.MatrixSymbol("W", 1, D), sp.MatrixSymbol("G", 1, D)
PR = sp.MatrixSymbol("Pr_w", D, D)
NEW = sp.MatrixSymbol("w'", D, 1)
RATE = Norm(w) ** (2 - 2 / N)
PROJECTION = sp.Eq(PR, times(1 / Norm(w) ** 2, w, w.T))


def _vectors(random: Random, turn: int) -> Values:
    size = (3, 2)[turn % 2]
    vector = random_matrix(random, size, 1)
    count = random.choice((2, 3, 4, 5))
    table: dict[Any, Any] = {w: vector, ROW: vector.T, g: random_matrix(random, size, 1)}
    table |= {D: NUMBERS.mpf(size), COUNT: NUMBERS.mpf(count)}
    # Where the projection is not spelled out, the line must hold for any matrix in its place.
    table[PR] = random_matrix(random, size, size)
    # j runs over the terms in which the projection appears.
    table[J] = NUMBERS.mpf(random.randrange(1, count))
    return Values(table, exact=False)


VECTORS = Setting(
    "vectors of two symbols",
    (
        Values(
            {v: sp.Matrix(sp.symbols(f"{v}_1:3", real=True)) for v in (w, g)}
            | {PR: sp.Matrix(2, 2, sp.symbols("p_1:5", real=True)), D: sp.Integer(2)}
        ),
    ),
    _vectors,
)


def _square_steps() -> list[Step]:
    row = sp.Eq(ROW, w.T)
    return [
        Step(
            "One output: the small square",
            times(ROW, ROW.T),
            times(Norm(w) ** 2, sp.Identity(1)),
            "With one output W is a row w^T, and W W^T is a single number, the squared length.",
            "definition",
            where=(row,),
            setting=VECTORS,
        ),
        Step(
            "One output: the large square",
            times(ROW.T, ROW),
            times(w, w.T),
            "W^T W is a d by d matrix whose columns are all multiples of w.",
            where=(row,),
            setting=VECTORS,
        ),
        Step(
            "Name the projection",
            times(w, w.T),
            times(Norm(w) ** 2, PR),
            "Divided by the squared length, w w^T is the projection onto the line through w.",
            "definition",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
    ]


def _projection_steps() -> list[Step]:
    return [
        Step(
            "A projection keeps w",
            times(PR, w),
            w,
            "w lies on the line already.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
        Step(
            "Projecting twice is projecting once",
            times(PR, PR),
            PR,
            "After the first time everything is on the line: so each whole power of Pr is Pr.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
        Step(
            "Fractional powers",
            sp.MatPow(w * w.T, POWER),
            times(Norm(w) ** (2 * POWER), PR),
            "The only eigenvalue that is not 0 is the squared length: a power s > 0 acts on it "
            "and leaves the projection.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
    ]


def _rule_steps() -> list[Step]:
    low, high = 2 * (J - 1) / COUNT, 2 * (COUNT - J) / COUNT
    rate = Norm(w) ** (2 - 2 / COUNT)
    counted = Setting(
        "N = 2, ..., 6",
        tuple(
            Values({COUNT: sp.Integer(n), Norm(w): sp.Symbol("x", positive=True)})
            for n in range(2, 7)
        ),
        _vectors,
    )
    return [
        Step(
            "Terms with the projection",
            times(Norm(w) ** low, sp.MatPow(w * w.T, (COUNT - J) / COUNT), g),
            times(rate, PR, g),
            "Term j of the rule, for j < N: the two exponents add up to 2 - 2/N for every j.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
        Step(
            "The last term",
            times(Norm(w) ** (2 * (COUNT - 1) / COUNT), sp.MatPow(w * w.T, 0), g),
            times(rate, g),
            "For j = N the power is 0, and a matrix to the power 0 is the identity, not the "
            "projection.",
            setting=VECTORS,
        ),
        Step(
            "Count the terms",
            sp.Sum(Norm(w) ** low * Norm(w) ** high, (J, 1, COUNT - 1)),
            (COUNT - 1) * rate,
            "N - 1 equal terms have the projection, one has not.",
            setting=counted,
        ),
    ]


def _sum_steps() -> list[Step]:
    summed = (w, minus(ETA, RATE, g), minus(ETA, N - 1, RATE, times(PR, g)))
    return [
        Step(
            "The rule for one output",
            sp.Eq(NEW, plus(*summed)),
            sp.Eq(NEW, plus(w, minus(ETA, RATE, plus(g, times(N - 1, PR, g))))),
            "An adaptive learning rate, and extra weight along w; as a formula it makes sense for "
            "any real N of at least 1.",
            setting=VECTORS,
        ),
        Step(
            "Against the matrix rule at depth 3",
            plus(*(times(*rule_term(j, 3, ROW, ROW_G)) for j in (1, 2, 3))),
            times(RATE, plus(g.T, times(N - 1, g.T, PR))),
            "The formula is the sum of the three terms of the end-to-end rule, as a row.",
            where=(sp.Eq(ROW, w.T), sp.Eq(ROW_G, g.T), sp.Eq(N, 3), PROJECTION),
            setting=VECTORS,
        ),
    ]


def _meaning_steps() -> list[Step]:
    across = plus(sp.Identity(D), minus(PR))
    return [
        Step(
            "Along w and across",
            times(RATE, plus(g, times(N - 1, PR, g))),
            plus(times(N, RATE, PR, g), times(RATE, across, g)),
            "Split g into its part along w and the rest: the part along w is amplified N times "
            "more.",
            setting=VECTORS,
        ),
        Step(
            "The two parts are perpendicular",
            Inner(times(PR, g), times(across, g)),
            sp.Integer(0),
            "So the rule never turns one part into the other.",
            where=(PROJECTION,),
            setting=VECTORS,
        ),
        Step(
            "Depth one is gradient descent",
            times(RATE, plus(g, times(N - 1, PR, g))),
            g,
            "With a single layer the rate is 1 and the projection term is gone.",
            where=(sp.Eq(N, 1),),
            setting=VECTORS,
        ),
    ]


def single_output() -> Derivation:
    r"""Derive the rule for one output from the matrix rule.

    :math:`w' = w - \eta \lVert w\rVert^{2-2/N} (g + (N-1) \operatorname{Pr}_w g)`. Talk,
    "Single output"; Arora, Cohen, Hazan (2018), Claim 2.

    Returns
    -------
    Derivation
        The steps, checked by ``.verify()``.

    Notes
    -----
    Needs w different from 0; at 0 the step is 0 for N > 1, by continuity.

    Examples
    --------
    >>> print(single_output().steps[9])  # doctest: +NORMALIZE_WHITESPACE
    The rule for one output [=]
        w' = w - eta*||w||**(2 - 2/N)*g - eta*(N - 1)*||w||**(2 - 2/N)*Pr_w*g
     => w' = w - eta*||w||**(2 - 2/N)*(g + (N - 1)*Pr_w*g)
        An adaptive learning rate, and extra weight along w; as a formula it makes sense for any
        real N of at least 1.
    """
    return Derivation(
        "single output",
        "With one output the rule is gradient descent with a learning rate that grows with the "
        "length of w, and N times as much of it along w.",
        (*_square_steps(), *_projection_steps(), *_rule_steps(), *_sum_steps(), *_meaning_steps()),
        'talk, "Single output"; paper, Claim 2',
    )
