"""Claims 1 and 2: the rule as a preconditioner, and its form for a single output."""

from __future__ import annotations

from random import Random
from typing import Any

import sympy as sp
from sympy.matrices.expressions.kronecker import KroneckerProduct

from overparam_edu.checks import whole_number
from overparam_edu.derivations.checker import Derivation, random_matrix
from overparam_edu.derivations.end_to_end_rule import ETA, D, G, K, W, rule_term
from overparam_edu.derivations.letters import Letters, letter
from overparam_edu.derivations.signs import Inner, Norm, Vec, equal, minus, plus, times
from overparam_edu.derivations.steps import Setting, Step, in_setting
from overparam_edu.derivations.values import NUMBERS, Values

N = sp.Symbol("N", positive=True)
COUNT, J = sp.symbols("N j", positive=True, integer=True)
POWER = sp.Symbol("s", positive=True)
w, g = sp.MatrixSymbol("w", D, 1), sp.MatrixSymbol("g", D, 1)
ROW, ROW_G = sp.MatrixSymbol("W", 1, D), sp.MatrixSymbol("G", 1, D)
PR = sp.MatrixSymbol("Pr_w", D, D)
NEW = sp.MatrixSymbol("w'", D, 1)
RATE = Norm(w) ** (2 - 2 / N)
PROJECTION = equal(PR, times(1 / Norm(w) ** 2, w, w.T))


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


# With N = j + m, so that N - j is known to be positive.
_REST = sp.Symbol("m", positive=True, integer=True)
VECTORS = Setting("vectors of any length", (Letters({COUNT: J + _REST}),), _vectors)


COUNTED = Setting(
    "any whole N",
    (Values({Norm(w): sp.Symbol("x", positive=True)}),),
    _vectors,
    general=True,
)


def single_output() -> Derivation:
    r"""Derive the rule for one output from the matrix rule.

    :math:`w' = w - \eta \lVert w\rVert^{2-2/N} (g + (N-1) \operatorname{Pr}_w g)`. Talk,
    "Single output"; Arora, Cohen, Hazan (2018), Claim 2. Needs w different from 0; at 0 the step is
    0 for N > 1, by continuity.

    Returns
    -------
    Derivation

    Examples
    --------
    >>> print(single_output().steps[9])  # doctest: +NORMALIZE_WHITESPACE +ELLIPSIS
    The rule for one output [=]
        w' = w - eta*||w||**(2 - 2/N)*g - eta*(N - 1)*||w||**(2 - 2/N)*Pr_w*g
     => w' = w - eta*||w||**(2 - 2/N)*(g + (N - 1)*Pr_w*g) ...
    """
    row = equal(ROW, w.T)
    low, high = 2 * (J - 1) / COUNT, 2 * (COUNT - J) / COUNT
    rate = Norm(w) ** (2 - 2 / COUNT)
    summed = (w, minus(ETA, RATE, g), minus(ETA, N - 1, RATE, times(PR, g)))
    across = plus(sp.Identity(D), minus(PR))
    steps = in_setting(
        VECTORS,
        Step(
            "One output: the small square",
            times(ROW, ROW.T),
            times(Norm(w) ** 2, sp.Identity(1)),
            "With one output W is a row w^T, and W W^T is a single number, the squared length.",
            "definition",
            where=(row,),
        ),
        Step(
            "One output: the large square",
            times(ROW.T, ROW),
            times(w, w.T),
            "W^T W is a d by d matrix whose columns are all multiples of w.",
            where=(row,),
        ),
        Step(
            "Name the projection",
            times(w, w.T),
            times(Norm(w) ** 2, PR),
            "Divided by the squared length, w w^T is the projection onto the line through w.",
            "definition",
            where=(PROJECTION,),
        ),
        Step(
            "A projection keeps w",
            times(PR, w),
            w,
            "w lies on the line already.",
            where=(PROJECTION,),
        ),
        Step(
            "Projecting twice is projecting once",
            times(PR, PR),
            PR,
            "After the first time everything is on the line: so each whole power of Pr is Pr.",
            where=(PROJECTION,),
        ),
        Step(
            "Fractional powers",
            sp.MatPow(w * w.T, POWER),
            times(Norm(w) ** (2 * POWER), PR),
            "The only eigenvalue that is not 0 is the squared length: a power s > 0 acts on it "
            "and leaves the projection.",
            where=(PROJECTION,),
        ),
        Step(
            "Terms with the projection",
            times(Norm(w) ** low, sp.MatPow(w * w.T, (COUNT - J) / COUNT), g),
            times(rate, PR, g),
            "Term j of the rule, for j < N and the gradient g: the two exponents add up to 2 - "
            "2/N for every j.",
            where=(PROJECTION,),
        ),
        Step(
            "The last term",
            times(Norm(w) ** (2 * (COUNT - 1) / COUNT), sp.MatPow(w * w.T, 0), g),
            times(rate, g),
            "For j = N the power is 0, and a matrix to the power 0 is the identity, not the "
            "projection.",
        ),
        Step(
            "Count the terms",
            sp.Sum(Norm(w) ** low * Norm(w) ** high, (J, 1, COUNT - 1)),
            (COUNT - 1) * rate,
            "N - 1 equal terms have the projection, one has not.",
            setting=COUNTED,
        ),
        Step(
            "The rule for one output",
            equal(NEW, plus(*summed)),
            equal(NEW, plus(w, minus(ETA, RATE, plus(g, times(N - 1, PR, g))))),
            "The learning rate eta times a factor that adapts, and extra weight along w; as a "
            "formula it makes sense for any real N of at least 1.",
        ),
        Step(
            "Against the matrix rule at depth 3",
            plus(*(times(*rule_term(j, 3, ROW, ROW_G)) for j in (1, 2, 3))),
            times(RATE, plus(g.T, times(N - 1, g.T, PR))),
            "The formula is the sum of the three terms of the end-to-end rule, as a row.",
            where=(equal(ROW, w.T), equal(ROW_G, g.T), equal(N, 3), PROJECTION),
        ),
        Step(
            "Along w and across",
            times(RATE, plus(g, times(N - 1, PR, g))),
            plus(times(N, RATE, PR, g), times(RATE, across, g)),
            "Split g into its part along w and the rest: the part along w is amplified N times "
            "more.",
        ),
        Step(
            "The two parts are perpendicular",
            Inner(times(PR, g), times(across, g)),
            sp.Integer(0),
            "So the rule never turns one part into the other.",
            where=(PROJECTION,),
        ),
        Step(
            "Depth one is gradient descent",
            times(RATE, plus(g, times(N - 1, PR, g))),
            g,
            "With a single layer the rate is 1 and the projection term is gone.",
            where=(equal(N, 1),),
        ),
    )
    return Derivation(
        "single output",
        "With one output the rule is gradient descent with a learning rate that grows with the "
        "length of w, and N times as much of it along w.",
        steps,
        'talk, "Single output"; paper, Claim 2',
    )


