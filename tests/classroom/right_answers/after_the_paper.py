"""Right answers in unusual form: notebook 10."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp


def bowl_in_its_axes(H, w):
    u = np.asarray(w) / np.sqrt(np.sum(np.square(w)))
    Q = np.array([u, [-u[1], u[0]]])
    turned = Q @ H @ Q.T
    return max(turned[1, 1] / turned[0, 0], 1)


def bowl_by_angle(H, w):
    angle = np.arctan2(w[1], w[0])
    c, s = np.cos(angle), np.sin(angle)
    h = c * c * H[0, 0] + 2 * c * s * H[0, 1] + s * s * H[1, 1]
    k = s * s * H[0, 0] - 2 * c * s * H[0, 1] + c * c * H[1, 1]
    return k / h if k > h else 1.0


def bowl_by_eigenvectors(H, w):
    values, vectors = np.linalg.eigh(H)
    weights = (vectors.T @ w) ** 2 / (w @ w)
    return np.maximum(1, (values @ (1 - weights)) / (values @ weights))


def bowl_in_place(H, w):
    w /= np.linalg.norm(w)
    h = w.dot(H).dot(w)
    H -= h * np.outer(w, w)
    return np.clip(np.trace(H) / h, 1, None)


def bowl_by_a_turn(H, w):
    across = np.array([[0, -1], [1, 0]]) @ w
    return max(1.0, (across @ H @ across) / (w @ H @ w))


def depth_by_factors(w1, omega2):
    c = omega2**2 - np.sum(w1**2)
    S = np.sqrt(c**2 + 4 * omega2**2 * np.sum(w1**2))
    return 2 * S / (S + c)


def depth_by_matrix(w1, omega2):
    K = omega2**2 * np.eye(len(w1)) + np.outer(w1, w1)
    u = w1 / np.linalg.norm(w1)
    return u @ K @ u / omega2**2


def depth_by_loop(w1, omega2):
    total = omega2 * omega2
    for entry in w1:
        total += entry * entry
    return total / (omega2 * omega2)


RIGHT = {
    "layers_for_a_bowl": [
        bowl_in_its_axes,
        bowl_by_angle,
        bowl_by_eigenvectors,
        bowl_in_place,
        bowl_by_a_turn,
        lambda H, w: np.array(max(1.0, np.trace(H) * (w @ w) / (w @ H @ w) - 1)),
        lambda H, w: max(
            1, np.trace(H @ (np.eye(2) - np.outer(w, w) / (w @ w))) * (w @ w) / (w @ H @ w)
        ),
        lambda H, w: [max(1.0, np.trace(H) * (w @ w) / (w @ H @ w) - 1)][0],
        lambda H, w: float(np.fmax(1, (w[::-1] * [1, -1]) @ H @ (w[::-1] * [1, -1]) / (w @ H @ w))),
        lambda H, w: np.sort([1.0, H.trace() / np.einsum("i,ij,j", w, H, w) * w.dot(w) - 1])[-1],
    ],
    "depth_of_two_layers": [
        depth_by_factors,
        depth_by_matrix,
        depth_by_loop,
        lambda w1, omega2: (omega2**2 + np.linalg.norm(w1) ** 2) / omega2**2,
        lambda w1, omega2: np.square(w1 / omega2).sum() + 1,
        lambda w1, omega2: np.array(1 + np.vdot(w1, w1) / omega2**2),
        lambda w1, omega2: np.hypot(1, np.linalg.norm(w1) / omega2) ** 2,
        lambda w1, omega2: float(sum(x**2 for x in [*w1, omega2]) / omega2**2),
        lambda w1, omega2: 1 - (-(w1 @ w1)) * omega2**-2,
        lambda w1, omega2: np.linalg.norm([*w1, omega2]) ** 2 / omega2**2,
    ],
    "wider_start": [
        *(128, 128.0, "128", "128x", "about 128", "128:1", "128,0", Fraction(128), sp.Integer(128)),
        *(np.float64(128), np.array(128.0), 128 + 0j, np.int16(128)),
    ],
}
