"""Exercises of notebook 08: extra matrices in a convolutional network."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, close

_RNG = np.random.default_rng(8)
_A, _B = _RNG.standard_normal((2, 3, 3))
_TALL, _FLAT = _RNG.standard_normal((4, 2)), _RNG.standard_normal((2, 3))
_c, _b, _x = _RNG.standard_normal((3, 3))

_EXTRA = Exercise(
    name="extra_parameters",
    notebook="08",
    kind="write",
    title="What the extra matrices cost",
    prompt=(
        "Each dense layer of the network gets one more square matrix after it, without a bias. "
        "`outputs` lists the layers' numbers of outputs (here `[512, 10]`). How many parameters "
        "are added?"
    ),
    solution="def extra_parameters(outputs):\n    return sum(n * n for n in outputs)",
    properties={
        "for one layer of 10 outputs it is 100": lambda f: close(f([10]), 100),
        "for `[512, 10]` it is 262,244": lambda f: close(f([512, 10]), 262_244, 1e-9),
        "no layers, nothing added": lambda f: close(f([]), 0),
        "the order does not matter": lambda f: close(f([3, 7, 5]), f([5, 3, 7])),
    },
    mistakes={
        "The extra matrices have no bias.": lambda o: sum(n * n + n for n in o),
        "Those are biases. A square matrix has `n * n` entries.": lambda o: sum(o),
        "One square matrix **per layer**: the largest is not all.": lambda o: (
            max(o, default=0) ** 2
        ),
        "Square first, then add: `(a + b)**2` is more than `a**2 + b**2`.": lambda o: sum(o) ** 2,
        "One extra matrix per layer, not two.": lambda o: 2 * sum(n * n for n in o),
        "You multiplied neighbouring layers. The extra matrix is square: "
        "n outputs in, n out.": lambda o: sum(a * b for a, b in pairwise(o)),
        "You multiplied all of them. Each layer adds its own square.": lambda o: int(np.prod(o)),
    },
    hints=(
        "A matrix that takes n numbers to n numbers has n times n entries.",
        "`sum(n * n for n in outputs)`.",
    ),
    praise="262,244 on top of 1,663,370: 15.8 % more parameters, and not one more function.",
    probes=(([512, 10],), ([3, 7, 5],)),
)


def _same_function(f: Any, layers: tuple[Any, ...], x: Any) -> bool:
    A, B, c, b = layers
    W, bias = f(*layers)
    return close(np.asarray(W) @ x + np.asarray(bias), A @ (B @ x + c) + b)


_FOLD = Exercise(
    name="fold",
    notebook="08",
    kind="write",
    title="Fold the extra matrix away",
    prompt=(
        "After training the extra matrix can go. A layer computes $A(Bx + c) + b$. Return $W$ and "
        "the bias of the **one** dense layer that computes the same."
    ),
    todo="return W, bias",
    solution="def fold(A, B, c, b):\n    return A @ B, A @ c + b",
    properties={
        "the same output for a random input": lambda f: _same_function(f, (_A, _B, _c, _b), _x),
        "for layers of different sizes too": lambda f: _same_function(
            f, (_TALL, _FLAT, _c[:2], np.append(_b, 1.0)), _x
        ),
        "with $A$ the identity nothing changes but the bias": lambda f: close(
            f(np.eye(3), _B, _c, _b)[1], _c + _b
        ),
    },
    mistakes={
        "The order: $B$ acts first, so it stands on the right.": lambda A, B, c, b: (
            B @ A,
            A @ c + b,
        ),
        "The inner bias passes through $A$ as well.": lambda A, B, c, b: (A @ B, c + b),
        "The inner bias got lost.": lambda A, B, c, b: (A @ B, b),
        "The outer bias got lost.": lambda A, B, c, b: (A @ B, A @ c),
        "`*` multiplies entry by entry: use `@`.": lambda A, B, c, b: (A * B, A @ c + b),
        "Layers one after the other are multiplied, not added.": lambda A, B, c, b: (
            A + B,
            A @ c + b,
        ),
        "The outer bias comes after $A$: it is not multiplied.": lambda A, B, c, b: (
            A @ B,
            A @ (c + b),
        ),
        "The inner bias meets $A$, not $B$.": lambda A, B, c, b: (A @ B, B @ c + b),
    },
    hints=("Multiply out: $A(Bx + c) + b = ABx + Ac + b$.", "`return A @ B, A @ c + b`."),
    praise="It costs nothing at test time: the trained network has the original's size and speed.",
    probes=((_A, _B, _c, _b),),
)


def _decay(weights: Any, rate: float) -> float:
    return 0.5 * rate * sum(float(np.sum(np.asarray(W) ** 2)) for W in weights)


_DATA = Exercise(
    name="data_term",
    notebook="08",
    kind="write",
    title="Which loss is falling?",
    prompt=(
        r"The plotted loss is $\text{data} + \frac\lambda2\sum_j\|W_j\|_F^2$. Return the data "
        "term, given `total`, the list `weights` and `lam`."
    ),
    solution=(
        "def data_term(total, weights, lam):\n"
        "    return total - lam / 2 * sum(np.sum(W**2) for W in weights)"
    ),
    properties={
        "without decay it is the total": lambda f: close(f(2.0, [_A, _FLAT], 0.0), 2.0),
        "two layers of different shapes": lambda f: close(
            f(2.0, [_A, _FLAT], 0.1), 2.0 - _decay([_A, _FLAT], 0.1)
        ),
        "weights twice as large: four times as much is subtracted": lambda f: close(
            2.0 - f(2.0, [2 * _A], 0.1), 4 * (2.0 - f(2.0, [_A], 0.1))
        ),
        "no weights, nothing subtracted": lambda f: close(f(2.0, [], 0.1), 2.0),
    },
    mistakes={
        "The half is missing.": lambda t, ws, lam: t - 2 * _decay(ws, lam),
        "The total contains the decay, so it is **subtracted**.": lambda t, ws, lam: (
            t + _decay(ws, lam)
        ),
        "The norm is squared.": lambda t, ws, lam: t - lam / 2 * sum(np.linalg.norm(W) for W in ws),
        "A sum over the entries, not their mean.": lambda t, ws, lam: (
            t - lam / 2 * sum(np.mean(W**2) for W in ws)
        ),
        "All layers count: you took one.": lambda t, ws, lam: t - _decay(ws[:1], lam),
        "You took the mean over the layers.": lambda t, ws, lam: (
            t - _decay(ws, lam) / max(len(ws), 1)
        ),
        "That is the decay term itself.": lambda t, ws, lam: _decay(ws, lam),
        "The norm of the matrix as an operator (its largest singular value) is not the Frobenius "
        "norm.": lambda t, ws, lam: t - lam / 2 * sum(np.linalg.norm(W, 2) ** 2 for W in ws),
    },
    hints=(
        r"$\|W\|_F^2$ is `np.sum(W**2)`.",
        "`total - lam / 2 * sum(np.sum(W**2) for W in weights)`.",
    ),
    praise="In the talk's last experiment most of the curve on the screen is this term. Draw both.",
    probes=((2.0, [_A, _FLAT], 0.1), (1.0, [_B, _A], 0.3)),
)

EXERCISES = (_EXTRA, _FOLD, _DATA)
