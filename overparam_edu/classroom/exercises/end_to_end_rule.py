"""Exercises of notebook 02: the end-to-end update rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.dynamics.networks import LinearNetwork, balanced_network, near_zero_network
from overparam_edu.dynamics.rule import end_to_end_direction, single_output_direction

_RNG = np.random.default_rng(2)
_W, _G = _RNG.standard_normal((2, 3, 3))
_FLAT = _RNG.standard_normal((2, 2, 4))
_v, _g = np.array([0.9, -0.5, 0.3]), np.array([0.2, 0.7, -0.4])


def _power(A: Any, t: float) -> Any:
    values, vectors = np.linalg.eigh(A)
    return (vectors * np.maximum(values, 0.0) ** t) @ vectors.T


def _terms(W: Any, G: Any, N: int, start: float = 0, scale: float = 1) -> Any:
    """Return the rule's sum, with exponents that begin at `start` or are scaled."""
    return sum(
        _power(W @ W.T, scale * (j + start) / N) @ G @ _power(W.T @ W, scale * (N - 1 - j) / N)
        for j in range(N)
    )


def _measured(W: Any, G: Any, N: int, hidden: int | None = None) -> Any:
    """Return -dW/d eta of a real balanced network for a tiny step, to second order."""

    def moved(eta: float) -> Any:
        network = balanced_network(W, N, hidden=hidden)
        slopes = network.layer_gradients(G)
        layers = [V - eta * S for V, S in zip(network.weights, slopes, strict=True)]
        return LinearNetwork(tuple(layers)).end_to_end_matrix

    return (moved(-1e-5) - moved(1e-5)) / 2e-5


_Q, _ = np.linalg.qr(_RNG.standard_normal((3, 3)))

_MATRIX = Exercise(
    name="matrix_rule",
    notebook="02",
    kind="write",
    title="The lines that are the rule",
    prompt=(
        "Return the direction in which $N$ balanced layers move their product $W$ when the loss "
        r"has the gradient $G$ there: $\sum_{j=1}^N [WW^\top]^{(j-1)/N}\, G\, [W^\top "
        "W]^{(N-j)/N}$. `power(S, exponent)` is the one from section 3."
    ),
    todo="a sum of N terms",
    solution=(
        "def matrix_rule(W, G, N):\n"
        "    def power(A, t):\n        values, vectors = np.linalg.eigh(A)\n"
        "        return (vectors * np.maximum(values, 0) ** t) @ vectors.T\n\n"
        "    total = 0\n    for j in range(1, N + 1):\n"
        "        total = total + power(W @ W.T, (j - 1) / N) @ G @ power(W.T @ W, (N - j) / N)\n"
        "    return total"
    ),
    properties={
        "at depth 1 it is $G$ itself": lambda f: close(f(_W, _G, 1), _G, 1e-4),
        "it is how a real network of 3 balanced layers moves in a very small step": lambda f: close(
            f(_W, _G, 3), _measured(_W, _G, 3), 1e-4
        ),
        "with $2W$ in place of $W$ it is $2^{2-2/N}$ times as large": lambda f: close(
            f(2 * _W, _G, 4), 2**1.5 * np.asarray(f(_W, _G, 4)), 1e-4
        ),
        "rotating the outputs rotates the direction": lambda f: close(
            f(_Q @ _W, _Q @ _G, 3), _Q @ np.asarray(f(_W, _G, 3)), 1e-4
        ),
        "a matrix of 2 outputs and 4 inputs works too": lambda f: close(
            f(*_FLAT, 2), _measured(_FLAT[0], _FLAT[1], 2), 1e-3
        ),
    },
    mistakes={
        r"Left and right are exchanged: $WW^\top$ acts on the outputs, so it stands on the "
        r"left.": lambda W, G, N: _terms(W.T, G, N),
        "The exponents are divided by $N$: those of one term add up to "
        "$(N-1)/N$.": lambda W, G, N: _terms(W, G, N, scale=N),
        "A sum over the layers, not their mean: each contributes its whole move.": lambda W, G, N: (
            _terms(W, G, N) / N
        ),
        "The last term is missing: `range(1, N)` stops before $N$.": lambda W, G, N: (
            _terms(W, G, N) - _power(W @ W.T, (N - 1) / N) @ G
        ),
        r"Off by one: the first term ($j=1$) has $[WW^\top]^0$, which is the "
        r"identity.": lambda W, G, N: _terms(W, G, N, start=1),
        r"You took a power of a square root: $WW^\top$ already has squared singular "
        r"values.": lambda W, G, N: _terms(W, G, N, scale=1 / 2),
        "That is the change of $W$, with its minus sign. "
        "The direction itself is asked for.": lambda W, G, N: -_terms(W, G, N),
    },
    hints=(
        "Begin with `total = 0` and add one term for each `j in range(1, N + 1)`.",
        "One term: `power(W @ W.T, (j - 1) / N) @ G @ power(W.T @ W, (N - j) / N)`.",
    ),
    praise="These lines are the talk's Theorem 1, and no hidden width is in sight.",
    probes=((_W, _G, 2), (_W, _G, 3), (_G, _W, 4)),
)


