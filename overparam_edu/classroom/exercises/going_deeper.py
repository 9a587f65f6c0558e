"""Exercises of notebook 07: what stops very deep networks, and what helps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from overparam_edu.classroom.exercise import Exercise, Mistake, close
from overparam_edu.classroom.forms import NUMBER, letter
from overparam_edu.dynamics.networks import LinearNetwork, near_zero_network


def _product(layers: Any) -> Any:
    W = np.eye(len(layers[0]))
    for V in layers:
        W = np.asarray(V, float) @ W
    return W


def _make(build: Any) -> Any:
    """Return a function of the exercise's arguments from one of (rng, d, N, scale)."""
    return lambda d, N, scale, seed: build(np.random.default_rng(seed), d, N, scale)


def _noise(f: Any, d: int, N: int, scale: float, seed: int) -> Any:
    """Return what is added to the identity, in units of `scale`: all entries, sorted."""
    return np.sort((np.asarray(f(d, N, scale, seed)) - np.eye(d)).ravel()) / scale


def _drawn(f: Any, d: int, N: int, scale: float, seed: int) -> bool:
    """Return whether the noise is that of the seed, in any order, all of it or none negated."""
    got = _noise(f, d, N, scale, seed)
    normal = np.random.default_rng(seed).standard_normal(N * d * d)
    return any(close(got, np.sort(sign * normal)) for sign in (1, -1))


def _spread(f: Any) -> float:
    return float(np.std(_noise(f, 20, 10, 0.05, 0)))


_IDENTITY = Exercise(
    name="identity_layers",
    notebook="07",
    kind="write",
    title="Identity initialisation",
    prompt=(
        "Return a list of `N` layers, each a `d` × `d` matrix: the identity plus independent "
        "Gaussian noise of standard deviation `scale`, all drawn from one "
        "`np.random.default_rng(seed)`."
    ),
    todo="np.random.default_rng(seed) makes the noise",
    solution=(
        "def identity_layers(d, N, scale, seed):\n    rng = np.random.default_rng(seed)\n"
        "    return [np.eye(d) + scale * rng.standard_normal((d, d)) for _ in range(N)]"
    ),
    properties={
        "there are `N` layers of shape (d, d)": lambda f: np.shape(f(3, 5, 0.1, 0)) == (5, 3, 3),
        "without noise the product of 50 layers is the identity": lambda f: close(
            _product(f(3, 50, 0.0, 0)), np.eye(3)
        ),
        "the noise has the standard deviation asked for": lambda f: 0.9 < _spread(f) < 1.1,
        "no two entries have the same noise, in all layers": lambda f: (
            np.diff(_noise(f, 4, 3, 0.5, 1)).min() > 1e-9
        ),
        "all the noise comes from one `np.random.default_rng(seed)`": lambda f: all(
            _drawn(f, *at)
            for at in ((3, 5, 0.1, 0), (4, 3, 2.0, 7), (2, 6, 0.5, 3), (5, 1, 1.0, 2))
        ),
    },
    mistakes={
        "The identity was scaled as well. Only the noise is small.": Mistake(
            _make(
                lambda rng, d, N, s: [
                    s * (np.eye(d) + rng.standard_normal((d, d))) for _ in range(N)
                ]
            ),
            lambda f: close(
                f(3, 5, 0.1, 0)[0],
                0.1 * (np.eye(3) + np.random.default_rng(0).standard_normal((3, 3))),
            ),
        ),
        "Only the first layer has the identity.": Mistake(
            _make(
                lambda rng, d, N, s: [
                    (np.eye(d) if j == 0 else 0) + s * rng.standard_normal((d, d)) for j in range(N)
                ]
            ),
            lambda f: close(f(3, 5, 0.0, 0)[0], np.eye(3)) and not np.any(f(3, 5, 0.0, 0)[1]),
        ),
        "That is near-zero initialisation: where is the identity?": Mistake(
            _make(lambda rng, d, N, s: [s * rng.standard_normal((d, d)) for _ in range(N)]),
            lambda f: close(_product(f(3, 5, 0.0, 0)), np.zeros((3, 3))),
        ),
        "The noise is not scaled.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d) + rng.standard_normal((d, d)) for _ in range(N)]),
            lambda f: abs(_spread(f) * 0.05 - 1) < 0.1,
        ),
        "Every layer has the same noise: draw anew for each.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d) + s * rng.standard_normal((d, d))] * N),
            lambda f: _spread(f) > 0 and np.ptp(f(3, 4, 0.1, 0), axis=0).max() < 1e-9,
        ),
        "There is no noise at all, whatever `scale` is.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d)] * N), lambda f: _spread(f) == 0
        ),
        "The noise is never negative: use `standard_normal`, which has both signs.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d) + s * rng.random((d, d)) for _ in range(N)]),
            lambda f: _noise(f, 20, 3, 0.05, 0)[0] >= 0 and _spread(f) > 0,
        ),
        "Each layer is symmetric: entries $ij$ and $ji$ share their noise.": Mistake(
            _make(
                lambda rng, d, N, s: [
                    np.eye(d) + s * (E + E.T) / 2**0.5 for E in rng.standard_normal((N, d, d))
                ]
            ),
            lambda f: _spread(f) > 0 and close(f(9, 2, 0.1, 0)[1], f(9, 2, 0.1, 0)[1].T),
        ),
        "The noise is drawn uniformly. `standard_normal` draws from a Gaussian.": Mistake(
            _make(
                lambda rng, d, N, s: [
                    np.eye(d) + s * rng.uniform(-(3**0.5), 3**0.5, (d, d)) for _ in range(N)
                ]
            ),
            lambda f: 1.5 < np.abs(_noise(f, 20, 10, 0.05, 0)).max() < 1.75,
        ),
        "`normal` takes the standard deviation, not the variance.": Mistake(
            _make(lambda rng, d, N, s: [np.eye(d) + rng.normal(0, s**2, (d, d)) for _ in range(N)]),
            lambda f: abs(_spread(f) / 0.05 - 1) < 0.1,
        ),
        "Some entries share their noise: draw each of them anew.": Mistake(
            lambda d, N, s, seed: [
                np.eye(d) + s * np.random.default_rng(seed + j // 2).standard_normal((d, d))
                for j in range(N)
            ],
            lambda f: _spread(f) > 0 and np.diff(_noise(f, 4, 4, 0.5, 1)).min() < 1e-9,
        ),
        "`seed` is not used.": Mistake(
            lambda d, N, s, seed: list(
                np.eye(d) + s * np.random.default_rng(0).standard_normal((N, d, d))
            ),
            lambda f: close(f(3, 2, 0.1, 4), f(3, 2, 0.1, 5)),
        ),
    },
    hints=(
        "`np.eye(d)` is the identity.",
        "`np.eye(d) + scale * rng.standard_normal((d, d))`, `N` times.",
    ),
    praise="However deep, the product starts near the identity: no stall. This is a "
    "linear residual network.",
    probes=((3, 4, 0.1, 0),),
)


