"""Right answers in unusual form: notebook 04."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad

import overparam_edu as oe

# --- slice_of_the_ring ---


def by_quad(N, r, R, angle):
    a = 2 - 2 / N
    sides = N * (1 - np.cos(angle)) * quad(lambda t: t**a, r, R)[0]
    arcs = (R ** (a + 1) - r ** (a + 1)) * quad(lambda t: -np.sin(t), 0, angle)[0]
    return sides + arcs


def by_green(N, r, R, angle):
    a = 2 - 2 / N
    inside = quad(lambda rho: rho**a, r, R)[0] * quad(np.sin, 0, angle)[0]
    return (N - 1 - a) * inside


def by_the_field(N, r, R, angle):
    def work(at, slope, end):
        def push(t):
            w, v = at(t), slope(t)
            return oe.single_output_direction(w, np.array([1.0, 0.0]), N) @ v

        return quad(push, 0, end, epsabs=1e-12, epsrel=1e-12)[0]

    def unit(t):
        return np.array([np.cos(t), np.sin(t)])

    def turned(t):
        return np.array([-np.sin(t), np.cos(t)])

    out = work(lambda t: (r + t) * unit(0), lambda t: unit(0), R - r)
    outer = work(lambda t: R * unit(t), lambda t: R * turned(t), angle)
    back = work(lambda t: (R - t) * unit(angle), lambda t: -unit(angle), R - r)
    inner = work(lambda t: r * unit(angle - t), lambda t: -r * turned(angle - t), angle)
    return np.array(out + outer + back + inner)


def by_oe_work(N, r, R, angle):
    def curve(t):
        radius = np.interp(t, [0, 0.25, 0.5, 0.75, 1], [r, R, R, r, r])
        phase = np.interp(t, [0, 0.25, 0.5, 0.75, 1], [0, 0, angle, angle, 0])
        return np.stack([np.cos(phase), np.sin(phase)], axis=1) * radius[:, None]

    return oe.work(oe.LinearLoss([1.0, 0.0]), N, curve, breaks=(0.25, 0.5, 0.75)).total


def piece_by_piece(N, r, R, angle):
    pieces, q = [], 3 - 2 / N
    pieces.append(N * (R**q - r**q) / q)
    pieces.append(R ** (q - 1) * (R * np.cos(angle) - R))
    pieces.append(N * np.cos(angle) * (r**q - R**q) / q)
    pieces.append(r ** (q - 1) * (r - r * np.cos(angle)))
    while len(pieces) > 1:
        pieces.append(pieces.pop() + pieces.pop())
    return pieces[0]


def from_half_a_turn(N, r, R, angle):
    half = oe.line_integral(oe.LinearLoss([0.0, 1.0]), N, r, R).total
    return half * (1 - np.cos(angle)) / 2


def of_radii(N, *others):
    *radii, angle = others
    q = (3 * N - 2) / N
    inner, outer = (np.exp(q * np.log(t)) for t in radii)
    return (1 - np.cos(angle)) * (N / q - 1) * (outer - inner)


RIGHT = {
    "slice_of_the_ring": [
        by_quad,
        by_green,
        by_the_field,
        by_oe_work,
        piece_by_piece,
        from_half_a_turn,
        of_radii,
        lambda N, r, R, angle: (
            (1 - np.cos(angle))
            * (R ** (3 - 2 / N) - r ** (3 - 2 / N))
            * ((N - 1) * (N - 2) / (3 * N - 2))
        ),
        lambda N, r, R, angle: (
            2
            * np.sin(angle / 2) ** 2
            * (N / (3 - 2 / N) - 1)
            * np.subtract(R ** (3 - 2 / N), r ** (3 - 2 / N))
        ),
        lambda N, r, R, angle: (
            np.diff(np.array([r, R]) ** (3 - 2 / N))[0]
            * (1 - np.exp(1j * angle).real)
            * ((N * N - 3 * N + 2) / (3 * N - 2))
        ),
        lambda N, r, R, angle: complex(
            (np.cos(angle) - 1)
            * (1 - N / (3 - 2 / N))
            * (R**3 / R ** (2 / N) - r**3 / r ** (2 / N))
        ),
    ],
    "potential_at_two": [
        oe.LinearLoss([1.0, -2.0]),
        oe.QuadraticLoss(3 * np.eye(2)),
        oe.QuadraticLoss([[0.5, 0.0], [0.0, 0.5]], [1.0, -4.0]),
        oe.SeparableLp((0.3, -0.7), p=2),
        oe.LpRegression([[1.0, 0.0], [0.0, 1.0]], [1.0, 0.5], p=2),
        oe.SymbolicLoss("w1 + 2*w2"),
        oe.SymbolicLoss("(w1^2 + w2^2)^2"),
        oe.SymbolicLoss("exp(w1^2 + w2^2) + 3*w2"),
        oe.SymbolicLoss("sqrt(w1^2 + 2*w2^2)"),
        oe.SymbolicLoss("|w1| + |w2|"),
        "w1² + w2² - w1",
        "3 w_1",
        oe.SymbolicLoss("(w1 - 1)^2/2 + (w2 - 1/2)^2/2"),
    ],
    "quiet_loop": [
        oe.SymbolicLoss("|w1 - 1.2| + w2"),
        "|w1 - 1.2| + w2",
        oe.QuadraticLoss([[1.0, 0.5], [0.5, 3.0]], [0.2, 0.1]),
        oe.QuadraticLoss([[1.0, 0.0], [0.0, 0.0]], [2.0, 0.0]),
        oe.LpRegression([[1.0, 0.0], [1.0, 1.0]], [1.0, 0.5], p=2),
        oe.SymbolicLoss("w1^2 + w2"),
        "w1*w2 + w1",
        "cos(w1) + w2",
        "log(1 + exp(w1)) + w2",
        "w1^4 + w2",
        "|w1 + w2 - 1| + w1",
        oe.SymbolicLoss("w1^2*w2^2 + w1 - w2"),
    ],
}
