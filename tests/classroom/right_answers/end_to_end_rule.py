"""Right answers in unusual form: notebook 02."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp

import overparam_edu as oe

# --- layerwise_rule ---


def by_singular_values(W, G, rates):
    N = len(rates)
    U, s, V = np.linalg.svd(W)
    left, right = np.zeros(len(U)), np.zeros(len(V))
    left[: len(s)] = right[: len(s)] = s
    factors = sum(
        r * np.outer(left ** (2 * (N - j) / N), right ** (2 * (j - 1) / N))
        for j, r in enumerate(rates, 1)
    )
    return U @ (factors * (U.T @ G @ V.T)) @ V


def by_layers(W, G, rates):
    net = oe.balanced_network(W, len(rates))
    total = np.zeros_like(W)
    for j, rate in enumerate(rates):
        layers = list(net.weights)
        layers[j] = rate * net.layer_gradients(G)[j]
        total += oe.LinearNetwork(tuple(layers)).end_to_end_matrix
    return total


def by_hand(W, G, rates):
    layers = oe.balanced_network(W, len(rates)).weights
    total = 0 * W
    for j, rate in enumerate(rates):
        right = np.eye(W.shape[1])
        for V in layers[:j]:
            right = V @ right
        if j == len(rates) - 1:
            left = np.eye(W.shape[0])
        else:
            left = layers[j + 1]
            for V in layers[j + 2 :]:
                left = V @ left
        total = total + rate * left @ left.T @ G @ right.T @ right
    return total


def popping(W, G, rates):
    N, total = len(rates), np.zeros(W.shape)
    while rates:
        j = len(rates)
        total += rates.pop() * power(W @ W.T, (N - j) / N) @ G @ power(W.T @ W, (j - 1) / N)
    return total


def power(S, exponent):
    values, vectors = np.linalg.eigh(S)
    return (vectors * values.clip(0) ** exponent) @ vectors.T


def power_by_svd(S, exponent):
    U, s, _ = np.linalg.svd(S, hermitian=True)
    s[s < 1e-12] = 0
    return np.einsum("ij,j,kj->ik", U, s**exponent, U)


def recursive(W, G, rates, j=1):
    if j > len(rates):
        return 0
    N = len(rates)
    term = rates[j - 1] * power(W @ W.T, 1 - j / N) @ G @ power(W.T @ W, (j - 1) / N)
    return term + recursive(W, G, rates, j + 1)


def in_place(W, G, rates):
    N, A, B = len(rates), W @ W.T, W.T @ W
    for j, rate in enumerate(rates):
        W[:] = 0 if not j else W
        W += rate * power_by_svd(A, (N - 1 - j) / N) @ G @ power_by_svd(B, j / N)
    return W


def kronecker(W, G, rates):
    N = len(rates)
    P = sum(
        r * np.kron(power(W @ W.T, (N - j) / N), power(W.T @ W, (j - 1) / N))
        for j, r in enumerate(rates, 1)
    )
    return (P @ G.ravel()).reshape(G.shape)


def backwards(W, G, rates):
    N = len(rates)
    pairs = ((i / N, (N - 1 - i) / N) for i in range(N))
    return sum(
        r * power(W @ W.T, a) @ (G @ power(W.T @ W, b))
        for r, (a, b) in zip(rates[::-1], pairs, strict=True)
    ).tolist()


def transposed(W, G, rates):
    N = len(rates)
    terms = [
        power(W.T @ W, j / N) @ G.T @ power(W @ W.T, (N - 1 - j) / N) * rates[j] for j in range(N)
    ]
    return np.sum(terms, axis=0).T


# --- single_rule ---


def normalised_in_place(w, g, N):
    n = np.linalg.norm(w)
    w /= n
    g += (N - 1) * (w @ g) * w
    g *= n ** (2 - 2 / N)
    return g


def by_projector(w, g, N):
    P = np.outer(w, w) / (w @ w)
    return np.linalg.norm(w) ** (2 - 2 / N) * (np.eye(len(w)) + (N - 1) * P) @ g


def along_and_across(w, g, N):
    along = w * (w @ g) / (w @ w)
    return np.linalg.norm(w) ** (2 - 2 / N) * (N * along + (g - along))


def entry_by_entry(w, g, N):
    square = sum(x * x for x in w)
    inner = sum(x * y for x, y in zip(w, g, strict=True))
    return [
        square ** (1 - 1 / N) * (y + (N - 1) * inner / square * x)
        for x, y in zip(w, g, strict=True)
    ]


RIGHT = {
    "layerwise_rule": [
        by_singular_values,
        by_layers,
        by_hand,
        popping,
        recursive,
        in_place,
        kronecker,
        backwards,
        transposed,
        lambda W, G, rates: np.sum(
            [
                np.linalg.multi_dot(
                    [power(W @ W.T, 1 - (j + 1) / len(rates)), G, power(W.T @ W, j / len(rates))]
                )
                * rates[j]
                for j in range(len(rates))
            ],
            0,
        ),
    ],
    "single_rule": [
        normalised_in_place,
        by_projector,
        along_and_across,
        entry_by_entry,
        oe.single_output_direction,
        lambda w, g, N: sum(oe.split_direction(w, g, N)),
        lambda w, g, N: (w @ w) ** (1 - 1 / N) * g + (N - 1) * (w @ w) ** (-1 / N) * (w @ g) * w,
        lambda w, g, N: (
            np.power(np.sqrt(np.sum(w**2)), 2 - 2 / N)
            * (g + (N - 1) * np.vdot(w, g) / np.vdot(w, w) * w)
        ),
        lambda w, g, N: np.einsum(
            "i,ij->j",
            g,
            (np.eye(w.size) + (N - 1) * np.outer(w, w) / w.dot(w)) * w.dot(w) ** (1 - 1 / N),
        ),
        lambda w, g, N: tuple(
            float(x)
            for x in np.linalg.norm(w) ** (2 - 2 / N) * (g + (N - 1) * np.dot(g, w) * w / (w @ w))
        ),
        lambda w, g, N: np.exp((1 - 1 / N) * np.log(w @ w)) * (g + w * (N - 1) * (w @ g) / (w @ w)),
        lambda w, g, N: (
            np.linalg.norm(w) ** (2 * (N - 1) / N)
            * (g - (1 - N) * np.linalg.lstsq(w[:, None], g, rcond=None)[0] * w)
        ),
    ],
    "unbalanced_start": [
        oe.LinearNetwork(([[1, 0]], [[5]])),
        oe.LinearNetwork(([[3.0, 4.0]], [[-0.5]])),
        oe.LinearNetwork(([[1.0, 2.0]], [[0.0]])),
        oe.LinearNetwork(([[0.0, 0.0]], [[1.0]])),
        oe.LinearNetwork(([[1.0, 0.0], [0.0, 1.0]], [[4.0, -3.0]])),
        oe.LinearNetwork((np.ones((7, 2)), np.full((1, 7), 9.0))),
        oe.LinearNetwork(([[1e-3, 0]], [[1]])),
        oe.near_zero_network((2, 40, 1), 0.3, rng=0),
        oe.LinearNetwork((np.array([[0.1, 0.0]]), np.array([[100.0]]))),
        ([[1.0, 2.0]], [[9.0]]),
        [np.array([[1, 0]]), np.array([[5]])],
        oe.identity_network((2, 2, 1), 3.0, rng=1),
    ],
    "width_factor": [
        *(1, 1.0, "1", "1x", "about 1", "1:1", "1.0 times", Fraction(1), sp.Integer(1)),
        *(np.float64(1), np.array(1.0), 1 + 0j, np.int8(1)),
    ],
}