def _real_factor(scale: float, N: int) -> float:
    """Return how far a step moves the product of N equal scalars, relative to gradient descent."""
    network = LinearNetwork(tuple(np.full((1, 1), scale) for _ in range(N)))
    slopes = network.layer_gradients([[1.0]])
    return float(sum(slopes[j][0, 0] * scale ** (N - 1) for j in range(N)))


_STALL = Exercise(
    name="first_step_factor",
    notebook="07",
    kind="write",
    title="Why near-zero networks stall",
    prompt=(
        "All `N` layers are single numbers that start at `scale`, so $w = $ `scale` $^N$. By "
        "what factor is the first step of $w$ longer or shorter than that of gradient descent on "
        r"$w$ itself, at the same learning rate? (Use the rule along $w$: $N\|w\|^{2-2/N}$.)"
    ),
    solution="def first_step_factor(scale, N):\n    return N * scale ** (2 * N - 2)",
    properties={
        "at depth 1 it is 1": lambda f: close(f(0.1, 1), 1.0),
        "it is what the chain rule gives for 4 layers": lambda f: close(
            f(0.1, 4), _real_factor(0.1, 4)
        ),
        "from `scale = 1` it is $N$": lambda f: close(f(1.0, 8), 8.0),
        "at depth 3 a start ten times smaller is ten thousand times slower": lambda f: close(
            f(0.1, 3) / f(0.01, 3), 1e4
        ),
    },
    mistakes={
        r"$\|w\|$ is not `scale`: "
        r"it is the product of $N$ factors.": lambda s, N: N * s ** (2 - 2 / N),
        "Along $w$ the rule has a factor $N$.": lambda s, N: s ** (2 * N - 2),
        "That is the size of $w$, not of its step.": lambda s, N: s**N,
        "That is one layer's gradient. "
        "The product moves by all of them, each times $N-1$ others.": lambda s, N: s ** (N - 1),
        "The move of each layer is multiplied by the $N-1$ others once more.": lambda s, N: (
            N * s ** (N - 1)
        ),
        "Power $2N$? At depth 1 there would be a factor left.": lambda s, N: N * s ** (2 * N),
        "Upside down: a small start makes small steps.": lambda s, N: N * s ** (2 - 2 * N),
    },
    hints=(
        r"Put $\|w\| = $ `scale` $^N$ into $N\|w\|^{2-2/N}$.",
        "`scale ** (N * (2 - 2 / N))` is `scale ** (2 * N - 2)`.",
    ),
    praise="At scale 0.1 and depth 8 the first step is about $10^{-13}$ of gradient "
    "descent's: a stall.",
    probes=((0.1, 3), (0.5, 4), (2.0, 2)),
    draw=lambda rng: (float(rng.uniform(0.1, 2)), int(rng.integers(1, 9))),
)

