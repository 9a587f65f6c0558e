"""Theorem 1: how the product of the layers moves when every layer does gradient descent.

One depth at a time, with its layers written out. What layers do is proved for any size; that
balanced layers share singular directions, at random ones of many shapes and ranks.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import sympy as sp

from overparam_edu.checks import flag, whole_number
from overparam_edu.derivations.checker import Derivation, random_matrix
from overparam_edu.derivations.letters import Letters, letter, slope
from overparam_edu.derivations.signs import Grad, Loss, Rate, equal, minus, plus, times
from overparam_edu.derivations.steps import Setting, Step, in_setting
from overparam_edu.derivations.values import NUMBERS, Values, evaluate, matrix_power

K, D, M = sp.symbols("k d m", positive=True, integer=True)
ETA, LAMBDA, SCALE = sp.symbols("eta lambda s", positive=True)
W, G = sp.MatrixSymbol("W", K, D), sp.MatrixSymbol("G", K, D)
S = sp.MatrixSymbol("S", M, M)
# Outputs, inputs and hidden width of the random examples: square first, so that a wrong transpose
# is refuted by its value and not by its shape; then wide, tall, narrow and single-output ones.
SHAPES = ((2, 2, 2), (2, 3, 4), (3, 2, 1), (3, 2, 2), (1, 3, 2))


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


def balanced_layers(depth: int, random: Random, turn: int) -> Values:
    """Return random balanced layers, built WITHOUT singular vectors, which are to be found.

    Each layer is a random rotation of the square root of its lower neighbour's square.
    """

    def orthonormal(random: Random, rows: int, cols: int) -> Any:
        return NUMBERS.qr(random_matrix(random, rows, cols), mode="skinny")[0]

    k, d, hidden = SHAPES[turn % len(SHAPES)]
    m = min(k, d, hidden)
    sizes = (d, *([hidden] * (depth - 1)), k)
    reach = orthonormal(random, sizes[1], m)
    weights = [reach * random_matrix(random, m, d)]
    for size in sizes[2:]:
        turned = orthonormal(random, size, m)
        root = matrix_power(weights[-1] * weights[-1].T, NUMBERS.mpf(0.5), exact=False)
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


def any_layers(depth: int, random: Random, turn: int) -> Values:
    """Return random layers that obey no assumption at all."""
    k, d, hidden = SHAPES[turn % len(SHAPES)]
    sizes = (d, *([hidden] * (depth - 1)), k)
    ws = layers(depth)
    table = {w: random_matrix(random, sizes[j + 1], sizes[j]) for j, w in enumerate(ws)}
    for w in ws:
        table[sp.MatrixSymbol(f"A_{w.name[2:]}", *w.shape)] = table[w]
        table[w.rows] = NUMBERS.mpf(table[w].rows)
    table[G] = random_matrix(random, k, d)
    values = Values(table, exact=False)
    return values.having({W: evaluate(product(ws), values)})


def any_size(depth: int, *, decay: bool = False) -> Letters:
    """Return layers of any size that move along the flow, found by differentiation."""
    values = Letters()
    end_to_end = values.worth(product(layers(depth)))
    speeds: dict[Any, Any] = {}
    for w in layers(depth):
        downhill = Grad(Loss(product(layers(depth))), w)
        extra = [minus(ETA, LAMBDA, w)] if decay else []
        speeds[Rate(w)] = values.worth(plus(minus(ETA, downhill), *extra))
    return Letters({**speeds, G: slope(end_to_end), W: end_to_end})


def aligned_layers(depth: int) -> Letters:
    """Return layers ``W_j = Q_j S Q_(j-1)^T`` of any size, the Q with orthonormal columns."""
    table: dict[Any, Any] = {q: letter(q, orthonormal=True) for q in bases(depth)}
    table[S] = letter(S, symmetric=True)
    values = Letters(table)
    for j, w in enumerate(layers(depth), 1):
        table[w] = values.worth(times(bases(depth)[j], S, bases(depth)[j - 1].T))
    return values.having({**table, W: Letters(table).worth(product(layers(depth)))})


def product(ws: tuple[Any, ...]) -> Any:
    """Return ``W_N ... W_1`` for layers ``W_1, ..., W_N``."""
    return times(*reversed(ws))


def around(ws: tuple[Any, ...], j: int) -> tuple[list[Any], list[Any]]:
    """Return the factors left and right of layer `j` (from 1) in the product."""
    return list(reversed(ws[j:])), list(reversed(ws[: j - 1]))


def turned(factors: list[Any]) -> list[Any]:
    """Return the factors of the transposed product."""
    return [factor.T for factor in reversed(factors)]


def gradient_factors(ws: tuple[Any, ...], j: int) -> list[Any]:
    """Return the factors ``W_{j+1}^T..W_N^T G W_1^T..W_{j-1}^T`` of the gradient of layer `j`."""
    left, right = around(ws, j)
    return [*turned(left), G, *turned(right)]


def first_order_changes(ws: tuple[Any, ...], decay: bool) -> list[Any]:
    """Return the first-order changes of the product, one for each layer."""
    changes = [minus(len(ws), ETA, LAMBDA, W)] if decay else []
    for j in range(1, len(ws) + 1):
        left, right = around(ws, j)
        changes.append(minus(ETA, *left, *gradient_factors(ws, j), *right))
    return changes


def rule_term(j: int, depth: int, matrix: Any = W, gradient: Any = G) -> list[Any]:
    """Return layer j's factors ``[W W^T]^{(N-j)/N} G [W^T W]^{(j-1)/N}``, without power 0."""
    left, right = sp.Rational(depth - j, depth), sp.Rational(j - 1, depth)
    above = [sp.MatPow(matrix * matrix.T, left)] if left else []
    below = [sp.MatPow(matrix.T * matrix, right)] if right else []
    return [*above, gradient, *below]


