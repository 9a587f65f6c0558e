"""Right answers in unusual form: notebook 08."""

from __future__ import annotations

import numpy as np

import overparam_edu as oe


def count_matrix_by_matrix(outputs, N):
    count = 0
    while outputs:
        n = outputs.pop()
        count += sum(np.zeros((n, n)).size for _ in range(N - 1))
    return count


def fold_by_probing(A, B, c, b):
    def layer(x):
        return A @ (B @ x + c) + b

    bias = layer(np.zeros(B.shape[1]))
    return np.array([layer(e) - bias for e in np.eye(B.shape[1])]).T, bias


def fold_in_place(A, B, c, b):
    b += A @ c
    return [A.dot(B), b]


def fold_bordered(A, B, c, b):
    both = A @ np.column_stack([B, c])
    return both[:, :-1], both[:, -1] + b


def data_in_place(total, pairs, lam):
    while pairs:
        A, B = pairs.pop()
        total -= lam * np.trace(B.T @ A.T @ A @ B) / 2
    return total


def data_entry_by_entry(total, pairs, lam):
    decay = 0.0
    for A, B in pairs:
        for row in A:
            for column in B.T:
                decay += sum(a * b for a, b in zip(row, column, strict=True)) ** 2
    return total - lam * decay / 2


RUNS = oe.recorded_convnet()

RIGHT = {
    "extra_parameters": [
        count_matrix_by_matrix,
        lambda o, N: (N - 1) * np.dot(o, o),
        lambda o, N: (N - 1) * np.sum(np.square(o)),
        lambda o, N: (N - 1) * float(np.linalg.norm(o)) ** 2,
        lambda o, N: sum(n**2 for n in o) * N - sum(n**2 for n in o),
        lambda o, N: sum(sum(n * n for n in o) for _ in range(1, N)),
        lambda o, N: sum(n * n for n in o * (N - 1)),
        lambda o, N: sum((N - 1) * pow(n, 2) for n in reversed(o)),
        lambda o, N: np.array(~-N * sum(n * n for n in o)),
        lambda o, N: int((np.asarray(o, float) ** 2).sum()) * (N - 1),
        lambda o, N: (N - 1) * o[0] ** 2 + (N - 1) * sum(n * n for n in o[1:]) if o else 0,
    ],
    "fold": [
        fold_by_probing,
        fold_in_place,
        fold_bordered,
        lambda A, B, c, b: (A.dot(B), A.dot(c) + b),
        lambda A, B, c, b: ((B.T @ A.T).T, c @ A.T + b),
        lambda A, B, c, b: [np.einsum("ij,jk->ik", A, B), np.einsum("ij,j->i", A, c) + b],
        lambda A, B, c, b: ((A @ B).tolist(), list(A @ c + b)),
        lambda A, B, c, b: (np.matmul(A, B), b - A @ -c),
        lambda A, B, c, b: (np.tensordot(A, B, 1), np.inner(A, c) + b),
        lambda A, B, c, b: (sum(np.outer(u, v) for u, v in zip(A.T, B)), np.sum(A * c, axis=1) + b),  # noqa: B905
        lambda A, B, c, b: (
            np.array([B.T @ row for row in A]),
            np.array([row @ c for row in A]) + b,
        ),
    ],
    "data_term": [
        data_in_place,
        data_entry_by_entry,
        lambda t, ps, lam: t - lam / 2 * sum(np.linalg.norm(A @ B) ** 2 for A, B in ps),
        lambda t, ps, lam: t - lam / 2 * sum(np.trace((A @ B) @ (A @ B).T) for A, B in ps),
        lambda t, ps, lam: t - 0.5 * lam * np.sum([np.sum(np.square(A.dot(B))) for A, B in ps]),
        lambda t, ps, lam: t - lam * sum(np.vdot(A @ B, A @ B) for A, B in ps) / 2,
        lambda t, ps, lam: (
            t - lam / 2 * sum((np.linalg.svd(A @ B, compute_uv=False) ** 2).sum() for A, B in ps)
        ),
        lambda t, ps, lam: t - sum(lam / 2 * np.einsum("ij,ij", A @ B, A @ B) for A, B in ps),
        lambda t, ps, lam: t - lam / 2 * sum(np.sum((A.T @ A) * (B @ B.T)) for A, B in ps),
        lambda t, ps, lam: np.array(t - lam / 2 * sum(((p[0] @ p[1]) ** 2).sum() for p in ps)),
        lambda t, ps, lam: t - lam / 2 * sum(np.sum(np.abs(np.matmul(*pair)) ** 2) for pair in ps),
    ],
    "falls_but_worse": [
        ("product", 700, 800),
        ["product", 1600, 1700],
        ("original", 1200, 1300),
        ("factors", 2200, 2300),
        ("product", np.int64(2300), np.int64(2400)),
        ("product", *RUNS.steps[[6, 7]]),
        ("factors", 700.0, 800.0),
        (RUNS.networks[2], 700, 800),
        np.array(["product", 700, 800], dtype=object),
        (np.str_("product"), 2600, 2700),
        ("original", 4100, 4200),
        ("product", *np.array([700, 800])),
    ],
}
