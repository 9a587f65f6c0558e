"""Right answers in unusual form: notebook 06."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp

import overparam_edu as oe


def gradient_example_by_example(X, y, w, p):
    g = np.zeros(len(w))
    for x, target in zip(X, y, strict=True):
        r = x @ w - target
        g += np.sign(r) * abs(r) ** (p - 1) * x
    return list(g / len(X))


def gradient_in_place(X, y, w, p):
    y -= X @ w
    y *= -(np.abs(y) ** (p - 2))
    y /= y.size
    return y @ X


def gradient_by_complex_steps(X, y, w, p):
    def value(w):
        return np.mean(((X @ w - y) ** 2) ** (p / 2)) / p

    return [value(w + 1e-20j * e).imag / 1e-20 for e in np.eye(len(w))]


def fair_in_loops(losses):
    best = float("inf")
    for rate in losses.T:
        if not any(value != value for value in rate):
            best = min(best, sum(rate) / len(rate))
    return best


def fair_in_place(losses):
    losses[np.isnan(losses)] = np.inf
    return losses.mean(axis=0).min()


def fair_by_masked_columns(losses):
    means = np.ma.masked_invalid(losses.sum(axis=0) / losses.shape[0])
    return means.min()


def regression(X, y):
    return oe.LpRegression(X, y, p=2)


RIGHT = {
    "mean_gradient": [
        gradient_example_by_example,
        gradient_in_place,
        gradient_by_complex_steps,
        lambda X, y, w, p: oe.LpRegression(X, y, p, reduction="mean").gradient(w),
        lambda X, y, w, p: (np.sign(X @ w - y) * np.abs(X @ w - y) ** (p - 1)) @ X / len(y),
        lambda X, y, w, p: np.mean((np.abs(X @ w - y) ** (p - 2) * (X @ w - y))[:, None] * X, 0),
        lambda X, y, w, p: -X.T @ (((y - X @ w) ** 2) ** (p / 2 - 1) * (y - X @ w)) / X.shape[0],
        lambda X, y, w, p: np.einsum(
            "ni,n->i", X, np.abs(r := X @ w - y) ** (p - 1) * np.where(r < 0, -1, 1) / len(r)
        ),
        lambda X, y, w, p: np.average(
            X.T * np.sign(X @ w - y) * np.abs(X @ w - y) ** (p - 1), axis=1
        ),
        lambda X, y, w, p: tuple(
            np.mean(column * np.copysign(np.abs(X @ w - y) ** (p - 1), X @ w - y)) for column in X.T
        ),
        lambda X, y, w, p: (X / len(y)).T @ (np.abs(X @ w - y) ** (p - 2) * (X @ w - y)),
    ],
    "gain_in_least_squares": [
        regression([[0.1, 0], [0, 1]], [0.1, 0]),
        regression([[0.3, 0], [0, 1]], [0.3, 0.1]),
        regression([[0.2, 0], [0, 1]], [0.2, 0.1]),
        regression([[1, 0], [0, 0.1]], [0.05, 0.1]),
        regression(np.diag([0.1, 1.0]), [-0.1, -0.05]),
        regression(np.diag([1.0, 10.0]), [1.0, 0.5]),
        regression([[0.2, 0], [0, 1], [0, 1]], [0.2, 0.05, 0.05]),
        regression([[0, 1], [0.1, 0]], [0.05, 0.1]),
        regression([[-0.1, 0], [0, 1]], [-0.1, 0.05]),
        oe.LpRegression([[0.1, 0], [0, 1]], [0.1, 0.05], 2, reduction="mean"),
        regression(np.vstack([np.diag([0.1, 1.0]), np.zeros((3, 2))]), [0.1, 0.05, 1, -2, 3]),
    ],
    "fair_loss": [
        fair_in_loops,
        fair_in_place,
        fair_by_masked_columns,
        lambda L: L[:, ~np.isnan(L).any(axis=0)].mean(axis=0).min(),
        lambda L: np.nanmin(np.sum(L, axis=0)) / len(L),
        lambda L: np.sort(L.mean(axis=0))[0],
        lambda L: np.nanmin(np.ones(len(L)) @ L / len(L)),
        lambda L: min(m for m in L.mean(0) if m == m),
        lambda L: L.mean(0)[np.nanargmin(L.mean(0))],
        lambda L: np.fmin.reduce(np.average(L, axis=0)),
        lambda L: np.nan_to_num(L, nan=1e9).mean(axis=0).min(),
        lambda L: np.array(np.nanmin(L.T.mean(axis=1))),
    ],
    "gain_at_two": [
        0.8,
        0.9,
        "0.8",
        "0,8",
        "about 0.8",
        "0.8x",
        "4:5",
        "4/5",
        ".85",
        Fraction(4, 5),
        sp.Rational(9, 10),
        np.float32(0.8),
        np.array(0.75),
    ],
}
