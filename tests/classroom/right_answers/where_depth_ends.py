"""Right answers in unusual form: notebook 11."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp
from scipy.integrate import quad
from scipy.optimize import brentq

import overparam_edu as oe


def end_by_library(X, y, start):
    return oe.flow_limit(X, y, start, 2)


def end_by_root_finding(X, y, start):
    least = np.linalg.lstsq(X, y, rcond=None)[0]
    mirror = start / np.linalg.norm(start) ** 0.5
    kept = mirror - np.linalg.lstsq(X, X @ mirror, rcond=None)[0]
    excess = lambda R: R**2 - least @ least - R * (kept @ kept)  # noqa: E731
    R = brentq(excess, 1e-9, 1e6, xtol=1e-14, rtol=1e-14)
    return least + kept * R**0.5


def end_by_projection(X, y, start):
    gram = np.linalg.inv(X @ X.T)
    P = np.eye(X.shape[1]) - X.T @ gram @ X
    least, kept = X.T @ gram @ y, P @ start / np.sqrt(np.sqrt(start @ start))
    a = np.sum(kept**2)
    R = max(np.roots([1, -a, -np.sum(least**2)]).real)
    return (least + np.sqrt(R) * kept).tolist()


def end_by_iteration(X, y, start):
    least = np.linalg.pinv(X) @ y
    unseen = start - np.linalg.pinv(X) @ X @ start
    w = least + unseen
    for _ in range(400):
        w = least + unseen * (np.linalg.norm(w) / np.linalg.norm(start)) ** 0.5
    return w


def end_by_null_space(X, y, start):
    basis = np.linalg.svd(X)[2][len(X) :]
    kept = basis @ start / np.linalg.norm(start) ** 0.5
    least = X.T @ np.linalg.solve(X @ X.T, y)
    a, m = kept @ kept, least @ least
    return least + basis.T @ kept * np.sqrt(a / 2 + np.sqrt(a * a / 4 + m))


def end_in_place(X, y, start):
    start /= np.linalg.norm(start) ** 0.5
    start -= np.linalg.pinv(X) @ (X @ start)
    a = start @ start
    y = np.linalg.pinv(X) @ y
    start *= ((a + (a * a + 4 * y @ y) ** 0.5) / 2) ** 0.5
    start += y
    return start


def time_by_quadrature(sigma, s0, q):
    return quad(lambda u: 1 / (2 * (sigma - np.exp(u))), np.log(s0), np.log(q * sigma))[0]


def time_by_odds(sigma, s0, q):
    odds = lambda s: s / (sigma - s)  # noqa: E731
    return np.log(odds(q * sigma) / odds(s0)) / sigma / 2


def time_by_root(sigma, s0, q):
    path = lambda t: 1 / (1 + (sigma / s0 - 1) * np.exp(-2 * sigma * t))  # noqa: E731
    return brentq(lambda t: path(t) - q, 0, 50 / sigma, xtol=1e-13)


RIGHT = {
    "end_at_depth_2": [
        end_by_library,
        end_by_root_finding,
        end_by_projection,
        end_by_iteration,
        end_by_null_space,
        end_in_place,
        lambda X, y, start: oe.flow_limit(X, y, [start], [2.0])[0],
        lambda X, y, start: np.array(end_by_projection(X, y, start)).reshape(1, -1)[0],
        lambda X, y, start: tuple(end_by_null_space(X, y, start)),
        lambda X, y, start: list(map(float, end_by_library(X, y, start))),
    ],
    "time_to_share": [
        time_by_quadrature,
        time_by_odds,
        time_by_root,
        lambda sigma, s0, q: oe.learning_time(sigma, s0, 2, share=q),
        lambda sigma, s0, q: float(oe.learning_time(sigma, s0, 2, share=q)),
        lambda sigma, s0, q: (np.log(sigma / s0 - 1) + np.log(q) - np.log1p(-q)) / (2 * sigma),
        lambda sigma, s0, q: np.arctanh(2 * q - 1) / sigma + np.log(sigma / s0 - 1) / 2 / sigma,
        lambda sigma, s0, q: -np.log((1 / q - 1) / (sigma / s0 - 1)) / (2 * sigma),
        lambda sigma, s0, q: np.log(np.sqrt((sigma - s0) * q / (s0 - s0 * q))) / sigma,
        lambda sigma, s0, q: np.asarray([np.log((sigma / s0 - 1) / (1 / q - 1)) / 2 / sigma])[0],
    ],
    "start_that_helps": [
        [2, 1],
        (3.0, 0.0),
        np.array([0.0, -4.0]),
        [-5, 2],
        [[Fraction(7, 2), Fraction(1, 3)]][0],
        np.float32([2.5, 3.5]),
        [10.0, 10.0],
        sp.Matrix([3, 1]).T.tolist()[0],
        np.linspace(4, 1, 2),
        [1e3, 1e2],
        (np.int64(6), -1),
    ],
}
