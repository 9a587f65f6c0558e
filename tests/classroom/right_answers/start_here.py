"""Right answers in unusual form: notebook 00."""

from __future__ import annotations

from functools import reduce

import numpy as np


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


RIGHT = {
    "product_of_layers": [
        popping,
        recursive,
        column_by_column,
        lambda layers: reduce(np.matmul, layers[::-1]),
        lambda layers: reduce(lambda W, V: V.dot(W), layers),
    ]
}