def _norm(w: Any) -> float:
    return float(np.linalg.norm(w))


def _along(w: Any, g: Any) -> Any:
    return (w @ g) / (w @ w) * w


def _rule(w: Any, g: Any, power: float, extra: float, along: Any = _along) -> Any:
    return _norm(w) ** power * (g + extra * along(w, g))


_SINGLE = Exercise(
    name="single_rule",
    notebook="02",
    kind="write",
    title="One output: Claim 2",
    prompt=(
        r"Write the rule for one output, $\|w\|^{2-2/N}\,(g + (N-1)\,\mathrm{Pr}_w\,g)$, for "
        r"vectors `w` (not 0) and `g` and any real $N\ge1$. $\mathrm{Pr}_w$ projects onto the line "
        r"through $w$."
    ),
    todo="three lines: a size, a projection, their sum",
    solution=(
        "def single_rule(w, g, N):\n    size = np.linalg.norm(w) ** (2 - 2 / N)\n"
        "    projection = (w @ g) / (w @ w) * w\n    return size * (g + (N - 1) * projection)"
    ),
    properties={
        "at depth 1 it is `g`": lambda f: close(f(_v, _g, 1), _g),
        "it is the matrix rule for a matrix of one row": lambda f: close(
            f(_v, _g, 3), end_to_end_direction(_v[None], _g[None], 3)[0]
        ),
        "it is how a real network of 4 balanced layers moves in a very small step": lambda f: close(
            f(_v, _g, 4), _measured(_v, _g[None], 4)[0], 1e-5
        ),
        r"along $w$ the gradient is multiplied by "
        r"$N\|w\|^{2-2/N}$": lambda f: close(f(_v, _v, 2.5), 2.5 * _norm(_v) ** 1.2 * _v),
        "rotating `w` and `g` rotates the result": lambda f: close(
            f(_Q @ _v, _Q @ _g, 3), _Q @ np.asarray(f(_v, _g, 3))
        ),
    },
    mistakes={
        r"The norm's power: is it of $\|w\|$ or of $\|w\|^2$? "
        r"You have half of it.": lambda w, g, N: _rule(w, g, 1 - 1 / N, N - 1),
        r"The norm's power is twice too large: "
        r"`w @ w` is $\|w\|^2$ already.": lambda w, g, N: _rule(w, g, 4 - 4 / N, N - 1),
        "The power $2 - 2/N$: check that it is 0 at depth 1 and 1 at depth 2.": lambda w, g, N: (
            _rule(w, g, 2 / N, N - 1)
        ),
        "How often does the part along $w$ count? Together with the one in `g` it is $N$ "
        "times.": lambda w, g, N: _rule(w, g, 2 - 2 / N, N),
        "The factor of the projection is missing.": lambda w, g, N: _rule(w, g, 2 - 2 / N, 1),
        "Only the size is there. Depth also amplifies the part of `g` along `w`.": lambda w, g, N: (
            _rule(w, g, 2 - 2 / N, 0)
        ),
        "The projection onto a line does not change when `w` gets longer: "
        "divide.": lambda w, g, N: _rule(w, g, 2 - 2 / N, N - 1, lambda w, g: (w @ g) * w),
        "A projection divides by `w @ w`, the squared norm.": lambda w, g, N: _rule(
            w, g, 2 - 2 / N, N - 1, lambda w, g: (w @ g) / _norm(w) * w
        ),
        "You projected `w` onto `g`. It is `g` that is projected onto `w`.": lambda w, g, N: _rule(
            w, g, 2 - 2 / N, N - 1, lambda w, g: _along(g, w)
        ),
        "The sign: the projection is added; depth pushes on along $w$.": lambda w, g, N: _rule(
            w, g, 2 - 2 / N, 1 - N
        ),
        r"The projection part is multiplied by $\|w\|^{2-2/N}$ too.": lambda w, g, N: (
            _norm(w) ** (2 - 2 / N) * g + (N - 1) * _along(w, g)
        ),
    },
    hints=(
        r"`size = np.linalg.norm(w) ** (2 - 2 / N)`.",
        r"`projection = (w @ g) / (w @ w) * w`; then `size * (g + (N - 1) * projection)`.",
    ),
    praise="An adaptive learning rate, and a push along the path so far: the talk in one line.",
    probes=((_v, _g, 2), (2 * _v, _g, 3), (_g, _v, 2.5)),
)


