"""Right answers in unusual form: notebook 00."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from operator import mul

import numpy as np
import sympy as sp

import overparam_edu as oe


def popping(layers):
    W = layers.pop(0)
    while layers:
        W = layers.pop(0) @ W
    return W


def recursive(layers):
    return layers[-1] @ recursive(layers[:-1]) if layers[1:] else layers[0]


def column_by_column(layers):
    columns = []
    for x in np.eye(layers[0].shape[1]):
        for V in layers:
            x = V @ x
        columns.append(x)
    return np.array(columns).T


def halves(layers):
    middle = len(layers) // 2
    return halves(layers[middle:]) @ halves(layers[:middle]) if middle else layers[0]


def entry_by_entry(layers):
    W = layers[0].tolist()
    for V in layers[1:]:
        columns = list(zip(*W, strict=True))
        W = [[sum(map(mul, row, column)) for column in columns] for row in V.tolist()]
    return W


def backwards(layers):
    W = np.eye(len(layers[-1]))
    for V in reversed(layers):
        W = W @ V
    return W


RIGHT = {
    "product_of_layers": [
        popping,
        recursive,
        column_by_column,
        halves,
        entry_by_entry,
        backwards,
        lambda layers: reduce(np.matmul, layers[::-1]),
        lambda layers: reduce(lambda W, V: V.dot(W), layers),
        lambda layers: reduce(lambda W, V: np.einsum("ij,jk->ik", V, W), layers),
        lambda layers: (reduce(lambda A, V: A @ V.T, layers[1:], layers[0].T)).T,
        lambda layers: oe.LinearNetwork(tuple(layers)).end_to_end_matrix,
    ],
    "two_best_networks": [
        ((1, 1), (-1, -1)),
        [(2, 0.5), (0.5, 2)],
        np.array([[-3.0, -1 / 3], [1.0, 1.0]]),
        [[10, 0.1], [-10, -0.1]],
        [[100, 0.01], [1, 1]],
        [[3, 0.333], [1, 1]],
        [[Fraction(1, 3), 3], [1, 1]],
        [[sp.Rational(1, 4), 4], [1, 1]],
        [np.array([5, 0.2]), np.array([0.2, 5])],
        [[1 + 0j, 1], [-1, -1]],
        np.array([[2, -2], [0.5, -0.5]]).T,
        np.float32([[8, 0.125], [1, 1]]),
    ],
}