U, V = sp.MatrixSymbol("U", K, K), sp.MatrixSymbol("V", D, D)
SIGMA = sp.MatrixSymbol("Sigma", K, D)
PRECONDITIONER = sp.MatrixSymbol("P_W", K * D, K * D)
SPECTRUM = sp.MatrixSymbol("Lambda", K * D, K * D)
SIDE_A, SIDE_B = sp.MatrixSymbol("A", K, K), sp.MatrixSymbol("B", D, D)
LEFT, RIGHT = sp.MatrixSymbol("u_r", K, 1), sp.MatrixSymbol("v_s", D, 1)
# Not negative: a direction that W does not use has the singular value 0.
SIGMA_R, SIGMA_S = sp.symbols("sigma_r sigma_s", nonnegative=True)
# Outputs, inputs and rank of the random examples. A 2 x 2 orthogonal matrix may be a reflection,
# its own transpose: so U is 3 x 3 in the second example and V in the third.
SHAPES = ((2, 2, 2), (3, 2, 2), (2, 3, 1), (1, 3, 1))
RATE_RS = sp.Symbol("lambda_rs")


def _any_matrix(random: Random, turn: int) -> Values:
    """Return a random W of random shape, full rank or not, with its computed SVD."""
    k, d, rank = SHAPES[turn % len(SHAPES)]
    w = random_matrix(random, k, rank) * random_matrix(random, rank, d)
    u, sizes, v = NUMBERS.svd_r(w, full_matrices=True)
    # Beyond the rank the routine returns rounding noise.
    values = [sizes[i] if i < rank else NUMBERS.zero for i in range(max(k, d))]
    sigma = NUMBERS.zeros(k, d)
    for i in range(min(k, d)):
        sigma[i, i] = values[i]
    r, s = random.randrange(k), random.randrange(d)
    table: dict[Any, Any] = {W: w, G: random_matrix(random, k, d), U: u, V: v.T, SIGMA: sigma}
    table |= {LEFT: u[:, r], RIGHT: v.T[:, s], SIGMA_R: values[r], SIGMA_S: values[s]}
    return Values(table | {K: NUMBERS.mpf(k), D: NUMBERS.mpf(d)}, exact=False)


