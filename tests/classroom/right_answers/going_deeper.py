"""Right answers in unusual form: notebook 07."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp

import overparam_edu as oe


def entry_by_entry(d, N, scale, seed):
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(N):
        W = np.zeros((d, d))
        for i in range(d):
            for j in range(d):
                W[i, j] = (i == j) + rng.normal(0, scale)
        layers.append(W)
    return layers


def onto_the_diagonal(d, N, scale, seed):
    layers = scale * np.random.default_rng(seed).standard_normal((N, d, d))
    layers[:, range(d), range(d)] += 1
    return layers


def last_layer_first(d, N, scale, seed):
    rng = np.random.default_rng(seed)
    layers = []
    while len(layers) < N:
        layers.insert(0, np.identity(d) + rng.normal(scale=scale, size=(d, d)))
    return layers


def factor_by_the_chain_rule(scale, N):
    slopes = [np.prod(np.delete(np.full(N, scale), j)) for j in range(N)]
    return np.dot(slopes, slopes)


def factor_of_a_network(scale, N):
    network = oe.LinearNetwork(tuple([[scale]] for _ in range(N)))
    slopes = network.layer_gradients([[1.0]])
    return sum(float(slope[0, 0]) ** 2 for slope in slopes)


RIGHT = {
    "identity_layers": [
        entry_by_entry,
        onto_the_diagonal,
        last_layer_first,
        lambda d, N, s, seed: (
            np.eye(d) + s * np.random.default_rng(seed).standard_normal((N, d, d))
        ),
        lambda d, N, s, seed: list(np.random.default_rng(seed).normal(np.eye(d), s, (N, d, d))),
        lambda d, N, s, seed: [
            np.eye(d) - s * E for E in np.random.default_rng(seed).standard_normal((N, d, d))
        ],
        lambda d, N, s, seed: tuple(
            s * E.T + np.diag(np.ones(d))
            for E in np.random.default_rng(seed).standard_normal((N, d, d))
        ),
        lambda d, N, s, seed: [
            E.reshape(d, d) * s + np.eye(d)
            for E in np.random.default_rng(seed).standard_normal(N * d * d).reshape(N, -1)
        ],
        lambda d, N, s, seed: (
            np.random.default_rng(seed).normal(size=(N, d, d)) * s + np.eye(d)
        ).tolist(),
        lambda d, N, s, seed: (
            np.eye(d)[:, :, None] + s * np.random.default_rng(seed).standard_normal((d, d, N))
        ).transpose(2, 0, 1),
        lambda d, N, s, seed: (
            np.split(
                np.tile(np.eye(d), (N, 1)) + np.random.default_rng(seed).normal(0, s, (N * d, d)), N
            )
            if N > 1
            else [np.eye(d) + np.random.default_rng(seed).normal(0, s, (d, d))]
        ),
    ],
    "first_step_factor": [
        factor_by_the_chain_rule,
        factor_of_a_network,
        lambda s, N: N * (s**N) ** (2 - 2 / N),
        lambda s, N: N * s ** (N * (2 - 2 / N)),
        lambda s, N: N * (s ** (N - 1)) ** 2,
        lambda s, N: sum(s ** (2 * N - 2) for _ in range(N)),
        lambda s, N: N * np.exp((2 * N - 2) * np.log(s)),
        lambda s, N: N * s ** (2 * N) / s**2,
        lambda s, N: float(oe.single_output_direction([s**N], [1.0], N)[0]),
        lambda s, N: np.array(N * np.float_power(s, 2 * (N - 1))),
        lambda s, N: N / s**2 / s ** (-2 * N),
        lambda s, N: sp.Float(N * s ** (2 * N - 2), 20),
    ],
    "wide_enough": [
        *(100, 120, 150, 110.0, "about 110", "110", Fraction(110), np.int64(105), sp.Integer(99)),
        *(np.array(130), np.float32(140), 100 + 0j, "10e1"),
    ],
    "cure_of_the_stall": [
        *("B", "b", " B ", "(B)", "B)", "B.", "b)", "Option B", "answer b", "(b).", "B:"),
    ],
}
