"""Exercises of notebook 03: the preconditioner."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.dynamics.rule import end_to_end_direction, preconditioner

_RNG = np.random.default_rng(3)
_W, _G = _RNG.standard_normal((2, 2, 3))
_P = preconditioner(_W, 3).matrix


def _amplified(a: float, b: float, N: int, scale: float = 2, start: float = 0) -> Any:
    """Return the eigenvalue, with exponents that are scaled or begin at `start`."""
    return sum(a ** (scale * (N - 1 - j) / N) * b ** (scale * (j + start) / N) for j in range(N))


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
    properties={
        "at depth 1 nothing is amplified: 1": lambda f: close(f(3.0, 0.5, 1), 1.0),
        r"for equal singular values it is "
        r"$N\sigma^{2-2/N}$": lambda f: close(f(1.7, 1.7, 5), 5 * 1.7**1.6),
        r"beside a zero it is the other's $\sigma^{2-2/N}$: "
        r"one output, across $w$": lambda f: (
            close(f(2.0, 0.0, 3), 2 ** (4 / 3)) and close(f(0.0, 2.0, 3), 2 ** (4 / 3))
        ),
        "exchanging the two changes nothing": lambda f: close(f(2.0, 0.7, 4), f(0.7, 2.0, 4)),
        "all of them are the eigenvalues of the library's preconditioner": lambda f: close(
            _all_of(f, (2.0, 0.5), 3),
            np.linalg.eigvalsh(preconditioner(np.diag([2.0, 0.5]), 3).matrix),
        ),
    },
    mistakes={
        r"The powers are halved: $WW^\top$ has eigenvalues "
        r"$\sigma^2$.": lambda a, b, N: _amplified(a, b, N, scale=1),
        "The powers are not divided by $N$.": lambda a, b, N: _amplified(a, b, N, scale=2 * N),
        "A sum over the layers, not their mean.": lambda a, b, N: _amplified(a, b, N) / N,
        "The last term is missing: `range(1, N)` stops before $N$.": lambda a, b, N: (
            _amplified(a, b, N) - b ** (2 * (N - 1) / N)
        ),
        "Off by one in a power: the exponents of one term add up to $2 - 2/N$.": lambda a, b, N: (
            _amplified(a, b, N, start=1)
        ),
        "You added the two powers within a term. They are multiplied.": lambda a, b, N: float(
            sum(a ** (2 * (N - j) / N) + b ** (2 * (j - 1) / N) for j in range(1, N + 1))
        ),
        "That is the middle of the range, $N$ times. The terms differ: "
        "sum them one by one.": lambda a, b, N: N * (a * b) ** ((N - 1) / N),
    },
    hints=(
        r"There are $N$ terms, $j = 1, \dots, N$.",
        "Term $j$: `a ** (2*(N-j)/N) * b ** (2*(j-1)/N)`.",
    ),
    praise="Large singular values meet a larger learning rate: depth trusts where it has been.",
    probes=((2.0, 0.7, 2), (1.3, 0.4, 3), (0.6, 1.9, 4)),
)


def _applied(P: Any, G: Any, first: Any = "F", second: Any = "F") -> Any:
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
    properties={
        "it is the end-to-end rule": lambda f: close(f(_P, _G), end_to_end_direction(_W, _G, 3)),
        "the identity gives `G` back": lambda f: close(f(np.eye(6), _G), _G),
        "it is linear in `G`": lambda f: close(f(_P, _G + 2 * _W), f(_P, _G) + 2 * f(_P, _W)),
    },
    mistakes={
        "You stacked rows. The eigenvectors are for stacked columns.": lambda P, G: _applied(
            P, G, "C", "C"
        ),
        "You stacked columns on the way in, but rows on the way out.": lambda P, G: _applied(
            P, G, "F", "C"
        ),
        "You stacked rows on the way in, but columns on the way out.": lambda P, G: _applied(
            P, G, "C", "F"
        ),
        "Only the diagonal of `P` was used: it mixes entries.": lambda P, G: _applied(
            np.diag(np.diag(P)), G
        ),
        "The preconditioner multiplies the gradient; you used its inverse.": lambda P, G: _applied(
            np.linalg.inv(P), G
        ),
        "The sign: the direction is asked for, not the step.": lambda P, G: -_applied(P, G),
        "That is still the stacked vector: give it the shape of `G`.": lambda P, G: (
            P @ G.ravel(order="F")
        ),
    },
    hints=(
        '`G.ravel(order="F")` stacks columns.',
        'Shape back with `.reshape(G.shape, order="F")`.',
    ),
    praise="Every wrong order gives a plausible matrix: that is why a check is worth having.",
    probes=((_P, _G), (_P, _W)),
)


def _spread(W: Any) -> float:
    values = preconditioner(np.asarray(W, float), 3).eigenvalues
    return float(values.max() / values.min())


def _is_square(W: Any) -> bool:
    return bool(np.shape(W) == (2, 2))


def _is_multiple(W: Any) -> bool:
    return bool(np.allclose(W, W[0][0] * np.eye(2)))


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
    properties={
        "it is a 2 × 2 matrix": _is_square,
        "it is no multiple of the identity": lambda W: not _is_multiple(W),
        "all eigenvalues of the preconditioner are equal, and above 0": lambda W: (
            np.isfinite(_spread(W)) and _spread(W) < 1 + 1e-3
        ),
    },
    mistakes={
        "At $W = 0$ nothing moves at all.": [[0, 0], [0, 0]],
        "Right, but too easy: this one is a multiple of the identity.": Mistake(
            [[1, 0], [0, 1]], lambda W: _is_square(W) and _is_multiple(W) and np.any(W)
        ),
        "This matrix has rank 1: directions across it are hardly amplified at all.": Mistake(
            [[1, 1], [1, 1]],
            lambda W: _is_square(W) and np.linalg.svd(W)[1][1] < 1e-9 * np.linalg.norm(W),
        ),
        "A 2 × 2 matrix is asked for.": Mistake([1.0, 1.0], lambda W: not _is_square(W)),
        "Diagonal, but its singular values differ, "
        "so directions are amplified differently.": Mistake(
            [[2, 0], [0, 1]], lambda W: np.allclose(W, np.diag(np.diag(W)))
        ),
        "A symmetric matrix is not enough. Compute its singular values: they must be "
        "equal.": Mistake([[2, 1], [1, 2]], lambda W: np.allclose(W, np.transpose(W))),
        "The singular values must be equal. Which matrices stretch all directions alike?": Mistake(
            [[1, 1], [0, 1]], lambda W: _spread(W) > 1 + 1e-3
        ),
    },
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
    solution="widest_ratio = 4",
    properties={
        "the ratio, from `oe.preconditioner`": lambda x: close(
            float(x),
            np.divide(*preconditioner(np.diag([4.0, 1.0]), 2).eigenvalues[[0, 3]]),
            0.02,
        ),
    },
    mistakes={
        r"At $N=2$ the powers are $\sigma^{2-2/N} = \sigma^1$, not $\sigma^2$.": 16,
        r"At $N=2$ the powers are $\sigma^1$, not $\sqrt\sigma$.": 2,
        "That is the largest eigenvalue itself, $4 + 4$. Divide by the smallest.": 8,
        "That would be no bending at all; the singular values differ.": 1,
        "Largest and smallest both have two terms: $4+4$ over what?": 5,
        "You compared the largest with the mixed direction. The smallest is $1+1$.": 1.6,
        "The other way round: largest divided by smallest.": 0.25,
    },
    hints=(r"At $N=2$ the eigenvalues are $\sigma_r + \sigma_s$.", "They are 8, 5, 5 and 2."),
    praise=r"At depth $N$ the ratio is $(\sigma_1/\sigma_2)^{2-2/N}$: it tends to the square.",
)

EXERCISES = (_EIGENVALUE, _VEC, _PLAIN, _RATIO)