def end_to_end_rule(depth: int = 3, *, weight_decay: bool = False) -> Derivation:
    r"""Derive the update of the end-to-end matrix of a deep linear network.

    :math:`W' = W - \eta \sum_{j=1}^N [W W^T]^{(j-1)/N} G\, [W^T W]^{(N-j)/N}`, with a further
    :math:`-\eta \lambda N W` under weight decay. Talk, "End-to-end update rule"; Arora, Cohen,
    Hazan (2018), Theorem 1. It assumes balanced layers; a hidden width below min(k, d) limits
    the rank of W, not the rule. A random start near zero is balanced in absolute terms, up to the
    square of its scale, but not beside its own squares: there the network leaves the rule.

    Parameters
    ----------
    depth : int, default 3
        Number of layers N, from 2 to 5.
    weight_decay : bool, default False
        Whether each layer also decays at rate lambda.

    Returns
    -------
    Derivation

    Raises
    ------
    TypeError, ValueError
        If `depth` is not a whole number from 2 to 5.
    """
    depth = whole_number("depth", depth, lower=2, upper=5)
    ws, q = layers(depth), bases(depth)
    weight_decay = flag("weight_decay", weight_decay)
    changes = first_order_changes(ws, weight_decay)
    # Settings.
    moving = any_size(depth, decay=weight_decay)
    symbols = Setting("layers of any size, L any differentiable function", (moving,))
    flow = Setting("layers of any size, velocities by differentiation", (moving,))
    unbalanced = Setting("random layers", sample=partial(any_layers, depth))
    sampler = partial(balanced_layers, depth)
    balanced = Setting("balanced layers of random shapes and ranks", sample=sampler)
    form = Setting("aligned layers of any size", (aligned_layers(depth),), sampler)
    # One step of every layer.
    gradients = [
        equal(Grad(Loss(W), w), times(*gradient_factors(ws, j))) for j, w in enumerate(ws, 1)
    ]
    keep = [times(1 - ETA * LAMBDA, w) if weight_decay else w for w in ws]
    stepped = [plus(w, minus(ETA, *gradient_factors(ws, j))) for j, w in enumerate(keep, 1)]
    new = sp.MatrixSymbol("W'", K, D)
    # The flow.
    lowest, above = ws[0], list(reversed(ws[1:]))
    pull = [minus(ETA, LAMBDA, lowest)] if weight_decay else []
    moves = (minus(ETA, *turned(above), G, lowest.T), minus(ETA, lowest, G.T, *above))
    upper_square, lower_square = times(ws[1].T, ws[1]), times(lowest, lowest.T)

    def shrink(square: Any) -> list[Any]:
        return [minus(2, ETA, LAMBDA, *square.args)] if weight_decay else []

    conserved = []
    for w, u in pairwise(ws):
        gap = plus(times(u.T, u), minus(w, w.T))
        fades = minus(2, ETA, LAMBDA, gap) if weight_decay else sp.ZeroMatrix(w.rows, w.rows)
        conserved.append(equal(Rate(gap), fades))
    # Balanced layers, their singular directions, and products of them as fractional powers.
    first, second = (sp.MatrixSymbol(f"A_{j}", *ws[j - 1].shape) for j in (1, 2))
    balance = [equal(times(u.T, u), times(w, w.T)) for w, u in pairwise(ws)]
    aligned = [equal(w, times(q[j], S, q[j - 1].T)) for j, w in enumerate(ws, 1)]
    upper, lower = [], []
    for j in range(1, depth):
        over, under = list(reversed(ws[j:])), list(reversed(ws[:j]))
        top = sp.MatPow(W * W.T, sp.Rational(depth - j, depth))
        bottom = sp.MatPow(W.T * W, sp.Rational(j, depth))
        upper.append(equal(times(*over, *turned(over)), top))
        lower.append(equal(times(*turned(under), *under), bottom))
    decay = [minus(depth, ETA, LAMBDA, W)] if weight_decay else []
    rule = [minus(ETA, *rule_term(j, depth)) for j in range(1, depth + 1)]
    steps = in_setting(
        balanced,
        Step(
            "A product instead of one matrix",
            Loss(W),
            Loss(product(ws)),
            f"A linear network of depth {depth} computes the product of its layers, so its loss "
            "is the linear model's loss at that product.",
            "definition",
            where=(equal(W, product(ws)),),
            setting=symbols,
        ),
        Step(
            "Gradient of each layer",
            Loss(product(ws)),
            sp.Tuple(*gradients),
            "Chain rule: the gradient G at the product is multiplied by the transposed layers "
            "above, from the left, and by the transposed layers below, from the right.",
            where=(equal(W, product(ws)),),
            setting=symbols,
        ),
        Step(
            "Every layer takes a step",
            equal(new, times(*reversed(stepped))),
            equal(new, plus(W, *changes)),
            "In W', the product of the new layers, keep the terms with one eta; two steps at once "
            "bring eta squared." + (" lambda is the weight decay." if weight_decay else ""),
            "dropped order",
            setting=unbalanced,
            small=ETA,
            order=2,
        ),
        Step(
            "Let the learning rate go to zero",
            Rate(lowest),
            plus(minus(ETA, *gradient_factors(ws, 1)), *pull),
            "Many small steps become a smooth motion, the gradient flow (here layer 1"
            + ("; weight decay pulls it to zero)." if weight_decay else ")."),
            "definition",
            setting=flow,
        ),
        Step(
            "How the upper neighbour's square moves",
            Rate(upper_square),
            plus(*moves, *shrink(upper_square)),
            "Product rule, with the flow put in.",
            setting=flow,
        ),
        Step(
            "How the lower neighbour's square moves",
            Rate(lower_square),
            plus(*moves, *shrink(lower_square)),
            "Product rule again: the same gradient terms.",
            setting=flow,
        ),
        Step(
            "The imbalance of neighbours",
            Rate(plus(upper_square, minus(*lower_square.args))),
            sp.Tuple(*conserved),
            "What one square gains the other gains too, so their difference has no drive: "
            + ("weight decay makes it fade." if weight_decay else "gradient flow conserves it."),
            setting=flow,
        ),
        Step(
            "A start near zero is nearly balanced, in absolute terms",
            plus(times(SCALE * second.T, SCALE * second), minus(SCALE * first, SCALE * first.T)),
            sp.ZeroMatrix(ws[0].rows, ws[0].rows),
            "Layers s A_1 and s A_2, of size s, have an imbalance of size s squared, and the flow "
            "keeps it there. Beside their own squares it is no smaller than that of large layers.",
            "dropped order",
            setting=unbalanced,
            small=SCALE,
            order=2,
        ),
        Step(
            "Assume balanced layers",
            None,
            sp.Tuple(*balance),
            "From here on we take the imbalance to be exactly zero.",
            "assumption",
        ),
        Step(
            "Neighbours share singular directions",
            sp.Tuple(*balance),
            sp.Tuple(*aligned),
            "Equal squares have equal eigenvalues and eigenvectors, so all layers share their "
            "singular values S, and each layer's output directions, the columns of its left Q, "
            "are the next one's input directions.",
        ),
        Step(
            "The directions are orthonormal",
            sp.Tuple(*aligned),
            sp.Tuple(*(equal(times(b.T, b), sp.Identity(M)) for b in q)),
            "Singular vectors have length 1 and are perpendicular to each other.",
        ),
        Step(
            "The product in these directions",
            equal(W, product(ws)),
            equal(W, times(q[-1], sp.MatPow(S, depth), q[0].T)),
            f"All inner directions cancel, so singular values are multiplied {depth} times.",
            setting=form,
        ),
        Step(
            "Layers above as a fractional power",
            equal(times(W, W.T), times(q[-1], sp.MatPow(S, 2 * depth), q[-1].T)),
            sp.Tuple(*upper),
            f"Each layer brings the singular values squared, W W^T brings them to the power "
            f"{2 * depth}: so a part of the layers is a fractional power of the whole.",
            setting=form,
        ),
        Step(
            "Layers below as a fractional power",
            equal(times(W.T, W), times(q[0], sp.MatPow(S, 2 * depth), q[0].T)),
            sp.Tuple(*lower),
            "The same from the other end, with W^T W.",
            setting=form,
        ),
        Step(
            "The end-to-end update rule",
            equal(new, plus(W, *changes)),
            equal(new, plus(W, *decay, *rule)),
            "The layers are gone: the step needs the end-to-end matrix, its gradient and the "
            "depth, but no hidden width.",
            setting=form,
        ),
    )
    return Derivation(
        f"end-to-end update rule, depth {depth}" + (", weight decay" if weight_decay else ""),
        "If every layer does gradient descent from a balanced start, the product of the layers "
        "follows a rule of its own that knows the depth and nothing else about the network.",
        steps,
        'talk, "End-to-end update rule"; paper, Theorem 1',
    )
