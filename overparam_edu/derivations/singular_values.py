"""The clock of each singular value: why modes are learned one after the other."""

from __future__ import annotations

from typing import Any

import sympy as sp

from overparam_edu.derivations.checker import Derivation
from overparam_edu.derivations.end_to_end_rule import D, K, M, W
from overparam_edu.derivations.letters import Letters, letter
from overparam_edu.derivations.preconditioning import COUNT, J, N
from overparam_edu.derivations.signs import Grad, Inner, equal, minus, over, plus, times
from overparam_edu.derivations.steps import Setting, Step
from overparam_edu.derivations.values import Values

EXAMPLES = sp.Symbol("n", positive=True, integer=True)
X, Y = sp.MatrixSymbol("X", D, EXAMPLES), sp.MatrixSymbol("Y", K, EXAMPLES)
TARGET = sp.MatrixSymbol("A", K, D)
U, V = sp.MatrixSymbol("U", K, M), sp.MatrixSymbol("V", D, M)
S, T = sp.MatrixSymbol("S", M, M), sp.MatrixSymbol("T", M, M)
POWER, OTHER_POWER = sp.symbols("alpha beta", positive=True)
SIGMA, SIZE, START, TIME, SMALL = sp.symbols("sigma s s_0 t epsilon", positive=True)
SIGMA_1, SIGMA_2 = sp.symbols("sigma_1 sigma_2", positive=True)
A = 2 - 2 / N

_WHITE = letter(sp.MatrixSymbol("O", EXAMPLES, D), orthonormal=True).transposed()
WHITENED = Setting("inputs with X X^T = I, of any number", (Letters({X: _WHITE}),))


def _aligned() -> Letters:
    table: dict[Any, Any] = {x: letter(x, orthonormal=True) for x in (U, V)}
    table |= {x: letter(x, symmetric=True) for x in (S, T)}
    meanings = Letters(table)
    both = {W: times(U, S, V.T), TARGET: times(U, T, V.T)}
    return Letters(table | {name: meanings.worth(product) for name, product in both.items()})


ALIGNED = Setting("matrices of any shape with shared singular vectors", (_aligned(),))
ANY_DEPTH = Setting("any whole N", (Values({}),), general=True)


def _clock(start: Any, sigma: Any, share: Any) -> Any:
    """Return when a singular value has reached this share of sigma, at depth 2."""
    return sp.log((sigma / start - 1) * share / (1 - share)) / (2 * sigma)


