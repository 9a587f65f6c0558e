"""Exercises of notebook 03: the preconditioner."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, Property, close
from overparam_edu.dynamics.rule import end_to_end_direction, preconditioner

_RNG = np.random.default_rng(3)
_W, _G = _RNG.standard_normal((2, 2, 3))
_P = preconditioner(_W, 3).matrix


def _sum(r: float, s: float, left: Any, right: Any, terms: Any) -> float:
    return float(sum(r ** left(j) * s ** right(j) for j in terms))


def _amplified(r: float, s: float, N: int) -> float:
    return _sum(r, s, lambda j: 2 * (N - j) / N, lambda j: 2 * (j - 1) / N, range(1, N + 1))


def _all_of(f: Any, sigma: Any, N: int) -> Any:
    return np.sort([f(r, s, N) for r in sigma for s in sigma])


_EIGENVALUE = Exercise(
    name="amplification",
    notebook="03",
    kind="write",
    title="How much is a direction amplified?",
    prompt=(
        "Return the eigenvalue of the preconditioner that belongs to the singular values "
        r"$\sigma_r$ (`a`) and $\sigma_s$ (`b`): $\sum_{j=1}^N "
        r"\sigma_r^{2(N-j)/N}\,\sigma_s^{2(j-1)/N}$, with $0^0 = 1$ (as in Python)."
    ),
    todo="one line will do",
    solution=(
        "def amplification(a, b, N):\n"
        "    return sum(a ** (2 * (N - j) / N) * b ** (2 * (j - 1) / N) for j in range(1, N + 1))"
    ),
    properties=(
        Property("at depth 1 nothing is amplified: 1", lambda f: close(f(3.0, 0.5, 1), 1.0)),
        Property(
            r"for equal singular values it is $N\sigma^{2-2/N}$",
            lambda f: close(f(1.7, 1.7, 5), 5 * 1.7**1.6),
        ),
        Property(
            r"beside a zero it is the other's $\sigma^{2-2/N}$: one output, across $w$",
            lambda f: close(f(2.0, 0.0, 3), 2 ** (4 / 3)) and close(f(0.0, 2.0, 3), 2 ** (4 / 3)),
        ),
        Property(
            "exchanging the two changes nothing", lambda f: close(f(2.0, 0.7, 4), f(0.7, 2.0, 4))
        ),
        Property(
            "all of them are the eigenvalues of the library's preconditioner",
            lambda f: close(
                _all_of(f, (2.0, 0.5), 3),
                np.linalg.eigvalsh(preconditioner(np.diag([2.0, 0.5]), 3).matrix),
            ),
        ),
    ),
    mistakes=(
        Mistake(
            r"The powers are halved: $WW^\top$ has eigenvalues $\sigma^2$.",
            lambda a, b, N: _sum(
                a, b, lambda j: (N - j) / N, lambda j: (j - 1) / N, range(1, N + 1)
            ),
        ),
        Mistake(
            "The powers are not divided by $N$.",
            lambda a, b, N: _sum(
                a, b, lambda j: 2 * (N - j), lambda j: 2 * (j - 1), range(1, N + 1)
            ),
        ),
        Mistake("A sum over the layers, not their mean.", lambda a, b, N: _amplified(a, b, N) / N),
        Mistake(
            "The last term is missing: `range(1, N)` stops before $N$.",
            lambda a, b, N: _sum(
                a, b, lambda j: 2 * (N - j) / N, lambda j: 2 * (j - 1) / N, range(1, N)
            ),
        ),
        Mistake(
            "Off by one in a power: the exponents of one term add up to $2 - 2/N$.",
            lambda a, b, N: _sum(
                a, b, lambda j: 2 * (N - j) / N, lambda j: 2 * j / N, range(1, N + 1)
            ),
        ),
        Mistake(
            "You added the two powers within a term. They are multiplied.",
            lambda a, b, N: float(
                sum(a ** (2 * (N - j) / N) + b ** (2 * (j - 1) / N) for j in range(1, N + 1))
            ),
        ),
        Mistake(
            "That is the middle of the range, $N$ times. The terms differ: sum them one by one.",
            lambda a, b, N: N * (a * b) ** ((N - 1) / N),
        ),
    ),
    hints=(
        "There are $N$ terms, $j = 1, \\dots, N$.",
        "Term $j$: `a ** (2*(N-j)/N) * b ** (2*(j-1)/N)`.",
    ),
    praise="Large singular values meet a larger learning rate: depth trusts where it has been.",
    probes=((2.0, 0.7, 2), (1.3, 0.4, 3), (0.6, 1.9, 4)),
)


def _applied(P: Any, G: Any, first: str, second: str) -> Any:
    return (P @ G.ravel(order=first)).reshape(G.shape, order=second)


_VEC = Exercise(
    name="apply_preconditioner",
    notebook="03",
    kind="write",
    title="Columns or rows?",
    prompt=(
        r"`P` acts on $\mathrm{vec}(G)$, which stacks the **columns** of $G$. Return the matrix "
        'that results, in the shape of `G`. (NumPy stacks rows unless told `order="F"`.)'
    ),
    solution=(
        'def apply_preconditioner(P, G):\n    stacked = G.ravel(order="F")\n'
        '    return (P @ stacked).reshape(G.shape, order="F")'
    ),
    properties=(
        Property(
            "it is the end-to-end rule",
            lambda f: close(f(_P, _G), end_to_end_direction(_W, _G, 3)),
        ),
        Property("the identity gives `G` back", lambda f: close(f(np.eye(6), _G), _G)),
        Property(
            "it is linear in `G`", lambda f: close(f(_P, _G + 2 * _W), f(_P, _G) + 2 * f(_P, _W))
        ),
    ),
    mistakes=(
        Mistake(
            "You stacked rows. The eigenvectors are for stacked columns.",
            lambda P, G: _applied(P, G, "C", "C"),
        ),
        Mistake(
            "Columns went in; on the way out you laid them as rows.",
            lambda P, G: _applied(P, G, "F", "C"),
        ),
        Mistake(
            "The way out is right; on the way in rows were stacked.",
            lambda P, G: _applied(P, G, "C", "F"),
        ),
        Mistake(
            "Only the diagonal of `P` was used: it mixes entries.",
            lambda P, G: _applied(np.diag(np.diag(P)), G, "F", "F"),
        ),
        Mistake(
            "The preconditioner multiplies the gradient; you solved with it.",
            lambda P, G: _applied(np.linalg.inv(P), G, "F", "F"),
        ),
        Mistake(
            "The sign is that of the direction, not of the step.",
            lambda P, G: -_applied(P, G, "F", "F"),
        ),
        Mistake(
            "This gives the stacked vector: shape it back.", lambda P, G: P @ G.ravel(order="F")
        ),
    ),
    hints=(
        '`G.ravel(order="F")` stacks columns.',
        'Shape back with `.reshape(G.shape, order="F")`.',
    ),
    praise="Every wrong order gives a matrix that looks plausible: this is why a check "
    "is worth having.",
    probes=((_P, _G), (_P, _W)),
)


def _spread(W: Any) -> float:
    values = preconditioner(W, 3).eigenvalues
    return float(values.max() / values.min())


def _matrix(W: Any) -> Any:
    return np.asarray(W, float)


_PLAIN = Exercise(
    name="harmless_matrix",
    notebook="03",
    kind="find a counterexample",
    title="Where depth changes nothing but the learning rate",
    prompt=(
        r"“Depth always bends the gradient.” Find a counterexample: a 2 × 2 matrix $W\neq0$, **no "
        "multiple of the identity**, at which depth 3 multiplies every gradient $G$ by the same "
        "number."
    ),
    todo="[[a, b], [c, d]]",
    solution="harmless_matrix = [[0.6, -0.8], [0.8, 0.6]]  # a rotation",
    properties=(
        Property("it is a 2 × 2 matrix", lambda W: _matrix(W).shape == (2, 2)),
        Property(
            "it is no multiple of the identity",
            lambda W: not np.allclose(_matrix(W), _matrix(W)[0, 0] * np.eye(2)),
        ),
        Property(
            "all eigenvalues of the preconditioner are equal, and above 0",
            lambda W: np.isfinite(_spread(_matrix(W))) and _spread(_matrix(W)) < 1 + 1e-3,
        ),
    ),
    mistakes=(
        Mistake("At $W = 0$ nothing moves at all.", [[0, 0], [0, 0]]),
        Mistake(
            "Right, but too easy: this one is a multiple of the identity.",
            [[1, 0], [0, 1]],
            lambda W: (
                _matrix(W).shape == (2, 2)
                and np.allclose(_matrix(W), _matrix(W)[0, 0] * np.eye(2))
                and np.any(_matrix(W))
            ),
        ),
        Mistake(
            "This matrix has rank 1: directions across it are hardly amplified at all.",
            [[1, 1], [1, 1]],
            lambda W: (
                _matrix(W).shape == (2, 2)
                and np.linalg.svd(_matrix(W))[1][1] < 1e-9 * np.linalg.norm(_matrix(W))
            ),
        ),
        Mistake("A 2 × 2 matrix is asked for.", [1.0, 1.0], lambda W: _matrix(W).shape != (2, 2)),
        Mistake(
            "Diagonal, but its singular values differ, so directions are amplified differently.",
            [[2, 0], [0, 1]],
            lambda W: np.allclose(_matrix(W), np.diag(np.diag(_matrix(W)))),
        ),
        Mistake(
            "A symmetric matrix is not enough. Compute its singular values: they must be equal.",
            [[2, 1], [1, 2]],
            lambda W: np.allclose(_matrix(W), _matrix(W).T),
        ),
        Mistake(
            "The singular values must be equal. Which matrices stretch all directions alike?",
            [[1, 1], [0, 1]],
            lambda W: _spread(_matrix(W)) > 1 + 1e-3,
        ),
    ),
    hints=(
        "The eigenvalues depend on the singular values alone. When are all of them equal?",
        "Matrices with equal singular values: multiples of rotations and reflections.",
    ),
    praise="A rotation: its singular values are all equal, so depth only changes the "
    "learning rate.",
)

_RATIO = Exercise(
    name="widest_ratio",
    notebook="03",
    kind="predict",
    title="The most and the least amplified",
    prompt=(
        "$W$ is 2 × 2 with singular values 4 and 1, and $N = 2$. What is the largest eigenvalue "
        "of the preconditioner divided by the smallest?"
    ),
    todo="your guess: a number",
    solution="widest_ratio = 4",
    properties=(
        Property(
            "the ratio, from `oe.preconditioner`",
            lambda x: close(
                float(x),
                np.divide(*preconditioner(np.diag([4.0, 1.0]), 2).eigenvalues[[0, 3]]),
                0.02,
            ),
        ),
    ),
    mistakes=(
        Mistake(r"At $N=2$ the powers are $\sigma^{2-2/N} = \sigma^1$, not $\sigma^2$.", 16),
        Mistake(r"At $N=2$ the powers are $\sigma^1$, not $\sqrt\sigma$.", 2),
        Mistake("That is the largest eigenvalue itself, $4 + 4$. Divide by the smallest.", 8),
        Mistake("That would be no bending at all; the singular values differ.", 1),
        Mistake("Largest and smallest both have two terms: $4+4$ over what?", 5),
        Mistake("You compared the largest with the mixed direction. The smallest is $1+1$.", 1.6),
        Mistake("The other way round: largest divided by smallest.", 0.25),
    ),
    hints=(r"At $N=2$ the eigenvalues are $\sigma_r + \sigma_s$.", "They are 8, 5, 5 and 2."),
    praise="At depth $N$ the ratio is $(\\sigma_1/\\sigma_2)^{2-2/N}$: it tends to the square.",
)

EXERCISES = (_EIGENVALUE, _VEC, _PLAIN, _RATIO)