def _any_size() -> Letters:
    """Return ``W = U Sigma V^T`` of any size, with a column of U and one of V."""
    table: dict[Any, Any] = {x: letter(x, orthonormal=True) for x in (U, V)}
    squares = (SIGMA * SIGMA.T, SIGMA.T * SIGMA)
    for base, square, column, value in zip(
        (U, V), squares, (LEFT, RIGHT), (SIGMA_R, SIGMA_S), strict=True
    ):
        ((word, _),) = Letters().worth(square).terms.items()
        unit = sp.MatrixSymbol(f"e_{column.name}", base.cols, 1)
        axis = Letters(table).having({unit: letter(unit, eigen=((word, value**2),))})
        table[column] = axis.worth(base * unit)
    return Letters({**table, W: Letters(table).worth(U * SIGMA * V.T)})


MATRIX = Setting("matrices of any shape with their SVD", (_any_size(),), _any_matrix)
_NAMES = {G: "g", SIDE_A: "a", SIDE_B: "b"}
_ENTRIES = Values({m: sp.Matrix(2, 2, sp.symbols(f"{n}_1:5")) for m, n in _NAMES.items()})
SYMBOLS = Setting("2 x 2 matrices of symbols", (_ENTRIES,))
ANY = Setting("matrices of any shape", (Letters(),))


def _kronecker_sum(depth: int, output_side: Any, input_side: Any) -> Any:
    """Return ``sum_j (input side)^{(j-1)/N} (x) (output side)^{(N-j)/N}``."""
    powers = [sp.Rational(j, depth) for j in range(depth)]
    right = [sp.MatPow(input_side, power) if power else sp.Identity(D) for power in powers]
    left = [sp.MatPow(output_side, power) if power else sp.Identity(K) for power in powers]
    return plus(*map(KroneckerProduct, right, reversed(left)))


def _eigenvalue(depth: int) -> Any:
    """Return ``sum_j sigma_r^{2(N-j)/N} sigma_s^{2(j-1)/N}``; SymPy writes ``0**0`` as 1."""
    powers = [sp.Rational(2 * (j - 1), depth) for j in range(1, depth + 1)]
    terms = [SIGMA_R**high * SIGMA_S**low for high, low in zip(powers[::-1], powers, strict=True)]
    return plus(*terms)


def _two_positive(random: Random, turn: int) -> Values:
    draw = (NUMBERS.mpf(random.randrange(10**29, 2 * 10**30)) / 10**30 for _ in range(2))
    return Values(dict(zip((SIGMA_R, SIGMA_S), draw, strict=True)), exact=False)


_SIGMAS = {sigma: sp.Symbol(sigma.name, positive=True) for sigma in (SIGMA_R, SIGMA_S)}
_POSITIVE = Setting("any positive singular values", (Values(_SIGMAS),), _two_positive, general=True)