_OPTIONS = (
    "- **A** A ten times larger learning rate: then it starts ten times sooner, "
    "and no harm is done.\n"
    "- **B** Identity initialisation: the product starts near 1 however many layers there are.\n"
    "- **C** Wider hidden layers, balanced, with the same product: more paths, so larger steps.\n"
    "- **D** Weight decay: it pushes the weights out of the saddle.\n"
    "- **E** A start at exactly 0: then all layers agree.\n"
    "- **F** Even smaller weights: then the layers are nearly balanced and the rule holds."
)

_CURE = Exercise(
    name="cure_of_the_stall",
    notebook="07",
    kind="choose",
    title="What cures the stall, and why?",
    prompt=(
        "A linear network of 16 layers, started near zero, does not move. Which change is the "
        f"cure, for the reason given?\n\n{_OPTIONS}"
    ),
    todo="a letter, such as 'A'",
    solution='cure_of_the_stall = "B"',
    returns=letter("F"),
    properties={"the change is a cure, and for that reason": lambda c: c == "B"},
    mistakes={
        "At the start the factor is many powers of ten. "
        "A rate that makes up for it explodes as soon as the weights have grown.": "A",
        "At the same product the step is the same: the width is not in the rule. (Wider layers "
        "whose entries are as large as before do help: their product is larger.)": "C",
        "Weight decay pulls towards 0, deeper into the saddle.": "D",
        "At exactly 0 nothing moves, for ever: every layer's gradient contains the others.": "E",
        "In absolute terms they are, but so small are the layers too: beside their own squares "
        "nothing is better balanced. And the step shrinks with a high power of the size.": "F",
    },
    hints=(r"The step carries $\|W\|^{2-2/N}$. Which change makes $\|W\|$ about 1?",),
    praise="And this is what residual connections do in practice: each layer starts as "
    "the identity.",
)

_WIDEST = 200


@cache
def _length(width: float) -> float:
    """Return the length of the product at the start, the median of ten seeds."""
    widths = (7, *[int(width)] * 15, 1)
    starts = [near_zero_network(widths, 0.1, rng=seed) for seed in range(10)]
    return float(np.median([np.linalg.norm(start.end_to_end_matrix) for start in starts]))


def _can_be(width: float) -> bool:
    return width == int(width) and 1 <= width <= _WIDEST


_WIDTH = Exercise(
    name="wide_enough",
    notebook="07",
    kind="find a counterexample",
    title="Small random layers that do not stall",
    prompt=(
        "“Sixteen layers of small random numbers always stall.” Design a counterexample: a hidden "
        f"width `m`, at most {_WIDEST}, for which `oe.near_zero_network((7, *[m] * 15, 1), 0.1, "
        "rng=seed)`, whose entries have the standard deviation 0.1, starts with an "
        "`.end_to_end_matrix` of length between 0.1 and 10 (the median of the seeds 0 to 9)."
    ),
    todo="a whole number",
    solution="wide_enough = 110",
    returns=NUMBER,
    properties={
        f"a whole number from 1 to {_WIDEST}": _can_be,
        "the product starts with a length between 0.1 and 10": lambda m: 0.1 <= _length(m) <= 10,
    },
    mistakes={
        "A width is a whole number.": Mistake(100.5, lambda m: m != int(m)),
        "A width is at least 1.": Mistake(0, lambda m: m < 1),
        "At width 1 the product is one of 16 small numbers: that is the stall itself.": 1,
        "Too narrow: the product starts shorter than 0.1. By what does one more layer multiply its "
        "squared length, on average?": Mistake(16, lambda m: _can_be(m) and _length(m) < 0.1),
        "Too wide: the product starts longer than 10, since each layer makes it longer.": Mistake(
            190, lambda m: _can_be(m) and _length(m) > 10
        ),
        f"Wider than {_WIDEST}: there the product starts far longer than 10.": Mistake(
            10_000, lambda m: m > _WIDEST
        ),
    },
    hints=(
        "A layer of `m` outputs with entries of standard deviation $s$ multiplies the squared "
        "length of a vector by $ms^2$, on average.",
        "$ms^2 = 1$ at the width $1/s^2$.",
    ),
    praise=r"The square of the length is $7\,s^{2N}m^{N-1}$ on average, so near $m = 1/s^2$ it "
    "neither vanishes nor explodes. The widths are not in the rule, but they decide where it "
    "starts.",
)

EXERCISES = (_IDENTITY, _STALL, _WIDTH, _CURE)
