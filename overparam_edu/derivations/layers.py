"""Deep linear networks on the board: symbols of the layers, and examples of them.

Shared by the derivations about matrices. Examples are of three kinds: 2 x 2 layers of symbols, any
random layers, and random balanced layers.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import sympy as sp

from overparam_edu.derivations.checker import random_number
from overparam_edu.derivations.signs import Rate, minus, times
from overparam_edu.derivations.values import NUMBERS, Values, entries, evaluate, matrix_power

K, D, M = sp.symbols("k d m", positive=True, integer=True)
ETA, LAMBDA, SCALE = sp.symbols("eta lambda s", positive=True)
W, G = sp.MatrixSymbol("W", K, D), sp.MatrixSymbol("G", K, D)
S = sp.MatrixSymbol("S", M, M)
# Outputs, inputs and hidden width of the random examples: square first, so that a wrong transpose
# is refuted by its value and not by its shape; then wide, tall and single-output ones.
SHAPES = ((2, 2, 2), (2, 3, 4), (3, 2, 2), (1, 3, 2))


def layers(depth: int) -> tuple[Any, ...]:
    """Return the symbols W_1, ..., W_N, with widths d, h_1, ..., h_{N-1}, k."""
    hidden = sp.symbols(f"h_1:{depth}", positive=True, integer=True)
    widths = (D, *hidden, K)
    return tuple(sp.MatrixSymbol(f"W_{j}", widths[j], widths[j - 1]) for j in range(1, depth + 1))


def bases(depth: int) -> tuple[Any, ...]:
    """Return the symbols Q_0, ..., Q_N of the shared singular directions."""
    ws = layers(depth)
    sizes = (ws[0].cols, *(w.rows for w in ws))
    return tuple(sp.MatrixSymbol(f"Q_{j}", sizes[j], M) for j in range(depth + 1))


def random_matrix(random: Random, rows: int, cols: int) -> Any:
    """Return a matrix of random numbers of many digits."""
    plain = sp.Symbol("x")
    return NUMBERS.matrix(
        [[random_number(plain, random) for _ in range(cols)] for _ in range(rows)]
    )


def random_columns(random: Random, rows: int, cols: int) -> Any:
    """Return `cols` random orthonormal columns of length `rows` (`rows` >= `cols`)."""
    return NUMBERS.qr(random_matrix(random, rows, cols), mode="skinny")[0]


def balanced_layers(depth: int) -> Callable[[Random, int], Values]:
    """Return a sampler of balanced layers.

    They are built WITHOUT singular vectors (each layer is a random rotation of the square root of
    its lower neighbour's square), so that shared singular directions are found and not put in.
    """

    def sample(random: Random, turn: int) -> Values:
        k, d, hidden = SHAPES[turn % len(SHAPES)]
        m = min(k, d)
        sizes = (d, *([max(hidden, m)] * (depth - 1)), k)
        reach = random_columns(random, sizes[1], m)
        weights = [reach * random_matrix(random, m, d)]
        for size in sizes[2:]:
            turned = random_columns(random, size, m)
            half = NUMBERS.mpf(1) / 2
            root = matrix_power(weights[-1] * weights[-1].T, half, exact=False)
            weights.append(turned * reach.T * root)
            reach = turned
        squares, directions = NUMBERS.eigsy(weights[0].T * weights[0])
        q = [directions[:, d - m : d]]
        s = NUMBERS.diag([NUMBERS.sqrt(square) for square in list(squares)[d - m :]])
        for weight in weights:
            q.append(weight * q[-1] * s**-1)
        ws = layers(depth)
        table: dict[Any, Any] = dict(zip((*ws, *bases(depth)), (*weights, *q), strict=True))
        table |= {S: s, G: random_matrix(random, k, d)}
        table |= {K: NUMBERS.mpf(k), D: NUMBERS.mpf(d), M: NUMBERS.mpf(m)}
        values = Values(table, exact=False)
        return values.having({W: evaluate(product(ws), values)})

    return sample


def any_layers(depth: int) -> Callable[[Random, int], Values]:
    """Return a sampler of layers that obey no assumption at all."""

    def sample(random: Random, turn: int) -> Values:
        k, d, hidden = SHAPES[turn % len(SHAPES)]
        sizes = (d, *([hidden] * (depth - 1)), k)
        table = {
            w: random_matrix(random, sizes[j + 1], sizes[j]) for j, w in enumerate(layers(depth))
        }
        for w in layers(depth):
            table[sp.MatrixSymbol(f"A_{w.name[2:]}", *w.shape)] = table[w]
            table[w.rows] = NUMBERS.mpf(table[w].rows)
        table[G] = random_matrix(random, k, d)
        values = Values(table, exact=False)
        return values.having({W: evaluate(product(layers(depth)), values)})

    return sample


def symbolic_layers(depth: int, *, general: bool = False, decay: bool = False) -> Values:
    """Return 2 x 2 layers of symbols that move along the flow, found BY DIFFERENTIATION."""
    table: dict[Any, Any] = {
        w: sp.Matrix(2, 2, sp.symbols(f"w{w.name[2:]}_1:5")) for w in layers(depth)
    }
    end_to_end = evaluate(product(layers(depth)), Values(table))
    if general:
        loss = sp.Function("L")(*entries(end_to_end))
        slopes = [loss.fdiff(i) for i in range(1, 5)]
        return Values(table | {G: sp.Matrix(2, 2, slopes).T})
    # Only G counts for first derivatives of L, so L may be replaced by its tangent <G, W>.
    gradient = sp.Matrix(2, 2, sp.symbols("g_1:5"))
    tangent = sum(x * y for x, y in zip(gradient, end_to_end, strict=True))
    for w in layers(depth):
        downhill = table[w].applyfunc(lambda entry: sp.diff(tangent, entry))
        extra = LAMBDA * table[w] if decay else sp.zeros(2, 2)
        table[Rate(w)] = -ETA * (downhill + extra)
    return Values(table | {G: gradient, W: end_to_end})


def product(ws: tuple[Any, ...]) -> Any:
    """Return ``W_N ... W_1`` for layers ``W_1, ..., W_N``."""
    return ws[0] if len(ws) == 1 else times(*reversed(ws))


def around(ws: tuple[Any, ...], j: int) -> tuple[list[Any], list[Any]]:
    """Return the factors left and right of layer `j` (from 1) in the product."""
    return list(reversed(ws[j:])), list(reversed(ws[: j - 1]))


def turned(factors: list[Any]) -> list[Any]:
    """Return the factors of the transposed product."""
    return [factor.T for factor in reversed(factors)]


def gradient_factors(ws: tuple[Any, ...], j: int) -> list[Any]:
    """Return the factors of the gradient of layer `j` (from 1)."""
    left, right = around(ws, j)
    return [*turned(left), G, *turned(right)]


def layer_gradient(ws: tuple[Any, ...], j: int) -> Any:
    """Return the gradient of layer `j` (from 1): ``W_{j+1}^T..W_N^T G W_1^T..W_{j-1}^T``."""
    return times(*gradient_factors(ws, j))


def first_order_changes(ws: tuple[Any, ...], decay: bool) -> list[Any]:
    """Return the first-order changes of the product, one for each layer."""
    pull = [minus(len(ws), ETA, LAMBDA, W)] if decay else []
    return [*pull, *(minus(ETA, *moved_factors(ws, j)) for j in range(1, len(ws) + 1))]


def moved_factors(ws: tuple[Any, ...], j: int) -> list[Any]:
    """Return the factors of ``W_N..W_{j+1} (W_{j+1}^T..W_N^T G W_1^T..W_{j-1}^T) W_{j-1}..W_1``."""
    left, right = around(ws, j)
    return [*left, *turned(left), G, *turned(right), *right]


def rule_term(j: int, depth: int, matrix: Any = W, gradient: Any = G) -> list[Any]:
    """Return the factors of ``[W W^T]^{(N-j)/N} G [W^T W]^{(j-1)/N}``; power 0 is left out.

    Term j is what layer j brings; the talk counts j from the other end, for the same sum.
    """
    left = _power(matrix * matrix.T, sp.Rational(depth - j, depth))
    right = _power(matrix.T * matrix, sp.Rational(j - 1, depth))
    return [*left, gradient, *right]


def _power(matrix: Any, power: Any) -> list[Any]:
    return [sp.MatPow(matrix, power)] if power else []