def preconditioning(depth: int = 3) -> Derivation:
    r"""Derive the preconditioner hidden in the end-to-end rule.

    :math:`\operatorname{vec}(W') = \operatorname{vec}(W) - \eta P_W \operatorname{vec}(G)`, with
    eigenvectors :math:`\operatorname{vec}(u_r v_s^T)` and eigenvalues
    :math:`\sum_{j=1}^N \sigma_r^{2(N-j)/N} \sigma_s^{2(j-1)/N}`. Talk, "Preconditioning"; Arora,
    Cohen, Hazan (2018), Claim 1. vec stacks columns; singular values are padded with zeros, with 0
    to the power 0 equal to 1.

    Parameters
    ----------
    depth : int, default 3
        Number of layers N, from 2 to 5.

    Returns
    -------
    Derivation

    Raises
    ------
    TypeError, ValueError
        If `depth` is not a whole number from 2 to 5.
    """
    depth = whole_number("depth", depth, lower=2, upper=5)
    kron = KroneckerProduct
    terms = [rule_term(j, depth) for j in range(1, depth + 1)]
    split = plus(Vec(W), *(minus(ETA, Vec(times(*term))) for term in terms))
    power = sp.MatPow(W.T * W, sp.Rational(1, depth))
    high, exponent = sp.Rational(depth - 1, depth), sp.Rational(2, depth)
    svd = sp.Tuple(
        equal(W, times(U, SIGMA, V.T)),
        equal(times(U.T, U), sp.Identity(K)),
        equal(times(V.T, V), sp.Identity(D)),
    )
    spectrum = equal(SPECTRUM, _kronecker_sum(depth, SIGMA * SIGMA.T, SIGMA.T * SIGMA))
    preconditioner = equal(PRECONDITIONER, _kronecker_sum(depth, W * W.T, W.T * W))
    turn = kron(V, U)
    direction = Vec(times(LEFT, RIGHT.T))
    half = {
        part: sp.MatPow(part.base, part.exp / 2) for term in terms for part in term if part != G
    }
    halves = [Norm(times(*(half.get(part, part) for part in term))) ** 2 for term in terms]
    value = _eigenvalue(depth)
    grown = [
        sp.Rational(2 * (depth - j), depth)
        * SIGMA_R ** (sp.Rational(2 * (depth - j), depth) - 1)
        * SIGMA_S ** sp.Rational(2 * (j - 1), depth)
        for j in range(1, depth)
    ]
    steps = in_setting(
        MATRIX,
        Step(
            "Stack the columns",
            Vec(plus(W, *(minus(ETA, *term) for term in terms))),
            split,
            "G is the gradient at W, and eta the learning rate. vec writes the columns of a "
            "matrix below each other; it keeps sums and factors.",
        ),
        Step(
            "A product becomes a Kronecker product (2 x 2)",
            Vec(times(SIDE_A, G, SIDE_B)),
            times(kron(SIDE_B.T, SIDE_A), Vec(G)),
            "Multiplying G by A from the left and by B from the right is one big matrix acting on "
            "its stacked columns.",
            setting=SYMBOLS,
        ),
        Step(
            "The right factor is symmetric",
            sp.Transpose(power),
            power,
            "W^T W is its own transpose, and so is each power of it: the transpose can go.",
        ),
        Step(
            "The rule is a preconditioned step",
            split,
            plus(Vec(W), minus(ETA, PRECONDITIONER, Vec(G))),
            "Collect the big matrices: the gradient is multiplied by one matrix P_W that depends "
            "on the current W.",
            "definition",
            where=(equal(PRECONDITIONER, _kronecker_sum(depth, W * W.T, W.T * W)),),
        ),
        Step(
            "Singular value decomposition",
            W,
            svd,
            "Every matrix is a rotation V^T, a stretch Sigma along the axes and another rotation "
            "U.",
            "definition",
        ),
        Step(
            "Powers change the stretch only",
            svd,
            sp.Tuple(
                equal(sp.MatPow(W * W.T, high), times(U, sp.MatPow(SIGMA * SIGMA.T, high), U.T)),
                equal(sp.MatPow(W.T * W, high), times(V, sp.MatPow(SIGMA.T * SIGMA, high), V.T)),
            ),
            "In W W^T the inner rotation cancels; a power then acts on the diagonal.",
        ),
        Step(
            "Rotations leave the Kronecker product",
            kron(times(V, SIDE_B, V.T), times(U, SIDE_A, U.T)),
            times(turn, kron(SIDE_B, SIDE_A), kron(V.T, U.T)),
            "The product of Kronecker products is the Kronecker product of the products.",
            setting=ANY,
        ),
        Step(
            "P_W is diagonal in these directions",
            PRECONDITIONER,
            times(turn, SPECTRUM, kron(V.T, U.T)),
            "Each term has the same two rotations outside and a diagonal matrix inside.",
            where=(preconditioner, spectrum),
        ),
        Step(
            "Eigenvectors and eigenvalues",
            times(PRECONDITIONER, direction),
            times(RATE_RS, direction),
            "Along u_r v_s^T the step is gradient descent with a learning rate multiplied by "
            "lambda_rs; unused directions count with sigma = 0.",
            where=(preconditioner, equal(RATE_RS, _eigenvalue(depth))),
        ),
        Step(
            "P_W is positive semi-definite",
            Inner(G, plus(*(times(*term) for term in terms))),
            plus(*halves),
            "The step's product with the gradient is a sum of squares, so a small enough step "
            "never goes uphill.",
        ),
        Step(
            "A geometric sum",
            value,
            (SIGMA_R**2 - SIGMA_S**2) / (SIGMA_R**exponent - SIGMA_S**exponent),
            "Neighbouring terms have a constant ratio, so for two different singular values the "
            "sum has a closed form.",
            setting=_POSITIVE,
        ),
        Step(
            "The diagonal directions",
            value,
            depth * SIGMA_R ** (2 - exponent),
            "For equal singular values all terms are equal: N of them.",
            where=(equal(SIGMA_S, SIGMA_R),),
            setting=_POSITIVE,
        ),
        Step(
            "Directions half unused",
            value,
            SIGMA_R ** (2 - exponent),
            "With one singular value zero a single term is left: N times less.",
            where=(equal(SIGMA_S, 0),),
            setting=_POSITIVE,
        ),
        Step(
            "What is amplified",
            sp.Derivative(value, SIGMA_R),
            grown[0] if len(grown) == 1 else plus(*grown),
            "No term is negative: the larger the singular values, the larger the step, so "
            "directions already used get the most.",
            setting=Setting("any positive singular values", _POSITIVE.exact, general=True),
        ),
    )
    return Derivation(
        f"preconditioning, depth {depth}",
        "The end-to-end rule multiplies the gradient by a positive semi-definite matrix that "
        "favours the directions W already uses.",
        steps,
        'talk, "Preconditioning"; paper, Claim 1',
    )