def _gap(network: Any) -> float:
    """Return how far the rule's step is from the real one, relative, for g = (1, 0.5)."""
    gradient = np.array([[1.0, 0.5]])
    slopes = network.layer_gradients(gradient)
    w = network.end_to_end_matrix
    real = slopes[1] @ network.weights[0] + network.weights[1] @ slopes[0]
    rule = single_output_direction(w, gradient, 2)
    return float(np.linalg.norm(rule - real) / np.linalg.norm(real))


def _fits(network: Any) -> bool:
    return (
        isinstance(network, LinearNetwork) and network.widths[0::2] == (2, 1) and network.depth == 2
    )


def _of(*layers: Any) -> LinearNetwork:
    return LinearNetwork(layers)


_UNBALANCED = Exercise(
    name="unbalanced_start",
    notebook="02",
    kind="break an assumption",
    title="Break the balance",
    prompt=(
        "The rule assumes balanced layers. Give a `LinearNetwork` of **two** layers, 2 inputs and "
        "1 output, whose end-to-end vector takes a step that differs from the rule's by more than "
        "**10 %**, however small the learning rate, for $g = (1, 0.5)$."
    ),
    todo="for example oe.LinearNetwork(([[1.0, 2.0]], [[3.0]]))",
    solution="unbalanced_start = oe.LinearNetwork(([[1.0, 0.0]], [[5.0]]))",
    properties={
        "it is a `LinearNetwork` of two layers, 2 inputs, 1 output": _fits,
        "the two steps differ by more than 10 %": lambda network: (
            np.isfinite(_gap(network)) and _gap(network) > 0.1
        ),
    },
    mistakes={
        "This network is balanced: the rule is exact for it. "
        "Make one layer larger than the other.": Mistake(
            balanced_network([0.8, 0.3], depth=2),
            lambda n: _fits(n) and np.any(n.end_to_end_matrix) and n.imbalance() < 1e-9,
        ),
        "At exactly 0 nothing moves, in the rule or in the network: "
        "no contradiction there.": Mistake(
            _of([[0.0, 0.0]], [[0.0]]),
            lambda n: _fits(n) and not np.any(n.weights[0]) and not np.any(n.weights[1]),
        ),
        "Unbalanced, but not enough. What matters is the ratio of the layers' sizes.": Mistake(
            _of([[1.0, 0.0]], [[1.05]]), lambda n: _fits(n) and 0 < _gap(n) <= 0.1
        ),
        "One layer has nothing to be balanced with. Take two.": Mistake(
            _of([[1.0, 2.0]]), lambda n: isinstance(n, LinearNetwork) and n.depth == 1
        ),
        "Exactly two layers, please: every answer is compared in the same way.": Mistake(
            near_zero_network((2, 1, 1, 1), 0.1),
            lambda n: isinstance(n, LinearNetwork) and n.depth > 2,
        ),
        "The network must take 2 inputs and give 1 output.": Mistake(
            _of([[1.0]], [[2.0]]),
            lambda n: isinstance(n, LinearNetwork) and n.widths[::2] != (2, 1),
        ),
        "Make a network of the layers: `oe.LinearNetwork((first, second))`.": Mistake(
            ([[1.0, 2.0]], [[3.0]]), lambda n: isinstance(n, (tuple, list, np.ndarray))
        ),
    },
    hints=(
        r"The layers are balanced when $\|W_1\| = \|W_2\|$ here (one hidden unit).",
        "Try a first layer of length 1 and a second layer of 5.",
    ),
    praise=(
        "The imbalance is conserved by gradient flow: it does not go away by itself. A start near "
        "zero keeps it small only relative to what the layers grow to."
    ),
)


def _width_ratio() -> float:
    narrow, wide = (_measured(_W[:2], _G[:2], 2, hidden) for hidden in (2, 50))
    return float(np.linalg.norm(wide) / np.linalg.norm(narrow))


_WIDTH = Exercise(
    name="width_factor",
    notebook="02",
    kind="predict",
    title="Wider layers",
    prompt=(
        "A balanced network of two layers has 2 hidden units; another with the same end-to-end "
        "matrix has 50. By what factor is the second one's end-to-end step longer?"
    ),
    solution="width_factor = 1",
    properties={
        "the measured ratio": lambda x: close(float(x), _width_ratio(), 1e-3),
    },
    mistakes={
        "More weights move, but each of them less: the width is not in the rule.": 25,
        "No: the width appears nowhere in the rule, not even as a square root.": 5,
        "Twenty-five times the units, yet the same end-to-end matrix and the same step.": 50,
        "Wider is not slower: look for the width in the rule.": 0.04,
        "Were you thinking of an average over units? The rule is a sum over **layers**.": 0.2,
        "Of the two widths, neither matters. Look for them in the rule.": 2,
    },
    hints=("Which quantities are in the rule? $W$, $G$, $N$, the learning rate.",),
    praise=r"Depth matters and width does not, as long as it is at least $\min(k, d)$.",
)

EXERCISES = (_MATRIX, _SINGLE, _UNBALANCED, _WIDTH)
