"""Right answers in unusual form: notebook 03."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import sympy as sp

import overparam_edu as oe

# --- amplifications ---


def padded(sigma, n):
    return np.pad(sigma, (0, n - len(sigma)))


def by_the_library(sigma, k, d, N):
    W = np.zeros((k, d))
    np.fill_diagonal(W, sigma)
    return np.sort(oe.preconditioner(W, N).eigenvalues)


def by_eigvalsh(sigma, k, d, N):
    A, B = padded(sigma, k) ** (2 / N), padded(sigma, d) ** (2 / N)
    terms = [np.kron(np.diag(B ** (N - j)), np.diag(A ** (j - 1))) for j in range(1, N + 1)]
    return np.linalg.eigvalsh(sum(terms))


def geometric(sigma, k, d, N):
    found = []
    for a, b in product(padded(sigma, k).tolist(), padded(sigma, d).tolist()):
        x, y = a ** (2 / N), b ** (2 / N)
        if abs(x - y) > 1e-6:
            found.append((a * a - b * b) / (x - y))
        else:
            found.append(N * a ** (2 - 2 / N))
    return sorted(found)


def by_polynomial(sigma, k, d, N):
    x, y = padded(sigma, k) ** (2 / N), padded(sigma, d) ** (2 / N)
    pairs = [np.polyval(b ** np.arange(N), a) for a in x for b in y]
    pairs.sort()
    return tuple(pairs)


def horner(sigma, k, d, N):
    x, y = padded(sigma, k)[:, None] ** (2 / N), padded(sigma, d)[None] ** (2 / N)
    total = 0 * x * y
    for j in range(N):
        total = total * x + y**j
    return np.sort(total, axis=None)


def spoiling(sigma, k, d, N):
    sigma **= 2 / N
    full = np.concatenate([sigma, np.zeros(abs(k - d))])
    a, b = full[:k], full[:d]
    table = np.einsum("jr,js->rs", a ** np.arange(N)[:, None], b ** np.arange(N)[::-1, None])
    return np.array(sorted(table.ravel()))


def by_the_rule(sigma, k, d, N):
    W = np.diag(np.r_[sigma, np.zeros(max(k, d) - len(sigma))])[:k, :d]
    found = []
    for n in range(k * d):
        E = np.eye(k * d)[n].reshape(k, d)
        found.append(np.sum(E * oe.end_to_end_direction(W, E, N)))
    return np.sort(found)


def one_by_one(sigma, k, d, N):
    def at(r):
        return sigma[r] if r < len(sigma) else 0.0

    table = [[0.0] * d for _ in range(k)]
    for j, r, s in product(range(N), range(k), range(d)):
        table[r][s] += at(s) ** (2 * j / N) * at(r) ** (2 * (N - 1 - j) / N)
    return sorted(np.ravel(table))


def recursive(sigma, k, d, N):
    def value(x, y, n):
        return 1.0 if n == 1 else x ** (n - 1) + y * value(x, y, n - 1)

    x, y = padded(sigma, k) ** (2 / N), padded(sigma, d) ** (2 / N)
    return sorted([value(a, b, N) for a in x for b in y])


# --- for_stacked_rows ---


def order(k, d):
    return np.arange(k * d).reshape(k, d).ravel(order="F")


def by_index(P, k, d):
    Q = np.empty_like(P)
    Q[np.ix_(order(k, d), order(k, d))] = P
    return Q


def by_permutation(P, k, d):
    K = np.eye(k * d)[order(k, d)]  # K @ G.ravel() stacks columns
    return K.T @ P @ K


def by_inverse(P, k, d):
    K = np.eye(k * d)[order(k, d)]
    return np.linalg.solve(K, P @ K)


def by_axes(P, k, d):
    return P.reshape(d, k, d, k).transpose(1, 0, 3, 2).reshape(k * d, k * d)


def by_einsum(P, k, d):
    return np.einsum("abcd->badc", P.reshape(d, k, d, k)).reshape(P.shape)


def entry_by_entry(P, k, d):
    n = k * d
    Q = [[0.0] * n for _ in range(n)]
    for r, c, s, e in product(range(k), range(d), range(k), range(d)):
        Q[r * d + c][s * d + e] = P[c * k + r, e * k + s]
    return Q


def by_argsort(P, k, d):
    back = np.argsort(order(k, d))
    return P[back][:, back]


def basis(P, k, d):
    Q = np.zeros((k * d, k * d))
    for n in range(k * d):
        E = np.zeros((k, d))
        E.flat[n] = 1
        Q[:, n] = (P @ E.T.ravel()).reshape(d, k).T.ravel()
    return Q


def take(P, k, d):
    back = np.arange(k * d).reshape(d, k).T.ravel()
    return np.take(np.take(P, back, axis=0), back, axis=1)


def swapped(P, k, d):
    return np.swapaxes(np.swapaxes(P.reshape(d, k, d, k), 0, 1), 2, 3).reshape(P.shape)


def in_place(P, k, d):
    back = np.argsort(order(k, d))
    P[:] = P[back]
    P[:] = P[:, back]
    return P


RIGHT = {
    "amplifications": [
        by_the_library,
        by_eigvalsh,
        geometric,
        by_polynomial,
        horner,
        spoiling,
        by_the_rule,
        one_by_one,
        recursive,
        lambda sigma, k, d, N: np.sort(
            sum(
                np.outer(padded(sigma, k) ** (2 - 2 * j / N), padded(sigma, d) ** (2 * (j - 1) / N))
                for j in range(1, N + 1)
            ),
            axis=None,
        ),
        lambda sigma, k, d, N: by_the_library(sigma, d, k, N),
    ],
    "for_stacked_rows": [
        by_index,
        by_permutation,
        by_inverse,
        by_axes,
        by_einsum,
        entry_by_entry,
        by_argsort,
        basis,
        take,
        swapped,
        in_place,
    ],
    "harmless_matrix": [
        [[0, 1], [1, 0]],
        ((0, -1), (1, 0)),
        np.array([[1, 1], [1, -1]]),
        np.diag([3.0, -3.0]),
        [[0, -2], [2, 0]],
        [[0.87, -0.5], [0.5, 0.87]],
        [[np.cos(2), np.sin(2)], [np.sin(2), -np.cos(2)]],
        [[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]],
        sp.Matrix([[1, 2], [-2, 1]]),
        [np.array([1e-3, 2e-3]), [-2e-3, 1e-3]],
        np.linalg.qr(np.array([[1.0, 2.0], [3.0, 5.0]]))[0],
        [[1 + 0j, -1], [1, 1]],
        np.float32([[5, 12], [-12, 5]]),
    ],
    "widest_ratio": [
        *(4, 4.0, "4", "4:1", "4x", "about 4", "8/2", Fraction(4), sp.Integer(4), sp.sqrt(16)),
        *(np.float64(4), np.array(4), 4 + 0j),
    ],
}
