"""Exercises of notebook 03: the preconditioner."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.classroom.forms import matrix
from overparam_edu.dynamics.rule import end_to_end_direction, preconditioner

_RNG = np.random.default_rng(3)
_W, _G = _RNG.standard_normal((2, 2, 3))
_P = preconditioner(_W, 3).matrix
_SIX = _RNG.standard_normal((6, 6))
_SQUARE = (np.array([2.0, 0.7]), 2, 2, 2)
_WIDE, _TALL = (np.array([1.3, 0.4]), 2, 4, 3), (np.array([1.9, 0.6]), 3, 2, 4)


def _values(
    sigma: Any, k: int, d: int, N: int, scale: float = 2, start: float = 0, mean: bool = False
) -> Any:
    """Return the eigenvalues, with exponents that are scaled or begin at `start`, or the mean."""
    s = np.zeros(max(k, d))
    s[: len(sigma)] = sigma
    r, c = s[:k, None], s[None, :d]
    j = np.arange(N)[:, None, None]
    terms = r ** (scale * (N - 1 - j) / N) * c ** (scale * (j + start) / N)
    return np.sort((terms.mean(axis=0) if mean else terms.sum(axis=0)).ravel())


def _spectrum(rng: np.random.Generator) -> tuple[Any, ...]:
    """Return falling singular values, some of them 0, of a matrix of a drawn shape, and N."""
    k, d, N = (int(n) for n in rng.integers(1, (5, 5, 6)))
    sigma = np.sort(rng.uniform(0.2, 2, min(k, d)))[::-1]
    sigma[rng.integers(1, 5) :] = 0
    return sigma, k, d, N


_EIGENVALUES = Exercise(
    name="amplifications",
    notebook="03",
    kind="write",
    title="How much is each direction amplified?",
    prompt=(
        r"$W$ has $k$ outputs and $d$ inputs; the array `sigma` holds its $\min(k, d)$ singular "
        "values. Return **all** eigenvalues of its preconditioner at depth $N$, from small to "
        r"large. Section 2 has the formula of one of them. ($0^0 = 1$ also in Python.)"
    ),
    todo="how many are there?",
    solution=(
        "def amplifications(sigma, k, d, N):\n    s = np.zeros(max(k, d))\n"
        "    s[: len(sigma)] = sigma\n    values = []\n"
        "    for a in s[:k]:\n        for b in s[:d]:\n"
        "            terms = [a ** (2 * (N - j) / N) * b ** (2 * (j - 1) / N) "
        "for j in range(1, N + 1)]\n"
        "            values.append(sum(terms))\n    return np.sort(values)"
    ),
    properties={
        "at depth 1 nothing is amplified: $kd$ times 1": lambda f: close(
            f(np.array([3.0, 0.5]), 2, 3, 1), np.ones(6)
        ),
        "one output, three inputs: twice $\\sigma^{2-2/N}$ and once $N$ times that": lambda f: (
            close(f(np.array([2.0]), 1, 3, 3), 2 ** (4 / 3) * np.array([1.0, 1.0, 3.0]))
        ),
        "a square matrix: they are those of the library's preconditioner": lambda f: close(
            f(np.array([2.0, 0.5]), 2, 2, 3),
            np.linalg.eigvalsh(preconditioner(np.diag([2.0, 0.5]), 3).matrix),
        ),
        "2 outputs and 4 inputs: they are those of the library's preconditioner": lambda f: close(
            f(np.array([1.5, 0.5]), 2, 4, 3),
            np.sort(preconditioner(np.eye(2, 4) * [[1.5], [0.5]], 3).eigenvalues),
        ),
    },
    mistakes={
        "The right values. Now sort them, from small to large.": Mistake(
            lambda sigma, k, d, N: _values(sigma, k, d, N)[::-1],
            lambda f: all(
                close(np.sort(np.ravel(f(*at))), _values(*at)) for at in (_SQUARE, _WIDE, _TALL)
            ),
        ),
        r"There are $kd$ of them: a direction may use a singular vector without a singular value, "
        r"which counts as 0.": Mistake(
            lambda sigma, k, d, N: _values(sigma, len(sigma), len(sigma), N),
            lambda f: all(
                np.size(f(*at)) == len(at[0]) ** 2 < at[1] * at[2] for at in (_WIDE, _TALL)
            ),
        ),
        r"**Every pair** $(r, s)$ has its own eigenvalue, not only $r = s$.": Mistake(
            lambda sigma, k, d, N: np.sort(N * np.asarray(sigma) ** (2 - 2 / N)),
            lambda f: all(np.size(f(*at)) == len(at[0]) for at in (_SQUARE, _WIDE, _TALL)),
        ),
        r"The powers are halved: $WW^\top$ has eigenvalues "
        r"$\sigma^2$.": lambda sigma, k, d, N: _values(sigma, k, d, N, scale=1),
        "The powers are not divided by $N$.": lambda sigma, k, d, N: _values(
            sigma, k, d, N, scale=2 * N
        ),
        "A sum over the layers, not their mean.": lambda sigma, k, d, N: _values(
            sigma, k, d, N, mean=True
        ),
        "Off by one in a power: the exponents of one term add up to $2 - 2/N$.": (
            lambda sigma, k, d, N: _values(sigma, k, d, N, start=1)
        ),
    },
    hints=(
        r"One eigenvalue for each pair of an output direction and an input direction: $kd$.",
        r"Fill `sigma` up with zeros to $k$ for the outputs and to $d$ for the inputs; then sum "
        "`a ** (2*(N-j)/N) * b ** (2*(j-1)/N)` over $j = 1, \\dots, N$ for each pair.",
    ),
    praise=(
        "Large singular values meet a larger learning rate, and where two are missing, there is "
        "none at all."
    ),
    probes=(_SQUARE, _WIDE, _TALL),
    draw=_spectrum,
)


def _reordered(P: Any, k: int, d: int, *, rows: bool = True, columns: bool = True) -> Any:
    """Return P with its rows and columns in the order of stacked rows of a (k, d) matrix."""
    place = np.arange(k * d).reshape(d, k).T.ravel()
    P = P[place] if rows else P
    return P[:, place] if columns else P


def _tall_or_wide(rng: np.random.Generator) -> tuple[Any, int, int]:
    k, d = (int(n) for n in rng.choice([[1, 3], [2, 3], [3, 2], [2, 4], [2, 2], [4, 1], [3, 4]]))
    return rng.standard_normal((k * d, k * d)), k, d


_VEC = Exercise(
    name="for_stacked_rows",
    notebook="03",
    kind="write",
    title="Columns or rows?",
    prompt=(
        r"`P` acts on $\mathrm{vec}(G)$, which stacks the **columns** of a $k \times d$ matrix. "
        "NumPy and PyTorch stack **rows**: `G.ravel()`. Return the matrix `Q` that does the same "
        "there: `(Q @ G.ravel()).reshape(k, d)` is what `P` makes of $G$, for every $G$."
    ),
    todo="a matrix of the shape of P",
    solution=(
        "def for_stacked_rows(P, k, d):\n    columns = []\n    for one in np.eye(k * d):\n"
        '        moved = P @ one.reshape(k, d).ravel(order="F")\n'
        '        columns.append(moved.reshape((k, d), order="F").ravel())\n'
        "    return np.transpose(columns)"
    ),
    properties={
        "with the preconditioner of a (2, 3) matrix it makes the end-to-end rule": lambda f: close(
            (f(_P, 2, 3) @ _G.ravel()).reshape(2, 3), end_to_end_direction(_W, _G, 3)
        ),
        "the identity stays the identity": lambda f: close(f(np.eye(6), 3, 2), np.eye(6)),
        "for one output columns and rows are the same": lambda f: close(
            f(_P[:3, 1:4], 1, 3), _P[:3, 1:4]
        ),
    },
    mistakes={
        "That is `P` itself: for stacked columns.": lambda P, k, d: P,
        "Only the rows of `P` are in their new order. What comes in is stacked anew, too.": (
            lambda P, k, d: _reordered(P, k, d, columns=False)
        ),
        "Only the columns of `P` are in their new order. What comes out is stacked anew, too.": (
            lambda P, k, d: _reordered(P, k, d, rows=False)
        ),
        "$k$ and $d$ are exchanged.": Mistake(
            lambda P, k, d: _reordered(P, d, k),
            lambda f: all(
                close(f(_SIX, *shape), _reordered(_SIX, *shape[::-1]))
                for shape in ((2, 3), (3, 2), (1, 6))
            ),
        ),
        "That is the transpose of `Q`: the image of each basis matrix is a **column**.": (
            lambda P, k, d: _reordered(P, k, d).T
        ),
        "Only the diagonal of `P` was used: it mixes entries.": lambda P, k, d: _reordered(
            np.diag(np.diag(P)), k, d
        ),
    },
    hints=(
        "Column $n$ of `Q` is what it makes of the $n$-th basis vector. Which $G$ is that, and "
        "what does `P` make of it?",
        "One way: for each row `one` of `np.eye(k * d)` take "
        '`P @ one.reshape(k, d).ravel(order="F")`, and bring that back.',
    ),
    praise="Every wrong order gives a plausible matrix: that is why a check is worth having.",
    probes=((_P, 2, 3), (_SIX, 3, 2)),
    draw=_tall_or_wide,
)


def _spread(W: Any) -> float:
    values = preconditioner(W, 3).eigenvalues
    return float(values.max() / values.min())


def _is_multiple(W: Any) -> bool:
    return close(W[0][0] * np.eye(2), W)


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
        "it is no multiple of the identity": lambda W: not _is_multiple(W),
        "all eigenvalues of the preconditioner are equal, and above 0": lambda W: (
            np.isfinite(_spread(W)) and _spread(W) < 1 + 1e-6
        ),
    },
    mistakes={
        "At $W = 0$ nothing moves at all.": Mistake([[0, 0], [0, 0]], lambda W: not np.any(W)),
        "True of this one, but too easy: it is a multiple of the identity.": Mistake(
            [[1, 0], [0, 1]], _is_multiple
        ),
        "This matrix has rank 1: directions across it are amplified less, or not at all.": Mistake(
            [[1, 1], [1, 1]],
            lambda W: np.linalg.svd(W)[1][1] < 1e-9 * np.linalg.norm(W),
        ),
        "Diagonal, but its singular values differ, "
        "so directions are amplified differently.": Mistake(
            [[2, 0], [0, 1]], lambda W: np.array_equal(W, np.diag(np.diag(W)))
        ),
        "A symmetric matrix is not enough. Compute its singular values: they must be "
        "equal.": Mistake([[2, 1], [1, 2]], lambda W: np.array_equal(W, W.T)),
        "The singular values must be equal. Which matrices stretch all directions alike?": Mistake(
            [[1, 1], [0, 1]], lambda W: _spread(W) >= 1 + 1e-6
        ),
    },
    hints=(
        "The eigenvalues depend on the singular values alone. When are all of them equal?",
        "Matrices with equal singular values: multiples of rotations and reflections.",
    ),
    praise=lambda W: (
        f"That is a {'rotation' if np.linalg.det(W) > 0 else 'reflection'}"
        f"{'' if close(abs(np.linalg.det(W)), 1.0) else ', times a number'}: its singular values "
        "are equal, so at this $W$ depth only changes the learning rate."
    ),
    returns=matrix(2, 2),
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
            x,
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

EXERCISES = (_EIGENVALUES, _VEC, _PLAIN, _RATIO)
