"""Theorem 1: how the product of the layers moves when every layer does gradient descent.

The board shows one depth at a time, with its layers written out. Lines about entries are proved
with 2 x 2 layers of symbols; lines with fractional powers at random balanced layers of many shapes.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import sympy as sp

from overparam_edu.checks import whole_number
from overparam_edu.derivations.checker import Derivation
from overparam_edu.derivations.layers import (
    ETA,
    LAMBDA,
    SCALE,
    D,
    G,
    K,
    M,
    S,
    W,
    any_layers,
    balanced_layers,
    bases,
    first_order_changes,
    gradient_factors,
    layer_gradient,
    layers,
    product,
    rule_term,
    symbolic_layers,
    turned,
)
from overparam_edu.derivations.signs import Grad, Loss, Rate, minus, plus, times
from overparam_edu.derivations.steps import Setting, Step

_TWO = sp.Integer(2)


def _hidden(ws: tuple[Any, ...]) -> list[Any]:
    return [w.rows for w in ws[:-1]]


def _layer_steps(ws: tuple[Any, ...], decay: bool) -> list[Step]:
    depth = len(ws)
    symbols = Setting(
        "2 x 2 layers of symbols, L a general differentiable function",
        (symbolic_layers(depth, general=True),),
    )
    gradients = [sp.Eq(Grad(Loss(W), w), layer_gradient(ws, j)) for j, w in enumerate(ws, 1)]
    keep = [times(1 - ETA * LAMBDA, w) if decay else w for w in ws]
    stepped = [plus(w, minus(ETA, *gradient_factors(ws, j))) for j, w in enumerate(keep, 1)]
    new = sp.MatrixSymbol("W'", K, D)
    return [
        Step(
            "A product instead of one matrix",
            Loss(W),
            Loss(product(ws)),
            f"A linear network of depth {depth} computes the product of its layers, so its loss "
            "is the linear model's loss at that product.",
            "definition",
            where=(sp.Eq(W, product(ws)),),
            setting=symbols,
        ),
        Step(
            "Gradient of each layer",
            Loss(product(ws)),
            sp.Tuple(*gradients),
            "Chain rule: the gradient G at the product is multiplied by the transposed layers "
            "above, from the left, and by the transposed layers below, from the right.",
            where=(sp.Eq(W, product(ws)),),
            setting=symbols,
        ),
        Step(
            "Every layer takes a step",
            sp.Eq(new, times(*reversed(stepped))),
            sp.Eq(new, plus(W, *first_order_changes(ws, decay))),
            "In the product of the new layers keep the terms with one eta; two steps at once "
            "bring eta squared.",
            "dropped order",
            setting=Setting("random layers", sample=any_layers(depth)),
            small=ETA,
            order=2,
        ),
    ]


def _flow_steps(ws: tuple[Any, ...], decay: bool) -> list[Step]:
    depth = len(ws)
    flow = Setting(
        "2 x 2 layers of symbols, velocities by differentiation",
        (symbolic_layers(depth, decay=decay),),
    )
    pull = [minus(ETA, LAMBDA, ws[0])] if decay else []
    above = list(reversed(ws[1:]))
    shared = (minus(ETA, *turned(above), G, ws[0].T), minus(ETA, ws[0], G.T, *above))
    squares = (times(ws[1].T, ws[1]), times(ws[0], ws[0].T))
    steps = [
        Step(
            "Let the learning rate go to zero",
            Rate(ws[0]),
            plus(minus(ETA, *gradient_factors(ws, 1)), *pull),
            "Many small steps become a smooth motion, the gradient flow (here layer 1"
            + ("; weight decay pulls it to zero)." if decay else ")."),
            "definition",
            setting=flow,
        )
    ]
    for square, title, reason in zip(
        squares,
        ("How the upper neighbour's square moves", "How the lower neighbour's square moves"),
        ("Product rule, with the flow put in.", "Product rule again: the same gradient terms."),
        strict=True,
    ):
        shrink = [minus(2, ETA, LAMBDA, *square.args)] if decay else []
        steps.append(Step(title, Rate(square), plus(*shared, *shrink), reason, setting=flow))
    return [*steps, _conservation(ws, squares, flow, decay)]


def _conservation(
    ws: tuple[Any, ...], squares: tuple[Any, Any], flow: Setting, decay: bool
) -> Step:
    conserved = []
    for lower, upper in pairwise(ws):
        gap = plus(times(upper.T, upper), minus(lower, lower.T))
        nothing = sp.ZeroMatrix(lower.rows, lower.rows)
        conserved.append(sp.Eq(Rate(gap), minus(2, ETA, LAMBDA, gap) if decay else nothing))
    end = "weight decay makes it fade." if decay else "gradient flow conserves it."
    return Step(
        "The imbalance of neighbours",
        Rate(plus(squares[0], minus(*squares[1].args))),
        sp.Tuple(*conserved),
        f"What one square gains the other gains too, so their difference has no drive: {end}",
        setting=replace(flow, exact=(flow.exact[0].having(dict.fromkeys(_hidden(ws), _TWO)),)),
    )


def _balance_steps(ws: tuple[Any, ...]) -> list[Step]:
    depth, q = len(ws), bases(len(ws))
    starts = [sp.MatrixSymbol(f"A_{j}", *w.shape) for j, w in enumerate(ws, 1)]
    first, second = starts[0], starts[1]
    balanced = Setting("balanced layers of random shapes", sample=balanced_layers(depth))
    balance = [sp.Eq(times(u.T, u), times(w, w.T)) for w, u in pairwise(ws)]
    aligned = [sp.Eq(w, times(q[j], S, q[j - 1].T)) for j, w in enumerate(ws, 1)]
    return [
        Step(
            "A start near zero is nearly balanced",
            plus(times(SCALE * second.T, SCALE * second), minus(SCALE * first, SCALE * first.T)),
            sp.ZeroMatrix(ws[0].rows, ws[0].rows),
            "Layers of size s have an imbalance of size s squared, and the flow keeps it there.",
            "dropped order",
            setting=Setting("random layers", sample=any_layers(depth)),
            small=SCALE,
            order=2,
        ),
        Step(
            "Assume balanced layers",
            None,
            sp.Tuple(*balance),
            "From here on we take the imbalance to be exactly zero.",
            "assumption",
            setting=balanced,
        ),
        Step(
            "Neighbours share singular directions",
            sp.Tuple(*balance),
            sp.Tuple(*aligned),
            "Equal squares have equal eigenvalues and eigenvectors, so all layers share their "
            "singular values S, and each layer's output directions are the next one's input "
            "directions.",
            setting=balanced,
        ),
    ]


def _direction_steps(ws: tuple[Any, ...]) -> list[Step]:
    depth, q = len(ws), bases(len(ws))
    balanced = Setting("balanced layers of random shapes", sample=balanced_layers(depth))
    aligned = [sp.Eq(w, times(q[j], S, q[j - 1].T)) for j, w in enumerate(ws, 1)]
    return [
        Step(
            "The directions are orthonormal",
            sp.Tuple(*aligned),
            sp.Tuple(*(sp.Eq(times(b.T, b), sp.Identity(M)) for b in q)),
            "Singular vectors have length 1 and are perpendicular to each other.",
            setting=balanced,
        ),
        Step(
            "The product in these directions",
            sp.Eq(W, product(ws)),
            sp.Eq(W, times(q[-1], sp.MatPow(S, depth), q[0].T)),
            f"All inner directions cancel, so singular values are multiplied {depth} times.",
            setting=balanced,
        ),
    ]


def _power_steps(ws: tuple[Any, ...], decay: bool) -> list[Step]:
    depth, q = len(ws), bases(len(ws))
    balanced = Setting("balanced layers of random shapes", sample=balanced_layers(depth))
    upper, lower = [], []
    for j in range(1, depth):
        above, below = list(reversed(ws[j:])), list(reversed(ws[:j]))
        top = sp.MatPow(W * W.T, sp.Rational(depth - j, depth))
        bottom = sp.MatPow(W.T * W, sp.Rational(j, depth))
        upper.append(sp.Eq(times(*above, *turned(above)), top))
        lower.append(sp.Eq(times(*turned(below), *below), bottom))
    new = sp.MatrixSymbol("W'", K, D)
    pull = [minus(depth, ETA, LAMBDA, W)] if decay else []
    rule = [minus(ETA, *rule_term(j, depth)) for j in range(1, depth + 1)]
    return [
        Step(
            "Layers above as a fractional power",
            sp.Eq(times(W, W.T), times(q[-1], sp.MatPow(S, 2 * depth), q[-1].T)),
            sp.Tuple(*upper),
            f"Each layer brings the singular values squared, W W^T brings them to the power "
            f"{2 * depth}: so a part of the layers is a fractional power of the whole.",
            setting=balanced,
        ),
        Step(
            "Layers below as a fractional power",
            sp.Eq(times(W.T, W), times(q[0], sp.MatPow(S, 2 * depth), q[0].T)),
            sp.Tuple(*lower),
            "The same from the other end, with W^T W.",
            setting=balanced,
        ),
        Step(
            "The end-to-end update rule",
            sp.Eq(new, plus(W, *first_order_changes(ws, decay))),
            sp.Eq(new, plus(W, *pull, *rule)),
            "The layers are gone: the step needs the end-to-end matrix, its gradient and the "
            "depth, but no hidden width.",
            setting=balanced,
        ),
    ]


def end_to_end_rule(depth: int = 3, *, weight_decay: bool = False) -> Derivation:
    r"""Derive the update of the end-to-end matrix of a deep linear network.

    :math:`W' = W - \eta \sum_{j=1}^N [W W^T]^{(j-1)/N} G\, [W^T W]^{(N-j)/N}`, with a further
    :math:`-\eta \lambda N W` under weight decay. Talk, "End-to-end update rule"; Arora, Cohen,
    Hazan (2018), Theorem 1.

    Parameters
    ----------
    depth : int, default 3
        Number of layers N, from 2 to 5.
    weight_decay : bool, default False
        Whether each layer also decays at rate lambda.

    Returns
    -------
    Derivation
        The steps, checked by ``.verify()``.

    Raises
    ------
    TypeError, ValueError
        If `depth` is not a whole number from 2 to 5.

    Notes
    -----
    Assumes balanced layers and hidden widths of at least min(k, d). A random start near zero is
    balanced up to the square of its scale; next to a product of size ``scale**depth`` that may be
    large, and then the network leaves the rule.

    Examples
    --------
    >>> print(end_to_end_rule(2).steps[-1])  # doctest: +NORMALIZE_WHITESPACE
    The end-to-end update rule [=]
        W' = W - eta*W_2*W_2.T*G - eta*G*W_1.T*W_1
     => W' = W - eta*(W*W.T)**(1/2)*G - eta*G*(W.T*W)**(1/2)
        The layers are gone: the step needs the end-to-end matrix, its gradient and the depth,
        but no hidden width.
    """
    depth = whole_number("depth", depth, lower=2)
    if depth > 5:
        raise ValueError(f"depth must be from 2 to 5; got {depth}")
    ws = layers(depth)
    return Derivation(
        f"end-to-end update rule, depth {depth}" + (", weight decay" if weight_decay else ""),
        "If every layer does gradient descent from a balanced start, the product of the layers "
        "follows a rule of its own that knows the depth and nothing else about the network.",
        (
            *_layer_steps(ws, weight_decay),
            *_flow_steps(ws, weight_decay),
            *_balance_steps(ws),
            *_direction_steps(ws),
            *_power_steps(ws, weight_decay),
        ),
        'talk, "End-to-end update rule"; paper, Theorem 1',
    )
