"""Right answers in unusual form: notebook 01."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import sympy as sp

import overparam_edu as oe

# --- two_scalar_step ---


def in_place(w1, omega2, omega3, g, eta):
    slope = w1 @ g
    w1 -= eta * omega2 * omega3 * g
    omega2, omega3 = omega2 - eta * omega3 * slope, omega3 - eta * omega2 * slope
    w1 *= omega2 * omega3
    return w1


def by_layers(w1, omega2, omega3, g, eta):
    net = oe.LinearNetwork((w1[None, :], [[omega2]], [[omega3]]))
    slopes = net.layer_gradients(g[None, :])
    first, second, third = (V - eta * S for V, S in zip(net.weights, slopes, strict=True))
    return (third @ second @ first)[0]


def by_training(w1, omega2, omega3, g, eta):
    net = oe.LinearNetwork((w1[None, :], [[omega2]], [[omega3]]))
    loss = oe.LinearLoss(g)
    return oe.train(net, loss, optimizer=oe.GradientDescent(eta), steps=1).points[-1]


def entry_by_entry(w1, omega2, omega3, g, eta):
    slope = sum(a * b for a, b in zip(w1, g, strict=True))
    scalars = (omega2 - eta * omega3 * slope) * (omega3 - eta * omega2 * slope)
    return [scalars * (a - eta * omega2 * omega3 * b) for a, b in zip(w1, g, strict=True)]


def multiplied_out(w1, a, b, g, eta):
    s = float(np.dot(w1, g))
    scalar = a * b - eta * s * (a**2 + b**2) + eta**2 * s**2 * a * b
    return scalar * w1 - eta * a * b * scalar * g


def by_differences(w1, omega2, omega3, g, eta):
    p = np.array([*w1, omega2, omega3])

    def loss(p):
        return p[:-2] @ g * p[-2] * p[-1]

    slopes = [(loss(p + h) - loss(p - h)) / 2e-4 for h in 1e-4 * np.eye(len(p))]
    q = p - eta * np.array(slopes)
    return q[:-2] * q[-2] * q[-1]


# --- start_weight ---


def recursive(gamma, t):
    def left(s):
        return 1.0 if s == 0 else (1 - gamma[s - 1]) * left(s - 1)

    return left(t) * gamma[t]


def by_the_scalar(gamma, t):
    omega2 = np.concatenate([[1.0], np.cumprod(1 - gamma)])
    return omega2[t] - omega2[t + 1]


def by_the_recursion(gamma, t):
    w = [1.0]
    for one in gamma:
        w.append(w[-1] * (1 - one))
    return w[t] - w[t + 1]


def popping(gamma, t):
    last, left = gamma[t], 1
    for s in range(t):
        left -= left * gamma[s]
    return np.array(left * last)


def spoiling(gamma, t):
    gamma *= -1
    gamma += 1
    return (1 - gamma[t]) * gamma[:t].prod()


RIGHT = {
    "two_scalar_step": [
        in_place,
        by_layers,
        by_training,
        entry_by_entry,
        multiplied_out,
        by_differences,
        lambda w1, a, b, g, eta: (
            np.einsum("i,->i", w1 - eta * a * b * g, (a - eta * b * (w1 @ g)))
            * (b - eta * a * (w1 @ g))
        ),
        lambda w1, a, b, g, eta: tuple(
            (w1 - eta * a * b * g) * (a - eta * b * w1.dot(g)) * (b - eta * a * w1.dot(g))
        ),
        lambda w1, a, b, g, eta: np.prod(
            np.broadcast_arrays(
                w1 - eta * a * b * g, a - eta * b * np.inner(w1, g), b - eta * a * np.inner(w1, g)
            ),
            axis=0,
        ),
        lambda w1, a, b, g, eta: (
            (np.array([a, b]) - eta * np.array([b, a]) * np.sum(w1 * g)).prod()
            * (w1 - eta * np.prod([a, b]) * g)
        ).astype(complex),
    ],
    "two_scalar_coefficients": [
        lambda w1, a, b, g, eta: [eta * (a * b) ** 2, eta * (w1 @ g) * (a**2 + b**2) / (a * b)],
        lambda w1, a, b, g, eta: np.array([(a * b) ** 2, w1.dot(g) * (a / b + b / a)]) * eta,
        lambda w1, a, b, g, eta: (eta * a * a * b * b, np.sum(eta * w1 * g) * (b / a + a / b)),
        lambda w1, a, b, g, eta: (
            np.float64(eta) * np.square(a * b),
            np.array(eta * w1.dot(g) * np.hypot(a, b) ** 2 / (a * b)),
        ),
        lambda w1, a, b, g, eta: (
            eta * a**2 * b**2,
            sum(eta * x * y * k for x, y in zip(w1, g, strict=True) for k in (a / b, b / a)),
        ),
        lambda w1, a, b, g, eta: (
            eta / (1 / a * 1 / b) ** 2,
            eta * np.einsum("i,i", w1, g) * ((a + b) ** 2 - 2 * a * b) / (a * b),
        ),
        lambda w1, a, b, g, eta: (
            (a * b * eta**0.5) ** 2,
            -(1 - eta * b * (w1 @ g) / a + 1 - eta * a * (w1 @ g) / b - 2),
        ),
        lambda w1, a, b, g, eta: tuple(eta * x for x in ((a * b) ** 2, (w1 * (a / b + b / a)) @ g)),
        lambda w1, a, b, g, eta: (eta * abs(a * b) ** 2, (a * a + b * b) * eta * (w1 / a / b) @ g),
        lambda w1, a, b, g, eta: (
            complex(eta * (a * b) ** 2),
            eta * float(np.vdot(w1, g)) * np.sum([a / b, b / a]),
        ),
    ],
    "start_weight": [
        recursive,
        by_the_scalar,
        by_the_recursion,
        popping,
        spoiling,
        lambda gamma, t: prod(1 - gamma[s] for s in range(t)) * gamma[t],
        lambda gamma, t: np.prod(1 - gamma[:t]) - np.prod(1 - gamma[: t + 1]),
        lambda gamma, t: gamma[t] * np.r_[1, np.cumprod(1 - gamma)][t],
        lambda gamma, t: (-gamma[t]) * np.multiply.reduce(gamma[:t] - 1) * (-1) ** (t + 1),
        lambda gamma, t: gamma.tolist()[t] * np.prod([1 - one for one in gamma.tolist()[:t]]),
    ],
    "older_gradient": [
        (1, 2),
        [2, 1],
        np.array([-2.0, -1.5]),
        (1.5, 1),
        (-1, 1),
        (Fraction(3, 2), 1),
        (sp.Integer(2), sp.Rational(3, 4)),
        np.float32([2, 2]),
        (np.float64(1.7), np.int64(1)),
        (2 + 0j, 1),
        (1, -0.1),
    ],
    "steps_kept": [
        *(100, 100.0, "100", "about 100", "100x", "100 times", "1e2", "100:1"),
        *(Fraction(100), sp.Integer(100), np.float32(100), np.array(100), 100 + 0j, "~100"),
    ],
}
