"""Exercises of notebook 02: the end-to-end update rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close, seen_at
from overparam_edu.classroom.forms import Form
from overparam_edu.dynamics.networks import LinearNetwork, balanced_network, near_zero_network
from overparam_edu.dynamics.rule import end_to_end_direction, single_output_direction

_RNG = np.random.default_rng(2)
_W, _G = _RNG.standard_normal((2, 3, 3))
_FLAT = _RNG.standard_normal((2, 2, 4))
_RATES = [0.5, 1.25, 2.0]
_v, _g = np.array([0.9, -0.5, 0.3]), np.array([0.2, 0.7, -0.4])


def _power(A: Any, t: float) -> Any:
    values, vectors = np.linalg.eigh(A)
    return (vectors * np.maximum(values, 0.0) ** t) @ vectors.T


def _terms(W: Any, G: Any, rates: Any, start: float = 0, scale: float = 1) -> Any:
    """Return the sum over the layers, with exponents that begin at `start` or are scaled."""
    N = len(rates)
    return sum(
        rate * _power(W @ W.T, scale * (N - 1 - j + start) / N) @ G @ _power(W.T @ W, scale * j / N)
        for j, rate in enumerate(rates)
    )


def _measured(W: Any, G: Any, rates: Any, hidden: int | None = None) -> Any:
    """Return -dW/d eta of a real balanced network whose layers step by eta times their rate."""

    def moved(eta: float) -> Any:
        network = balanced_network(W, len(rates), hidden=hidden)
        pairs = zip(network.weights, network.layer_gradients(G), rates, strict=True)
        return LinearNetwork(tuple(V - eta * rate * S for V, S, rate in pairs)).end_to_end_matrix

    return (moved(-1e-5) - moved(1e-5)) / 2e-5


def _drawn(rng: np.random.Generator) -> tuple[Any, ...]:
    """Return a matrix, a gradient and rates; the more layers, the better the matrix behaves."""
    k, d = rng.integers(1, 5, 2)
    N = rng.integers(1, 4) if k != d else rng.integers(1, 6)
    return (*rng.standard_normal((2, k, d)), rng.uniform(0.1, 3, N).tolist())


_Q, _ = np.linalg.qr(_RNG.standard_normal((3, 3)))
_SQUARE = ((_W, _G, _RATES), (_G, _W, [1.5, 0.25]), (_W, _G.T, [0.5, 2.0, 0.25, 1.0]))

_LAYERS = Exercise(
    name="layerwise_rule",
    notebook="02",
    kind="write",
    title="A learning rate for each layer",
    prompt=(
        "Balanced layers step with learning rates of their own: $W_j$ with `rates[j - 1]`, so $N$ "
        "is `len(rates)`. Return the $D$ for which the product moves from $W$ to $W - D$, to first "
        "order in the rates. $G$ is the loss's gradient at $W$, and `power` the function of "
        "section 3."
    ),
    todo="a sum over the layers",
    solution=(
        "def layerwise_rule(W, G, rates):\n"
        "    def power(A, t):\n        values, vectors = np.linalg.eigh(A)\n"
        "        return (vectors * np.maximum(values, 0) ** t) @ vectors.T\n\n"
        "    N, total = len(rates), 0\n    for j in range(1, N + 1):\n"
        "        term = power(W @ W.T, (N - j) / N) @ G @ power(W.T @ W, (j - 1) / N)\n"
        "        total = total + rates[j - 1] * term\n    return total"
    ),
    properties={
        "one layer with rate 0.3 moves by 0.3 $G$": lambda f: close(f(_W, _G, [0.3]), 0.3 * _G),
        "with one rate for all it is that rate times Theorem 1's sum": lambda f: close(
            f(_W, _G, [0.2] * 4), 0.2 * end_to_end_direction(_W, _G, 4), 1e-4
        ),
        "where only $W_1$ learns it is how a real network of 3 layers moves": lambda f: close(
            f(_W, _G, [1.0, 0.0, 0.0]), _measured(_W, _G, [1.0, 0.0, 0.0]), 1e-4
        ),
        "with three rates it is how a real network of 3 layers moves": lambda f: close(
            f(_W, _G, _RATES), _measured(_W, _G, _RATES), 1e-4
        ),
        "a matrix of 2 outputs and 4 inputs works too": lambda f: close(
            f(*_FLAT, [0.5, 1.25]), _measured(_FLAT[0], _FLAT[1], [0.5, 1.25]), 1e-3
        ),
    },
    mistakes={
        r"The rates are the wrong way round. In the term of $W_1$ **all other** layers stand to "
        r"the left of it.": lambda W, G, rates: _terms(W, G, rates[::-1]),
        r"Left and right are exchanged: $WW^\top$ acts on the outputs, so it stands on the "
        r"left.": seen_at(_SQUARE, lambda W, G, rates: _terms(W.T, G, rates)),
        "The exponents are divided by $N$: those of one term add up to $(N-1)/N$.": (
            lambda W, G, rates: _terms(W, G, rates, scale=len(rates))
        ),
        "A sum over the layers, not their mean: each contributes its whole move.": (
            lambda W, G, rates: _terms(W, G, rates) / len(rates)
        ),
        "The rates are not used one by one: each term has its own.": lambda W, G, rates: _terms(
            W, G, len(rates) * [np.mean(rates)]
        ),
        "Where are the rates?": lambda W, G, rates: _terms(W, G, np.ones(len(rates))),
        "The term of the last layer is missing: `range(1, N)` stops before $N$.": (
            lambda W, G, rates: _terms(W, G, [*rates[:-1], 0.0])
        ),
        "The term of the first layer is missing.": lambda W, G, rates: _terms(
            W, G, [0.0, *rates[1:]]
        ),
        r"Off by one: in the last layer's term no layer stands on the left, which is "
        r"$[WW^\top]^0$, the identity.": lambda W, G, rates: _terms(W, G, rates, start=1),
        r"You took a power of a square root: $WW^\top$ already has squared singular "
        r"values.": lambda W, G, rates: _terms(W, G, rates, scale=1 / 2),
        "That is the change of $W$, with its minus sign. $D$ is what is subtracted.": (
            lambda W, G, rates: -_terms(W, G, rates)
        ),
    },
    hints=(
        "Section 1 has one term for each layer. Which layers stand to the left of $G$ in it?",
        r"With balanced layers $W_j$'s term is $[WW^\top]^{(N-j)/N}\,G\,[W^\top W]^{(j-1)/N}$.",
    ),
    praise=(
        "So Theorem 1's term $j$ comes from layer $N+1-j$. With unequal rates the layers do not "
        "stay balanced: this holds for the first step only."
    ),
    probes=((_W, _G, _RATES), (_G, _W, [1.5, 0.25]), (*_FLAT, [2.0, 0.5])),
    draw=_drawn,
    tolerance=1e-4,
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
            f(_v, _g, 4), _measured(_v, _g[None], np.ones(4))[0], 1e-5
        ),
        r"along $w$ the gradient is multiplied by "
        r"$N\|w\|^{2-2/N}$": lambda f: close(f(_v, -2 * _v, 2.5), -5 * _norm(_v) ** 1.2 * _v),
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
    draw=lambda rng: (
        *rng.standard_normal((2, rng.integers(1, 6))),
        float(rng.choice([1, 2, 3, 4, 5, *rng.uniform(1, 6, 5)])),
    ),
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
    return bool(network.widths[0::2] == (2, 1) and network.depth == 2)


def _of(*layers: Any) -> LinearNetwork:
    return LinearNetwork(layers)


def _network(answer: Any) -> LinearNetwork:
    return answer if isinstance(answer, LinearNetwork) else LinearNetwork(tuple(answer))


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
    todo="such as oe.LinearNetwork(([[1.0, 2.0]], [[2.0]])), but less balanced",
    solution="unbalanced_start = oe.LinearNetwork(([[1.0, 0.0]], [[5.0]]))",
    properties={
        "it has two layers, 2 inputs and 1 output": _fits,
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
            _of([[1.0, 2.0]]), lambda n: n.depth == 1
        ),
        "Exactly two layers, please: every answer is compared in the same way.": Mistake(
            near_zero_network((2, 1, 1, 1), 0.1), lambda n: n.depth > 2
        ),
        "The network must take 2 inputs and give 1 output.": Mistake(
            _of([[1.0]], [[2.0]]), lambda n: n.widths[::2] != (2, 1)
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
    returns=Form("a network of two layers: `oe.LinearNetwork((first, second))`", _network),
)


def _width_ratio() -> float:
    narrow, wide = (_measured(_W[:2], _G[:2], [1, 1], hidden) for hidden in (2, 50))
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
        "the measured ratio": lambda x: close(x, _width_ratio(), 1e-3),
    },
    mistakes={
        "There are 25 times the weights, but together they move $W$ no further: the width is "
        "not in the rule.": 25,
        "No: the width appears nowhere in the rule, not even as a square root.": 5,
        "Twenty-five times the units, yet the same end-to-end matrix and the same step.": 50,
        "Wider is not slower: look for the width in the rule.": 0.04,
        "Were you thinking of an average over units? The rule is a sum over **layers**.": 0.2,
        "Of the two widths, neither matters. Look for them in the rule.": 2,
    },
    hints=("Which quantities are in the rule? $W$, $G$, $N$, the learning rate.",),
    praise=(
        "Depth is in the rule, width is not. What a width does limit is which $W$ the network can "
        "express at all."
    ),
)

EXERCISES = (_LAYERS, _SINGLE, _UNBALANCED, _WIDTH)
