"""Right answers in unusual form: notebook 05."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp
from scipy.integrate import quad

import overparam_edu as oe


def largest_in_a_loop(c, y, p):
    worst = 0
    for weight, target in zip(c, y, strict=True):
        worst = max(worst, weight * abs(target) ** (p - 2))
    return 2 / worst


def largest_in_place(c, y, p):
    y **= p - 2
    c *= y
    c.sort()
    return 2 / c[-1]


def crawl_by_steps(delta0, eta, p, closer):
    end = delta0 / closer
    return quad(lambda d: 1 / (eta * d ** (p - 1)), end, delta0, epsabs=0, epsrel=1e-12)[0]


def crawl_from_start_to_end(delta0, eta, p, closer):
    speed = eta * delta0 ** (p - 1)
    return delta0 / speed * (closer ** (p - 2) - 1) / (p - 2)


RIGHT = {
    "largest_rate": [
        largest_in_a_loop,
        largest_in_place,
        lambda c, y, p: np.min(2 / (c * np.abs(y) ** (p - 2))),
        lambda c, y, p: 2 / np.linalg.norm(c * y ** (p - 2), np.inf),
        lambda c, y, p: 2 / max(a * b ** (p - 2) for a, b in zip(c, y, strict=True)),
        lambda c, y, p: 2 * np.exp(-np.max(np.log(c) + (p - 2) * np.log(np.abs(y)))),
        lambda c, y, p: np.array(2 / np.max(c * np.abs(y) ** (p - 2))),
        lambda c, y, p: 2 / sorted(c * (y * y) ** (p // 2 - 1))[-1],
        lambda c, y, p: 2 / np.abs(np.diag(c) @ y ** (p - 2)).max(),
        lambda c, y, p: (2 / (c * np.power(y, p - 2))).min(),
        lambda c, y, p: 2 / np.max(c / np.abs(y) ** (2 - p)),
    ],
    "crawl_time": [
        crawl_by_steps,
        crawl_from_start_to_end,
        lambda d, eta, p, k: ((d / k) ** (2 - p) - d ** (2 - p)) / ((p - 2) * eta),
        lambda d, eta, p, k: d ** (2 - p) * (k ** (p - 2) - 1) / (p - 2) / eta,
        lambda d, eta, p, k: (d ** -(p - 2) - (d / k) ** -(p - 2)) / ((2 - p) * eta),
        lambda d, eta, p, k: np.expm1((p - 2) * np.log(k)) / ((p - 2) * eta * d ** (p - 2)),
        lambda d, eta, p, k: np.array((k ** (p - 2) - 1) / ((p - 2) * eta * d ** (p - 2))),
        lambda d, eta, p, k: sp.Float((k ** (p - 2) - 1) / ((p - 2) * eta * d ** (p - 2))),
        lambda *a: (a[3] ** (a[2] - 2) - 1) / ((a[2] - 2) * a[1] * a[0] ** (a[2] - 2)),
        lambda delta0, eta, p, closer: (
            (1 - closer ** (2 - p)) / ((p - 2) * eta * (delta0 / closer) ** (p - 2))
        ),
    ],
    "fair_gain": [
        413 / 109,
        3.79,
        "3.79",
        "about 3.8",
        "3,79",
        "413/109",
        "413:109",
        "3.8x",
        "3.8 times",
        np.float32(3.789),
        Fraction(413, 109),
        sp.Rational(413, 109),
    ],
    "slower_with_depth": [
        oe.SeparableLp((0.5, 0.1), p=2),
        oe.SeparableLp([3.0, 3.0], p=2),
        oe.SeparableLp((1.0, 1.0), p=4),
        oe.SeparableLp((-1.0, -1.0), p=4),
        oe.SeparableLp((1.0, 0.3), 2.5),
        oe.SeparableLp((0.1, 1.0), p=2),
        oe.SeparableLp(np.array([5, 5]), p=2),
        oe.SeparableLp((1.0, -0.1), p=2),
        oe.SeparableLp((1.0, 0.7), p=3),
        oe.SeparableLp((1.0, 0.8), p=4),
        oe.SeparableLp((0.03, 0.03), p=2),
    ],
}