def singular_values() -> Derivation:
    r"""Derive when each singular value is learned.

    Whitened inputs, and a balanced start along the target's singular vectors: :math:`\dot s = N
    s^{2-2/N} (\sigma - s)` for each singular value by itself. At depth 2 half is learned at
    :math:`\ln(\sigma/s_0 - 1) / (2\sigma)` (Saxe et al. 2014); from small starts times are in the
    ratio of the targets at any depth from 2 on (Gissin et al. 2020).

    Returns
    -------
    Derivation

    Examples
    --------
    >>> print(singular_values().steps[6])  # doctest: +NORMALIZE_WHITESPACE
    When half is learned [=]
        sigma/((sigma/s_0 - 1)*exp(-2*sigma*t) + 1) = sigma/2
     => t = log(sigma/s_0 - 1)/(2*sigma)
        At this time the second term in the denominator is 1.
    """
    error = plus(times(W, X), minus(Y))
    rest = sp.Add(sp.Integer(1), (SIGMA / START - 1) * sp.exp(-2 * SIGMA * TIME), evaluate=False)
    path = over(SIGMA, rest)
    single = SIGMA - (SIGMA - START) * sp.exp(-TIME)
    short, long = (_clock(sp.exp(-1 / SMALL), s, sp.Rational(1, 2)) for s in (SIGMA_1, SIGMA_2))
    term = SIZE ** (2 * (J - 1) / COUNT) * (SIGMA - SIZE) * SIZE ** (2 * (COUNT - J) / COUNT)
    wait = over(START ** (1 - A), (A - 1) * N * SIGMA)
    steps = (
        Step(
            "Whitened inputs",
            Grad(Inner(error, error) / 2, W),
            plus(W, minus(TARGET)),
            "The inputs X are uncorrelated and equally strong, X X^T = I: with the outputs Y, the "
            "gradient at W is the distance to the best matrix, A.",
            setting=WHITENED,
            where=(equal(TARGET, times(Y, X.T)),),
        ),
        Step(
            "A start along the target's vectors",
            plus(W, minus(TARGET)),
            times(U, plus(S, minus(T)), V.T),
            "W and A share their singular vectors U and V: only the diagonal matrices S and T "
            "differ.",
            "definition",
            setting=ALIGNED,
            where=(equal(W, times(U, S, V.T)), equal(TARGET, times(U, T, V.T))),
        ),
        Step(
            "The rule keeps the vectors",
            times(
                sp.MatPow(W * W.T, POWER),
                plus(W, minus(TARGET)),
                sp.MatPow(W.T * W, OTHER_POWER),
            ),
            times(
                U, sp.MatPow(S, 2 * POWER), plus(S, minus(T)), sp.MatPow(S, 2 * OTHER_POWER), V.T
            ),
            "Each term of the rule, whatever its exponents alpha and beta, has the same rotations "
            "outside, and so has the next W. Inside all is diagonal: each singular value moves by "
            "itself.",
            setting=ALIGNED,
        ),
        Step(
            "The clock of one singular value",
            sp.Sum(term, (J, 1, COUNT)),
            COUNT * SIZE ** (2 - 2 / COUNT) * (SIGMA - SIZE),
            "The N terms of the rule are equal. This is the velocity of s, on its way to sigma: "
            "slow while s is small.",
            setting=ANY_DEPTH,
        ),
        Step(
            "Depth 1: all together",
            sp.Derivative(single, TIME),
            SIGMA - single,
            "Without depth the distance falls like exp(-t), whatever sigma is: half is learned "
            "after about ln 2, for all.",
        ),
        Step(
            "Depth 2: a slow start",
            sp.Derivative(path, TIME),
            2 * path * (SIGMA - path),
            "The logistic curve: growth like exp(2 sigma t) first, then it levels off.",
        ),
        Step(
            "When half is learned",
            equal(path, SIGMA / 2),
            equal(TIME, sp.log(SIGMA / START - 1) / (2 * SIGMA)),
            "At this time the second term in the denominator is 1.",
            solves=TIME,
        ),
        Step(
            "Small starts: the ratio of the times",
            over(long, short),
            over(SIGMA_1, SIGMA_2),
            "With ln(1/s_0) = 1/epsilon: as s_0 goes to 0 only the rates count. Slowly, since "
            "epsilon is a logarithm.",
            "dropped order",
            small=SMALL,
            order=1,
        ),
        Step(
            "The jump takes a fixed time",
            _clock(START, SIGMA, sp.Rational(9, 10)) - _clock(START, SIGMA, sp.Rational(1, 10)),
            sp.log(81) / (2 * SIGMA),
            "From 10 to 90 per cent, however small the start: the wait grows, the jump does not, "
            "so one mode is done before the next begins.",
        ),
        Step(
            "Any depth: two parts of the time",
            over(1, SIZE**A * (SIGMA - SIZE)),
            plus(over(1, SIGMA * SIZE**A), over(SIZE ** (1 - A), SIGMA * (SIGMA - SIZE))),
            "N times the time is the integral of this over s. The second part stays finite as s_0 "
            "goes to 0.",
        ),
        Step(
            "The wait",
            sp.Derivative(-over(SIZE ** (1 - A), (A - 1) * N * SIGMA), SIZE),
            over(1, N * SIGMA * SIZE**A),
            "The first part is a power of s. For N > 2 it is large at s_0: that is the wait.",
        ),
        Step(
            "The wait from a small start",
            wait,
            over(START ** (2 / N - 1), (N - 2) * SIGMA),
            "Now a power of 1/s_0, no longer a logarithm: a moderately small start is enough. "
            "Again sigma stands below, so the ratio of the times tends to the same.",
        ),
    )
    return Derivation(
        "singular values",
        "Each singular value has a clock of its own: with depth the large ones are learned first, "
        "and one after the other.",
        steps,
        "Saxe, McClelland, Ganguli (2014); Gissin, Shalev-Shwartz, Daniely (2020)",
    )
